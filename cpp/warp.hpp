// Samples patches from a face: one resampling each, straight from the source image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "similarity.hpp"

namespace i2cnn {

// One box of a patch scheme, in inter-ocular distances. `anchor` is the landmark (0-4) whose
// aligned position the centre is relative to, or -1 for the origin between the eyes.
struct Box {
  int anchor;
  double cx;
  double cy;
  double width;
  double height;
};

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

// Planar copy of an image whose last row and column repeat, so that bilinear reads at the border
// need no test.
class Source {
 public:
  explicit Source(const ImageView& view);

  int width() const { return width_; }
  int height() const { return height_; }
  int channels() const { return channels_; }
  int stride() const { return stride_; }
  const std::uint8_t* plane(int channel) const {
    return pixels_.data() + static_cast<std::size_t>(channel) * plane_size_;
  }

 private:
  int width_;
  int height_;
  int channels_;
  int stride_;
  std::size_t plane_size_;
  std::vector<std::uint8_t> pixels_;
};

// Affine map from patch pixel (column, row) to source pixels, and how many samples a pixel needs.
struct Sampling {
  double x0, y0;     // source position of the centre of patch pixel (0, 0)
  double xc, yc;     // step of one column
  double xr, yr;     // step of one row
  int across, down;  // samples per patch pixel along columns and rows (antialiasing)
};

Sampling make_sampling(const Similarity& face, const Points& points, const Box& box, int size);

// Samples one plane of a patch into out (size x size). Pixels outside the image repeat its border.
void sample_plane(const Source& source, int channel, const Sampling& sampling, int size,
                  std::uint8_t* out);

// Left-right mirror of a plane.
void mirror_plane(const std::uint8_t* in, int size, std::uint8_t* out);

// Name of the instruction set in use: "avx2" or "plain".
std::string simd_level();

// For tests: use the plain code even where AVX2 is there.
void force_plain(bool plain);

}  // namespace i2cnn
