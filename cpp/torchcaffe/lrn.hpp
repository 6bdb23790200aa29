// Local response normalisation across channels, beta 0.75 (AlexNet's, CaffeNet's, GoogLeNet's).
#pragma once

#include <cstddef>

namespace i2cnn {

struct Lrn {
  std::size_t rows;      // pixels of all images
  std::size_t channels;  // values of a row, next to each other
  std::size_t window;    // odd number of channels
  float alpha;           // already divided by the window's size
  float k;
};

// y = x * scale^-0.75 with scale = k + alpha * sum of x^2 over the window around a channel.
void lrn_forward(const Lrn& lrn, const float* x, float* y, int threads);

// dx from x and dy. The scale is computed anew: that is faster than to read it from memory.
void lrn_backward(const Lrn& lrn, const float* x, const float* dy, float* dx, int threads);

}  // namespace i2cnn
