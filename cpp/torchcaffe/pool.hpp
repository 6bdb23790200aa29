// MAX pooling of images with their channels last (Caffe's Pooling layer).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "torchcaffe/bfloat16.hpp"

namespace i2cnn {

using Sides = std::array<std::size_t, 2>;  // along height and width

struct MaxPool {
  std::size_t images, channels;
  Sides in, out;  // sizes of the images before and after
  Sides kernel, stride, pad;
};

// Most numbers of a window: their places are counted in a byte.
constexpr std::size_t kMostTaps = 255;

// y is the largest number of each window of x, or NaN if it has one; `tap`, unless null, its place
// in the window, row by row; of equal ones the first. T is float or Bf16. Every window must reach
// into the image.
template <typename T>
void max_pool_forward(const MaxPool& pool, const T* x, T* y, std::uint8_t* tap, int threads);

// dx from dy and the forward pass's `tap`, added up in float.
template <typename T>
void max_pool_backward(const MaxPool& pool, const T* dy, const std::uint8_t* tap, T* dx,
                       int threads);

}  // namespace i2cnn
