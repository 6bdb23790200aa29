// bfloat16, which neither C++ 17 nor NumPy knows.
#pragma once

#include <cstdint>
#include <cstring>

#include "util/simd.hpp"

namespace i2cnn {

// A bfloat16 number: the upper half of a float's bits.
struct Bf16 {
  std::uint16_t bits;
};

I2CNN_INLINE float get(float x) { return x; }

I2CNN_INLINE float get(Bf16 x) {
  const std::uint32_t bits = std::uint32_t{x.bits} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

I2CNN_INLINE void put(float value, float& out) { out = value; }

// Rounds to the nearest number, of two equally near ones to the even one.
I2CNN_INLINE void put(float value, Bf16& out) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  out.bits = static_cast<std::uint16_t>(value == value ? rounded : 0x7FC0U);
}

}  // namespace i2cnn
