// Local response normalisation across channels with beta 0.75, as in AlexNet and GoogLeNet (Caffe's
// LRN layer).
#pragma once

#include <cstddef>

#include "torchcaffe/bfloat16.hpp"

namespace i2cnn {

struct Lrn {
  std::size_t rows;      // pixels of all images
  std::size_t channels;  // values of a row, contiguous
  std::size_t window;    // number of channels, odd
  float alpha;           // Caffe's alpha divided by the window
  float k;
};

// y = x * scale^-0.75, where scale = k + alpha * (sum of x^2 over the window around the channel).
// T is float or Bf16; all is computed in float.
template <typename T>
void lrn_forward(const Lrn& lrn, const T* x, T* y, int threads);

// dx from x and dy. Recomputes the scale, which is faster than reading it from memory.
template <typename T>
void lrn_backward(const Lrn& lrn, const T* x, const T* dy, T* dx, int threads);

}  // namespace i2cnn
