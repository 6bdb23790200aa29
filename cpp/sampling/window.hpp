// The part of an image that the patches of a face read, laid out for bilinear interpolation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace i2cnn {

// A view of the caller's pixels, with strides in bytes, which may be negative.
struct ImageView {
  const std::uint8_t* data;
  std::ptrdiff_t height;
  std::ptrdiff_t width;
  std::ptrdiff_t channels;
  std::ptrdiff_t row_stride;
  std::ptrdiff_t column_stride;
  std::ptrdiff_t channel_stride;
};

// Throws std::invalid_argument unless the view has 1 to 32767 rows and columns and 1 or 3 channels.
void check_image(const ImageView& view);

// Smallest and largest positions that will be read, in pixels; they can lie outside the image.
struct Bounds {
  double left, top, right, bottom;
};

// Planes of 16-bit words: a pixel in the low byte and the one below it in the high byte, both minus
// 128, as the inner loops need them. One 32-bit read gives the four neighbours of a position. The
// last row and column are repeated, so reads at the border need no test. No other part of the image
// is copied.
class Window {
 public:
  // Vector code reads at most this many words beyond a position,
  static constexpr std::size_t kSlack = 160;
  // and at most this many rows below the last.
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
