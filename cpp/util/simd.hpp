// Which instruction set the vector code may use.
#pragma once

#include <string>
#include <type_traits>

// Target attributes of code for a level.
#if defined(__x86_64__) && defined(__GNUC__)
#define I2CNN_X86 1
#define I2CNN_AVX2 __attribute__((target("avx2,fma,bmi2")))
#define I2CNN_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,bmi2,prefer-vector-width=512")))
#endif

// For code that is compiled once per level: it must be inlined into its caller, whose target
// attribute it takes over. Lambdas take the second form, after their parameters.
#ifdef __GNUC__
#define I2CNN_INLINE inline I2CNN_INLINE_LAMBDA
#define I2CNN_INLINE_LAMBDA __attribute__((always_inline))
#else
#define I2CNN_INLINE inline
#define I2CNN_INLINE_LAMBDA
#endif

namespace i2cnn {

enum class Simd { kPlain, kAvx2, kAvx512 };  // kAvx2 implies FMA and BMI2

// The level in use: the best one of this processor, unless set_simd() chose another.
Simd simd();

// Chooses "plain", "avx2" or "avx512", for tests and benchmarks; "auto" restores the best. Throws
// std::invalid_argument if the name is unknown or the processor has no such instructions.
void set_simd(const std::string& name);

// Name of the level in use.
std::string simd_level();

#ifdef I2CNN_X86
template <typename Work>
I2CNN_AVX2 void run_avx2(const Work& work) {
  work(std::true_type{});
}

template <typename Work>
I2CNN_AVX512 void run_avx512(const Work& work) {
  work(std::true_type{});
}
#endif

// Calls work(fma), a lambda with I2CNN_INLINE_LAMBDA, compiled for the level in use; `fma` is
// std::true_type if that has fused multiply-add.
template <typename Work>
void run_vectorised(const Work& work) {
#ifdef I2CNN_X86
  if (simd() == Simd::kAvx512) return run_avx512(work);
  if (simd() == Simd::kAvx2) return run_avx2(work);
#endif
  work(std::false_type{});
}

}  // namespace i2cnn
