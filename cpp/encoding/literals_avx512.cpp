// The AVX-512 loop: looks up 32 codes in a table in registers, then joins neighbouring lanes to
// two, four and eight codes, so that the stream takes one step per eight codes.
#include "encoding/literals.hpp"

#ifdef I2CNN_X86

#include "util/avx512.hpp"

namespace i2cnn {

namespace {

constexpr std::size_t kVector = 32;
// The low bits of a table entry are the length of the code.
constexpr int kLengthBits = 4;
static_assert(kMaxCodeLength < (1 << kLengthBits) && kMaxCodeLength + kLengthBits <= 16);

// Codes and their lengths, lane by lane.
struct Lanes {
  __m512i bits, length;
};

// Joins two neighbouring lanes of `kBits` bits to one of twice the width; the first goes below.
template <int kBits>
I2CNN_AVX512 inline Lanes join(const Lanes& lanes) {
  static_assert(kBits == 16 || kBits == 32);
  if constexpr (kBits == 16) {
    const __m512i lower = _mm512_set1_epi32(0xffff);
    const __m512i length = _mm512_and_si512(lanes.length, lower);
    const __m512i next = _mm512_sllv_epi32(_mm512_srli_epi32(lanes.bits, 16), length);
    return {_mm512_or_si512(_mm512_and_si512(lanes.bits, lower), next),
            _mm512_add_epi32(length, _mm512_srli_epi32(lanes.length, 16))};
  } else {
    const __m512i lower = _mm512_set1_epi64(0xffffffff);
    const __m512i length = _mm512_and_si512(lanes.length, lower);
    const __m512i next = _mm512_sllv_epi64(_mm512_srli_epi64(lanes.bits, 32), length);
    return {_mm512_or_si512(_mm512_and_si512(lanes.bits, lower), next),
            _mm512_add_epi64(length, _mm512_srli_epi64(lanes.length, 32))};
  }
}

// The table entries of 32 bytes. Small differences, positive or negative, are in the first and the
// last quarter of the table.
I2CNN_AVX512 inline __m512i look_up(const __m512i* table, __m512i bytes) {
  const __mmask32 upper = _mm512_test_epi16_mask(bytes, _mm512_set1_epi16(128));
  const __mmask32 odd = _mm512_test_epi16_mask(bytes, _mm512_set1_epi16(64));
  const auto choose = [upper, bytes](const __m512i* a, const __m512i* b) I2CNN_AVX512 {
    return _mm512_mask_blend_epi16(upper, _mm512_permutex2var_epi16(a[0], bytes, a[1]),
                                   _mm512_permutex2var_epi16(b[0], bytes, b[1]));
  };
  const __m512i found = choose(table, table + 6);
  const __mmask32 middle = upper ^ odd;
  if (middle == 0) return found;
  return _mm512_mask_blend_epi16(middle, found, choose(table + 2, table + 4));
}

}  // namespace

I2CNN_AVX512 std::size_t literals_avx512(const std::uint8_t* data, std::size_t count,
                                         const HuffmanCode& code, BitWriter& bits) {
  alignas(64) std::uint16_t entries[256];
  for (std::size_t s = 0; s < 256; ++s) {
    entries[s] = static_cast<std::uint16_t>(code[s].bits << kLengthBits | code[s].length);
  }
  __m512i table[8];
  for (std::size_t t = 0; t < 8; ++t) table[t] = _mm512_load_si512(entries + kVector * t);
  BitWriter stream = bits;
  std::size_t i = 0;
  for (; i + kVector <= count; i += kVector) {
    const __m512i bytes =
        _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + i)));
    const __m512i found = look_up(table, bytes);
    const Lanes one{_mm512_srli_epi16(found, kLengthBits),
                    _mm512_and_si512(found, _mm512_set1_epi16((1 << kLengthBits) - 1))};
    const Lanes four = join<32>(join<16>(one));
    // Lanes 0, 2, 4, 6 now hold eight codes, if those fit.
    const __m512i length = _mm512_add_epi64(four.length, _mm512_bsrli_epi128(four.length, 8));
    alignas(64) std::uint64_t part[8];
    alignas(64) std::uint64_t size[8];
    if (_mm512_mask_cmpgt_epu64_mask(0x55, length, _mm512_set1_epi64(56)) == 0) {
      const __m512i next = _mm512_sllv_epi64(_mm512_bsrli_epi128(four.bits, 8), four.length);
      _mm512_store_si512(part, _mm512_or_si512(four.bits, next));
      _mm512_store_si512(size, length);
      for (int p = 0; p < 8; p += 2) stream.put(part[p], static_cast<unsigned>(size[p]));
    } else {
      _mm512_store_si512(part, four.bits);
      _mm512_store_si512(size, four.length);
      for (int p = 0; p < 8; ++p) stream.put(part[p], static_cast<unsigned>(size[p]));
    }
  }
  bits = stream;
  return i;
}

}  // namespace i2cnn

#endif
