// The AVX-512 inner loop of the sampling. A gather costs one load per pixel. Neighbouring columns
// read neighbouring pixels, so a block of 32 columns gets its pixels by permuting a few vectors
// instead.
#include "sampling/rows.hpp"

#ifdef I2CNN_X86

#include <algorithm>

#include "sampling/window.hpp"
#include "util/avx512.hpp"

namespace i2cnn {

namespace {

// Positions of 32 columns.
struct Positions {
  __m512i whole;     // 16-bit integer parts
  __m512i fraction;  // 16-bit fractions
  int low, high;     // smallest and largest integer part
};

// fetch() reads two vectors and a word from the last multiple of 64 columns that a block reaches.
constexpr int kSpan = static_cast<int>(kMaxStepX) * (kBlock - 1) + 1;
static_assert(kSpan / 64 * 64 + 2 * kBlock + 1 <= static_cast<int>(Window::kSlack));

// Word indices of the low halves of two vectors' 32-bit lanes; the high halves come one later.
I2CNN_AVX512 inline __m512i low_halves() {
  alignas(64) static constexpr std::uint16_t kLow[32] = {0,  2,  4,  6,  8,  10, 12, 14, 16, 18, 20,
                                                         22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 42,
                                                         44, 46, 48, 50, 52, 54, 56, 58, 60, 62};
  return _mm512_load_si512(kLow);
}

I2CNN_AVX512 inline Positions positions(const std::int32_t* table, std::int64_t start,
                                        std::int64_t limit) {
  const __m512i first = _mm512_set1_epi32(static_cast<int>(start));
  const __m512i most = _mm512_set1_epi32(static_cast<int>(limit));
  const __m512i zero = _mm512_setzero_si512();
  __m512i a = _mm512_add_epi32(_mm512_loadu_si512(table), first);
  __m512i b = _mm512_add_epi32(_mm512_loadu_si512(table + 16), first);
  a = _mm512_min_epi32(_mm512_max_epi32(a, zero), most);
  b = _mm512_min_epi32(_mm512_max_epi32(b, zero), most);
  const auto whole = [start, limit](std::int32_t step) {
    return static_cast<int>(std::clamp(start + step, std::int64_t{0}, limit) >> 16);
  };
  const int i = whole(table[0]);
  const int j = whole(table[kBlock - 1]);
  const __m512i low = low_halves();
  const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(1));
  return {_mm512_permutex2var_epi16(a, high, b), _mm512_permutex2var_epi16(a, low, b),
          std::min(i, j), std::max(i, j)};
}

// Pixels left and right of each column's position.
struct Pixels {
  __m512i left, right;
};

template <int kChannels>
I2CNN_AVX512 inline void fetch(const RowInput& k, const Positions& x, const Positions& y,
                               Pixels* found) {
  const __m512i at = _mm512_sub_epi16(x.whole, _mm512_set1_epi16(static_cast<short>(x.low)));
  for (int c = 0; c < kChannels; ++c) found[c] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (int row = y.low; row <= y.high; ++row) {
    const __mmask32 here =
        _mm512_cmpeq_epi16_mask(y.whole, _mm512_set1_epi16(static_cast<short>(row)));
    const std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(row) * k.stride + x.low;
    if (x.high - x.low < kBlock) {
      for (int c = 0; c < kChannels; ++c) {
        const std::uint16_t* p = k.planes[c] + offset;
        found[c].left =
            _mm512_mask_permutexvar_epi16(found[c].left, here, at, _mm512_loadu_si512(p));
        found[c].right =
            _mm512_mask_permutexvar_epi16(found[c].right, here, at, _mm512_loadu_si512(p + 1));
      }
      continue;
    }
    for (int first = 0; first <= x.high - x.low; first += 64) {
      // From bit 6 on, `at` tells which pair of vectors has the pixel.
      const __mmask32 mask = _mm512_mask_cmpeq_epi16_mask(
          here, _mm512_srli_epi16(at, 6), _mm512_set1_epi16(static_cast<short>(first / 64)));
      for (int c = 0; c < kChannels; ++c) {
        const std::uint16_t* p = k.planes[c] + offset + first;
        const __m512i left =
            _mm512_permutex2var_epi16(_mm512_loadu_si512(p), at, _mm512_loadu_si512(p + 32));
        const __m512i right =
            _mm512_permutex2var_epi16(_mm512_loadu_si512(p + 1), at, _mm512_loadu_si512(p + 33));
        found[c].left = _mm512_mask_mov_epi16(found[c].left, mask, left);
        found[c].right = _mm512_mask_mov_epi16(found[c].right, mask, right);
      }
    }
  }
}

I2CNN_AVX512 inline __m512i blend(const Pixels& pixels, __m512i vertical, __m512i wx) {
  const __m512i left = _mm512_maddubs_epi16(vertical, pixels.left);
  const __m512i right = _mm512_maddubs_epi16(vertical, pixels.right);
  return _mm512_add_epi16(_mm512_mulhrs_epi16(left, _mm512_sub_epi16(_mm512_set1_epi16(32767), wx)),
                          _mm512_mulhrs_epi16(right, wx));
}

// Bytes 255 - w, w from fractions, w = 0 .. 255.
I2CNN_AVX512 inline __m512i vertical_weights(__m512i fraction) {
  const __m512i w =
      _mm512_srli_epi16(_mm512_add_epi16(_mm512_sub_epi16(fraction, _mm512_srli_epi16(fraction, 8)),
                                         _mm512_set1_epi16(128)),
                        8);
  return _mm512_add_epi16(_mm512_sub_epi16(_mm512_slli_epi16(w, 8), w), _mm512_set1_epi16(255));
}

template <int kChannels>
I2CNN_AVX512 void row(const RowInput& k, const Start* starts, int count, std::uint8_t* const* out) {
  const __m512i share = _mm512_set1_epi16(static_cast<short>((32768 + count / 2) / count));
  for (int j = 0; j < k.columns; j += kBlock) {
    __m512i sums[kChannels];
    for (__m512i& sum : sums) sum = _mm512_setzero_si512();
    for (int s = 0; s < count; ++s) {
      const Positions x = positions(k.x32 + j, starts[s].x, k.right);
      const Positions y = positions(k.y32 + j, starts[s].y, k.bottom);
      const __m512i vertical = vertical_weights(y.fraction);
      const __m512i wx = _mm512_srli_epi16(x.fraction, 1);
      Pixels pixels[kChannels];
      fetch<kChannels>(k, x, y, pixels);
      for (int c = 0; c < kChannels; ++c) {
        __m512i value = blend(pixels[c], vertical, wx);
        if (count > 1) value = _mm512_mulhrs_epi16(value, share);
        sums[c] = _mm512_add_epi16(sums[c], value);
      }
    }
    for (int c = 0; c < kChannels; ++c) {
      // value / 255 as a product, exact for 16 bits.
      const __m512i words = _mm512_add_epi16(sums[c], _mm512_set1_epi16(32767));
      const __m512i gray = _mm512_srli_epi16(
          _mm512_mulhi_epu16(words, _mm512_set1_epi16(static_cast<short>(0x8081))), 7);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[c] + j), _mm512_cvtepi16_epi8(gray));
    }
  }
}

}  // namespace

I2CNN_AVX512 void row_avx512(const RowInput& k, const Start* starts, int count,
                             std::uint8_t* const* out) {
  if (k.channels == 1) {
    row<1>(k, starts, count, out);
  } else {
    row<3>(k, starts, count, out);
  }
}

}  // namespace i2cnn

#endif
