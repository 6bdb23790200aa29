// Numbers as bytes in memory; compilers turn each function into one instruction.
#pragma once

#include <cstdint>
#include <cstring>

#include "util/simd.hpp"

namespace i2cnn {

// Stores the lowest byte first.
I2CNN_INLINE void store_u64(std::uint64_t value, std::uint8_t* out) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  std::memcpy(out, &value, 8);
}

}  // namespace i2cnn
