// Which instructions the vector code may use.
#pragma once

#include <string>

#if defined(__x86_64__) && defined(__GNUC__)
#define I2CNN_X86 1
#endif

// For code that is compiled twice, plain and for newer processors: it must be part of its caller.
#ifdef __GNUC__
#define I2CNN_INLINE inline __attribute__((always_inline))
#else
#define I2CNN_INLINE inline
#endif

namespace i2cnn {

enum class Simd { kPlain, kAvx2, kAvx512 };  // kAvx2 implies FMA and BMI2

// The level in use: the best that this processor has, unless set_simd() chose another.
Simd simd();

// Chooses plain, avx2 or avx512, for tests; auto goes back. Throws std::invalid_argument if the
// processor has no such instructions.
void set_simd(const std::string& name);

std::string simd_level();

}  // namespace i2cnn
