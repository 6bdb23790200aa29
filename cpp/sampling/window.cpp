#include "sampling/window.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace i2cnn {

namespace {

// First pixel, and number of pixels, among 0 .. size - 1 that positions from low to high read.
void clip(double low, double high, std::ptrdiff_t size, int& first, int& count) {
  const auto last = static_cast<double>(size - 1);
  const double begin = std::min(std::max(std::floor(low) - 1, 0.0), last);
  const double end = std::min(std::max(std::ceil(high) + 1, 0.0), last);
  first = static_cast<int>(begin);
  count = static_cast<int>(end) - first + 1;
}

void copy_row(const ImageView& view, std::ptrdiff_t row, std::ptrdiff_t channel, int left,
              int width, std::uint8_t* out) {
  const std::uint8_t* in =
      view.data + row * view.row_stride + left * view.column_stride + channel * view.channel_stride;
  if (view.column_stride == 1) {
    std::copy_n(in, width, out);
    return;
  }
  for (std::ptrdiff_t j = 0; j < width; ++j) out[j] = in[j * view.column_stride];
}

}  // namespace

void check_image(const ImageView& view) {
  if (view.height < 1 || view.width < 1 || view.height > 32767 || view.width > 32767) {
    throw std::invalid_argument("an image must have 1 to 32767 rows and columns");
  }
  if (view.channels != 1 && view.channels != 3) {
    throw std::invalid_argument("an image must have 1 or 3 channels");
  }
}

Window::Window(const ImageView& view, const Bounds& bounds) {
  check_image(view);
  clip(bounds.left, bounds.right, view.width, left_, width_);
  clip(bounds.top, bounds.bottom, view.height, top_, height_);
  channels_ = static_cast<int>(view.channels);
  stride_ = width_ + 1;
  plane_words_ = static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height_);
  words_.resize(plane_words_ * static_cast<std::size_t>(channels_) +
                kSpareRows * static_cast<std::size_t>(stride_) + kSlack);
  const auto width = static_cast<std::size_t>(width_);
  std::vector<std::uint8_t> upper(width);
  std::vector<std::uint8_t> lower(width);
  for (int c = 0; c < channels_; ++c) {
    std::uint16_t* out = words_.data() + static_cast<std::size_t>(c) * plane_words_;
    copy_row(view, top_, c, left_, width_, lower.data());
    for (int i = 0; i < height_; ++i, out += stride_) {
      upper.swap(lower);
      if (i + 1 < height_) {
        copy_row(view, top_ + i + 1, c, left_, width_, lower.data());
      } else {
        lower = upper;
      }
      for (std::size_t j = 0; j < width; ++j) {
        out[j] = static_cast<std::uint16_t>((upper[j] | (lower[j] << 8)) ^ 0x8080);
      }
      out[width] = out[width - 1];
    }
  }
}

}  // namespace i2cnn
