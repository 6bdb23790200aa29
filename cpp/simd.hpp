// Which instruction set the kernels use, chosen at run time.
#pragma once

#include <string>

#if defined(__x86_64__) && defined(__GNUC__)
#define I2CNN_X86 1
#endif

namespace i2cnn {

enum class Simd { kPlain, kAvx2, kAvx512 };

// The best that the processor has, or what set_simd() chose.
Simd simd();

// Instruction sets: "avx512", "avx2" or "plain"; "auto" takes the best that the processor has.
// Throws std::invalid_argument where it is missing. For tests and measurements.
void set_simd(const std::string& name);
std::string simd_level();

}  // namespace i2cnn
