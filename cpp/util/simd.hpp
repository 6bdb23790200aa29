// Which instruction set the vector code may use.
#pragma once

#include <string>

#if defined(__x86_64__) && defined(__GNUC__)
#define I2CNN_X86 1
#endif

// For code that is compiled once per instruction set: it must be inlined into its caller, whose
// target attribute it takes over.
#ifdef __GNUC__
#define I2CNN_INLINE inline __attribute__((always_inline))
#else
#define I2CNN_INLINE inline
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

}  // namespace i2cnn
