#include "torchcaffe/sgd.hpp"

#include <cmath>

#include "util/parallel.hpp"
#include "util/simd.hpp"

namespace i2cnn {

namespace {

constexpr std::size_t kBlock = 1 << 16;

void update_plain(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history) {
  for (std::size_t i = 0; i < size; ++i) {
    const float gradient = diff[i] + sgd.decay * weight[i];
    const float kept = sgd.momentum * history[i];
    const float step = kept + sgd.rate * gradient;
    history[i] = diff[i] = step;
    weight[i] -= step;
  }
}

#ifdef I2CNN_X86
__attribute__((target("avx2,fma"))) void update_fma(const Sgd& sgd, std::size_t size,
                                                    float* __restrict weight,
                                                    float* __restrict diff,
                                                    float* __restrict history) {
  for (std::size_t i = 0; i < size; ++i) {
    const float gradient = std::fma(sgd.decay, weight[i], diff[i]);
    const float kept = sgd.momentum * history[i];
    const float step = std::fma(sgd.rate, gradient, kept);
    history[i] = diff[i] = step;
    weight[i] -= step;
  }
}
#else
constexpr auto update_fma = update_plain;
#endif

}  // namespace

void sgd_update(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history,
                int threads) {
  const auto work = simd() == Simd::kPlain ? update_plain : update_fma;
  parallel_for(size, kBlock, threads, [&](std::size_t begin, std::size_t end) {
    work(sgd, end - begin, weight + begin, diff + begin, history + begin);
  });
}

}  // namespace i2cnn
