#include "util/simd.hpp"

#include <atomic>
#include <stdexcept>

namespace i2cnn {

namespace {

Simd best_simd() {
#ifdef I2CNN_X86
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    const bool wide = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
    return wide ? Simd::kAvx512 : Simd::kAvx2;
  }
#endif
  return Simd::kPlain;
}

std::atomic<Simd>& level() {
  static std::atomic<Simd> value{best_simd()};
  return value;
}

}  // namespace

Simd simd() { return level().load(std::memory_order_relaxed); }

void set_simd(const std::string& name) {
  const Simd best = best_simd();
  Simd wanted = best;
  if (name == "plain") {
    wanted = Simd::kPlain;
  } else if (name == "avx2") {
    wanted = Simd::kAvx2;
  } else if (name == "avx512") {
    wanted = Simd::kAvx512;
  } else if (name != "auto") {
    throw std::invalid_argument("choose auto, plain, avx2 or avx512, not '" + name + "'");
  }
  if (wanted > best) throw std::invalid_argument("this processor has no " + name);
  level().store(wanted);
}

std::string simd_level() {
  switch (simd()) {
    case Simd::kAvx512:
      return "avx512";
    case Simd::kAvx2:
      return "avx2";
    default:
      return "plain";
  }
}

}  // namespace i2cnn
