// The part of an image that a face's patches touch, laid out for fast bilinear reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace i2cnn {

// A view of the caller's pixels: any strides, negative ones too.
struct ImageView {
  const std::uint8_t* data;
  std::ptrdiff_t height;
  std::ptrdiff_t width;
  std::ptrdiff_t channels;
  std::ptrdiff_t row_stride;
  std::ptrdiff_t column_stride;
  std::ptrdiff_t channel_stride;
};

// Throws std::invalid_argument unless the view has 1 to 32767 rows and columns, gray or B, G, R.
void check_image(const ImageView& view);

// Smallest and largest positions that will be read, in pixels; they may lie outside the image.
struct Bounds {
  double left, top, right, bottom;
};

// Planes of 16-bit words: a pixel in the low byte, the one below it in the high byte, both less 128
// as the kernels want them. A 32-bit read brings the four neighbours of a position. The last row
// and column repeat, so that reads at the border need no test. Only this part of the image is ever
// copied.
class Window {
 public:
  // Vector code reads at most this many words past a position.
  static constexpr std::size_t kSlack = 160;
  // And as many rows below the last.
  static constexpr std::size_t kSpareRows = 3;

  Window(const ImageView& view, const Bounds& bounds);

  // Position of the window's first pixel in the image.
  int left() const { return left_; }
  int top() const { return top_; }
  int width() const { return width_; }
  int height() const { return height_; }
  int channels() const { return channels_; }
  int stride() const { return stride_; }
  const std::uint16_t* plane(int channel) const {
    return words_.data() + static_cast<std::size_t>(channel) * plane_words_;
  }

 private:
  int left_;
  int top_;
  int width_;
  int height_;
  int channels_;
  int stride_;
  std::size_t plane_words_;
  std::vector<std::uint16_t> words_;
};

}  // namespace i2cnn
