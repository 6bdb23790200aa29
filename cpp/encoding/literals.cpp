#include "encoding/literals.hpp"

namespace i2cnn {

namespace {

// One or more codes, the first in the lowest bits.
struct Codes {
  std::uint64_t bits;
  unsigned length;
  I2CNN_INLINE Codes operator+(const Codes& next) const {
    return {bits | next.bits << length, length + next.length};
  }
};

// Joins codes in pairs before it appends them to the stream, since each step of the stream waits
// for the one before.
I2CNN_INLINE void join(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                       BitWriter& bits) {
  const auto get = [&code](std::uint8_t byte) { return Codes{code[byte].bits, code[byte].length}; };
  const auto four = [&get](const std::uint8_t* in) {
    return (get(in[0]) + get(in[1])) + (get(in[2]) + get(in[3]));
  };
  // A local copy, so that the compiler can keep it in registers.
  BitWriter stream = bits;
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const Codes low = four(data + i);
    const Codes high = four(data + i + 4);
    if (low.length + high.length <= 56) {
      const Codes all = low + high;
      stream.put(all.bits, all.length);
    } else {
      stream.put(low.bits, low.length);
      stream.put(high.bits, high.length);
    }
  }
  for (; i < count; ++i) stream.put(get(data[i]).bits, get(data[i]).length);
  bits = stream;
}

void literals_plain(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                    BitWriter& bits) {
  join(data, count, code, bits);
}

#ifdef I2CNN_X86
// The same with BMI2's shifts, which take the count from any register.
I2CNN_AVX2 void literals_bmi2(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                              BitWriter& bits) {
  join(data, count, code, bits);
}
#endif

}  // namespace

void put_literals(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                  BitWriter& bits) {
#ifdef I2CNN_X86
  if (simd() != Simd::kPlain) {
    std::size_t done = 0;
    if (simd() == Simd::kAvx512) done = literals_avx512(data, count, code, bits);
    literals_bmi2(data + done, count - done, code, bits);
    return;
  }
#endif
  literals_plain(data, count, code, bits);
}

}  // namespace i2cnn
