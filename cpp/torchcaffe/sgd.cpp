#include "torchcaffe/sgd.hpp"

#include <cmath>

#include "util/parallel.hpp"
#include "util/simd.hpp"

namespace i2cnn {

namespace {

constexpr std::size_t kBlock = 1 << 16;

// a * b + c, rounded once if fused.
template <bool kFused>
I2CNN_INLINE float multiply_add(float a, float b, float c) {
  return kFused ? std::fma(a, b, c) : a * b + c;
}

template <bool kFused>
I2CNN_INLINE void update(const Sgd& sgd, std::size_t size, float* __restrict weight,
                         float* __restrict diff, float* __restrict history) {
  for (std::size_t i = 0; i < size; ++i) {
    const float gradient = multiply_add<kFused>(sgd.decay, weight[i], diff[i]);
    const float kept = sgd.momentum * history[i];
    const float step = multiply_add<kFused>(sgd.rate, gradient, kept);
    history[i] = diff[i] = step;
    weight[i] -= step;
  }
}

}  // namespace

void sgd_update(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history,
                int threads) {
  parallel_for(size, kBlock, threads, [&](std::size_t begin, std::size_t end) {
    run_vectorised([&](auto fma) I2CNN_INLINE_LAMBDA {
      update<fma>(sgd, end - begin, weight + begin, diff + begin, history + begin);
    });
  });
}

}  // namespace i2cnn
