#include "torchcaffe/lrn.hpp"

#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "util/parallel.hpp"
#include "util/simd.hpp"

namespace i2cnn {

namespace {

constexpr float kBeta = 0.75F;
constexpr std::size_t kBlockRows = 512;

I2CNN_INLINE std::uint32_t bits_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

I2CNN_INLINE float from_bits(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// x^-0.25 of a positive x to within 2e-5 of itself: Newton's method twice, from a number whose
// exponent is about right. y^4 alone may be too small a number, and of infinity it is none.
I2CNN_INLINE float inverse_fourth_root(float x) {
  const std::uint32_t bits = bits_of(x);
  float y = from_bits(0x4F584000U - (bits >> 2));
  y *= 1.25F - 0.25F * ((x * (y * y)) * (y * y));
  y *= 1.25F - 0.25F * ((x * (y * y)) * (y * y));
  const std::uint32_t infinite = bits == 0x7F800000U;
  return from_bits(bits_of(y) & (infinite - 1));  // a branch would not be vectorised
}

// value * scale^-0.75, for results of type T: roots and divisions take longer than bfloat16's
// memory, which holds less of them.
template <typename T>
I2CNN_INLINE float times_power(float value, float scale) {
  if constexpr (std::is_same_v<T, float>) {
    const float root = std::sqrt(scale);
    return value / (root * std::sqrt(root));
  }
  const float y = inverse_fourth_root(scale);
  return value * (y * y * y);
}

// value / scale, for results of type T.
template <typename T>
I2CNN_INLINE float over(float value, float scale) {
  if constexpr (std::is_same_v<T, float>) return value / scale;
  const float y = inverse_fourth_root(scale);
  return (value * (y * y)) * (y * y);
}

// Sums of `window` neighbouring values; `in` begins window / 2 values before the centre of the
// first sum.
I2CNN_INLINE void window_sums(const float* __restrict in, std::size_t n, std::size_t window,
                              float* __restrict out) {
  if (window == 5) {
    for (std::size_t c = 0; c < n; ++c)
      out[c] = in[c] + in[c + 1] + in[c + 2] + in[c + 3] + in[c + 4];
    return;
  }
  for (std::size_t c = 0; c < n; ++c) out[c] = in[c];
  for (std::size_t i = 1; i < window; ++i) {
    for (std::size_t c = 0; c < n; ++c) out[c] += in[c + i];
  }
}

// Buffers for one row; `padded` has window / 2 zeros at each end.
struct Scratch {
  explicit Scratch(const Lrn& lrn)
      : padded(lrn.channels + lrn.window - 1), sums(lrn.channels), direct(lrn.channels) {}
  std::vector<float> padded, sums, direct;
};

template <typename T>
I2CNN_INLINE void scales(const Lrn& lrn, const T* __restrict x, float* __restrict padded,
                         float* __restrict scale) {
  float* centre = padded + lrn.window / 2;
  for (std::size_t c = 0; c < lrn.channels; ++c) centre[c] = get(x[c]) * get(x[c]);
  window_sums(padded, lrn.channels, lrn.window, scale);
  for (std::size_t c = 0; c < lrn.channels; ++c) scale[c] = lrn.k + lrn.alpha * scale[c];
}

template <typename T>
I2CNN_INLINE void forward_rows(const Lrn& lrn, const T* x, T* __restrict y, std::size_t rows) {
  Scratch scratch(lrn);
  float* __restrict const scale = scratch.sums.data();
  for (std::size_t row = 0; row < rows; ++row, x += lrn.channels, y += lrn.channels) {
    scales(lrn, x, scratch.padded.data(), scale);
    for (std::size_t c = 0; c < lrn.channels; ++c) {
      put(times_power<T>(get(x[c]), scale[c]), y[c]);
    }
  }
}

template <typename T>
I2CNN_INLINE void backward_rows(const Lrn& lrn, const T* x, const T* dy, T* __restrict dx,
                                std::size_t rows) {
  Scratch scratch(lrn);
  float* __restrict const sums = scratch.sums.data();
  float* __restrict const direct = scratch.direct.data();
  float* __restrict const centre = scratch.padded.data() + lrn.window / 2;
  const float factor = -2.0F * lrn.alpha * kBeta;
  for (std::size_t row = 0; row < rows; ++row) {
    scales(lrn, x, scratch.padded.data(), sums);
    for (std::size_t c = 0; c < lrn.channels; ++c) {
      direct[c] = times_power<T>(get(dy[c]), sums[c]);
      centre[c] = over<T>(direct[c] * get(x[c]), sums[c]);
    }
    window_sums(scratch.padded.data(), lrn.channels, lrn.window, sums);
    for (std::size_t c = 0; c < lrn.channels; ++c) {
      put(direct[c] + factor * get(x[c]) * sums[c], dx[c]);
    }
    x += lrn.channels;
    dy += lrn.channels;
    dx += lrn.channels;
  }
}

}  // namespace

template <typename T>
void lrn_forward(const Lrn& lrn, const T* x, T* y, int threads) {
  parallel_for(lrn.rows, kBlockRows, threads, [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin * lrn.channels;
    run_vectorised([&](auto)
                       I2CNN_INLINE_LAMBDA { forward_rows(lrn, x + at, y + at, end - begin); });
  });
}

template <typename T>
void lrn_backward(const Lrn& lrn, const T* x, const T* dy, T* dx, int threads) {
  parallel_for(lrn.rows, kBlockRows, threads, [&](std::size_t begin, std::size_t end) {
    const std::size_t at = begin * lrn.channels;
    run_vectorised([&](auto) I2CNN_INLINE_LAMBDA {
      backward_rows(lrn, x + at, dy + at, dx + at, end - begin);
    });
  });
}

template void lrn_forward(const Lrn&, const float*, float*, int);
template void lrn_forward(const Lrn&, const Bf16*, Bf16*, int);
template void lrn_backward(const Lrn&, const float*, const float*, float*, int);
template void lrn_backward(const Lrn&, const Bf16*, const Bf16*, Bf16*, int);

}  // namespace i2cnn
