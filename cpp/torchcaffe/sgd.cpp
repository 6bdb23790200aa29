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

template <bool kFused, bool kNarrow>
I2CNN_INLINE void update(const Sgd& sgd, std::size_t size, float* __restrict weight,
                         float* __restrict diff, float* __restrict history,
                         Bf16* __restrict narrow) {
  for (std::size_t i = 0; i < size; ++i) {
    const float given = kNarrow ? get(narrow[i]) : diff[i];
    const float gradient = multiply_add<kFused>(sgd.decay, weight[i], given);
    const float kept = sgd.momentum * history[i];
    const float step = multiply_add<kFused>(sgd.rate, gradient, kept);
    history[i] = diff[i] = step;
    weight[i] -= step;
    if constexpr (kNarrow) put(weight[i], narrow[i]);
  }
}

}  // namespace

void sgd_update(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history,
                Bf16* narrow, int threads) {
  parallel_for(size, kBlock, threads, [&](std::size_t begin, std::size_t end) {
    run_vectorised([&](auto fma) I2CNN_INLINE_LAMBDA {
      const std::size_t number = end - begin;
      float* const w = weight + begin;
      if (narrow == nullptr) {
        update<fma, false>(sgd, number, w, diff + begin, history + begin, nullptr);
      } else {
        update<fma, true>(sgd, number, w, diff + begin, history + begin, narrow + begin);
      }
    });
  });
}

}  // namespace i2cnn
