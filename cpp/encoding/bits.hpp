// A stream of bits in deflate's order.
#pragma once

#include <cstdint>

#include "encoding/bytes.hpp"
#include "util/simd.hpp"

namespace i2cnn {

// Packs bits, the lowest first. The buffer must extend eight bytes beyond what is written.
class BitWriter {
 public:
  explicit BitWriter(std::uint8_t* out) : out_(out) {}

  // Appends at most 56 bits.
  I2CNN_INLINE void put(std::uint64_t bits, unsigned count) {
    buffer_ |= bits << filled_;
    filled_ += count;
    store_u64(buffer_, out_);
    out_ += filled_ / 8;
    buffer_ >>= filled_ / 8 * 8;
    filled_ %= 8;
  }

  // Fills up the last byte with zeros and returns the end.
  std::uint8_t* finish() {
    put(0, (8 - filled_) % 8);
    return out_;
  }

 private:
  std::uint8_t* out_;
  std::uint64_t buffer_ = 0;
  unsigned filled_ = 0;
};

}  // namespace i2cnn
