// The AVX2 inner loops of the sampling.
#include "sampling/rows.hpp"
#include "sampling/window.hpp"

#ifdef I2CNN_X86

#include <immintrin.h>

namespace i2cnn {

namespace {

// Columns in half a vector and in a whole one.
constexpr int kHalf = 8;
constexpr int kWhole = 16;
// fetch() reads half a vector and a word from the last multiple of 8 columns that a half reaches.
constexpr int kSpan = static_cast<int>(kMaxShuffleStepX) * (kHalf - 1) + 1;
static_assert(kSpan / kHalf * kHalf + kHalf + 1 <= static_cast<int>(Window::kSlack));
// It reads down to the last row of either half, in both halves.
static_assert(static_cast<int>(kMaxStepY*(kHalf - 1)) + 1 <= static_cast<int>(Window::kSpareRows));

I2CNN_AVX2 inline __m256i load(const void* words) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(words));
}

I2CNN_AVX2 inline __m256i load_halves(const void* lower, const void* upper) {
  return _mm256_inserti128_si256(
      _mm256_castsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(lower))),
      _mm_loadu_si128(static_cast<const __m128i*>(upper)), 1);
}

// Positions of 16 columns, as 16-bit integer parts and fractions.
struct Positions {
  __m256i whole, fraction;
};

I2CNN_AVX2 inline Positions positions(const std::uint16_t* whole, const std::uint16_t* fraction,
                                      std::int64_t start, std::int64_t limit) {
  const __m256i first = _mm256_set1_epi16(static_cast<short>(start & 0xffff));
  const __m256i sum = _mm256_add_epi16(load(fraction), first);
  // -1 where there is no carry.
  const __m256i fits = _mm256_cmpeq_epi16(_mm256_min_epu16(sum, first), first);
  const __m256i carried = _mm256_set1_epi16(static_cast<short>((start >> 16) + 1));
  const __m256i unclamped = _mm256_add_epi16(_mm256_add_epi16(load(whole), carried), fits);
  // Outside, the border of the window repeats. The largest position has no fraction either.
  const __m256i most = _mm256_set1_epi16(static_cast<short>(limit >> 16));
  const __m256i zero = _mm256_setzero_si256();
  const __m256i clamped = _mm256_min_epi16(_mm256_max_epi16(unclamped, zero), most);
  const __m256i beyond =
      _mm256_or_si256(_mm256_cmpgt_epi16(zero, unclamped), _mm256_cmpeq_epi16(clamped, most));
  return {clamped, _mm256_andnot_si256(beyond, sum)};
}

// Pixels left and right of each column's position.
struct Pixels {
  __m256i left, right;
};

// Copies word `kFirst` of each half to all words of that half.
template <int kFirst>
I2CNN_AVX2 inline __m256i spread(__m256i words) {
  return _mm256_shuffle_epi8(words,
                             _mm256_set1_epi16(static_cast<short>(0x0101 * 2 * kFirst + 0x0100)));
}

// Whether any word is not negative.
I2CNN_AVX2 inline bool any_natural(__m256i words) {
  return (~_mm256_movemask_epi8(words) & 0xaaaaaaaa) != 0;
}

// Neighbouring columns read neighbouring pixels, so each half gets its pixels by shuffling the
// bytes of a few vectors, which costs less than the gather's one load per pixel.
template <int kChannels>
I2CNN_AVX2 inline void fetch(const RowInput& k, __m256i x, __m256i y, Pixels* found) {
  // Positions change monotonically, so the least is at one end.
  const __m256i least = _mm256_min_epi16(spread<0>(x), spread<kHalf - 1>(x));
  const __m256i top = _mm256_min_epi16(spread<0>(y), spread<kHalf - 1>(y));
  const __m256i across = _mm256_sub_epi16(x, least);
  const __m256i down = _mm256_sub_epi16(y, top);
  const std::ptrdiff_t stride = k.stride;
  const std::ptrdiff_t at_lower =
      _mm256_extract_epi16(top, 0) * stride + _mm256_extract_epi16(least, 0);
  const std::ptrdiff_t at_upper =
      _mm256_extract_epi16(top, kHalf) * stride + _mm256_extract_epi16(least, kHalf);
  for (int c = 0; c < kChannels; ++c) found[c] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (int first = 0;; first += kHalf) {
    // Indices of both bytes of a word. Outside 0 .. 15, saturation sets the highest bit, for which
    // the shuffle gives 0.
    const __m256i word = _mm256_sub_epi16(across, _mm256_set1_epi16(static_cast<short>(first)));
    const __m256i bytes =
        _mm256_adds_epu8(_mm256_add_epi16(_mm256_mullo_epi16(word, _mm256_set1_epi16(0x0202)),
                                          _mm256_set1_epi16(0x0100)),
                         _mm256_set1_epi8(0x70));
    std::ptrdiff_t a = at_lower + first;
    std::ptrdiff_t b = at_upper + first;
    __m256i rows = down;  // still to go per column; 0 at the row that a column reads
    for (;; a += stride, b += stride) {
      const __m256i zero = _mm256_setzero_si256();
      const __m256i here = _mm256_cmpeq_epi16(rows, zero);
      for (int c = 0; c < kChannels; ++c) {
        const std::uint16_t* p = k.planes[c];
        const __m256i l = _mm256_shuffle_epi8(load_halves(p + a, p + b), bytes);
        const __m256i r = _mm256_shuffle_epi8(load_halves(p + a + 1, p + b + 1), bytes);
        found[c].left = _mm256_or_si256(found[c].left, _mm256_and_si256(l, here));
        found[c].right = _mm256_or_si256(found[c].right, _mm256_and_si256(r, here));
      }
      rows = _mm256_sub_epi16(rows, _mm256_set1_epi16(1));
      if (!any_natural(rows)) break;
    }
    if (!any_natural(_mm256_sub_epi16(word, _mm256_set1_epi16(kHalf)))) break;
  }
}

I2CNN_AVX2 inline __m256i blend(const Pixels& pixels, __m256i vertical, __m256i wx) {
  const __m256i left = _mm256_maddubs_epi16(vertical, pixels.left);
  const __m256i right = _mm256_maddubs_epi16(vertical, pixels.right);
  return _mm256_add_epi16(_mm256_mulhrs_epi16(left, _mm256_sub_epi16(_mm256_set1_epi16(32767), wx)),
                          _mm256_mulhrs_epi16(right, wx));
}

// Bytes 255 - w, w from fractions, w = 0 .. 255.
I2CNN_AVX2 inline __m256i vertical_weights(__m256i fraction) {
  const __m256i w =
      _mm256_srli_epi16(_mm256_add_epi16(_mm256_sub_epi16(fraction, _mm256_srli_epi16(fraction, 8)),
                                         _mm256_set1_epi16(128)),
                        8);
  return _mm256_add_epi16(_mm256_sub_epi16(_mm256_slli_epi16(w, 8), w), _mm256_set1_epi16(255));
}

template <int kChannels>
I2CNN_AVX2 void shuffle_row(const RowInput& k, const Start* starts, int count,
                            std::uint8_t* const* out) {
  const __m256i share = _mm256_set1_epi16(static_cast<short>((32768 + count / 2) / count));
  for (int j = 0; j < k.columns; j += kWhole) {
    __m256i sums[kChannels];
    for (__m256i& sum : sums) sum = _mm256_setzero_si256();
    for (int s = 0; s < count; ++s) {
      const Positions x = positions(k.x_whole + j, k.x_fraction + j, starts[s].x, k.right);
      const Positions y = positions(k.y_whole + j, k.y_fraction + j, starts[s].y, k.bottom);
      const __m256i vertical = vertical_weights(y.fraction);
      const __m256i wx = _mm256_srli_epi16(x.fraction, 1);
      Pixels pixels[kChannels];
      fetch<kChannels>(k, x.whole, y.whole, pixels);
      for (int c = 0; c < kChannels; ++c) {
        __m256i value = blend(pixels[c], vertical, wx);
        if (count > 1) value = _mm256_mulhrs_epi16(value, share);
        sums[c] = _mm256_add_epi16(sums[c], value);
      }
    }
    for (int c = 0; c < kChannels; ++c) {
      // value / 255 as a product, exact for 16 bits.
      const __m256i words = _mm256_add_epi16(sums[c], _mm256_set1_epi16(32767));
      const __m256i gray = _mm256_srli_epi16(
          _mm256_mulhi_epu16(words, _mm256_set1_epi16(static_cast<short>(0x8081))), 7);
      const __m128i packed =
          _mm_packus_epi16(_mm256_castsi256_si128(gray), _mm256_extracti128_si256(gray, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out[c] + j), packed);
    }
  }
}

}  // namespace

void shuffle_row_avx2(const RowInput& k, const Start* starts, int count, std::uint8_t* const* out) {
  if (k.channels == 1) {
    shuffle_row<1>(k, starts, count, out);
  } else {
    shuffle_row<3>(k, starts, count, out);
  }
}

I2CNN_AVX2 void gather_row_avx2(const RowInput& k, const Start* starts, int count,
                                std::uint8_t* const* out) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i right = _mm256_set1_epi32(static_cast<int>(k.right));
  const __m256i bottom = _mm256_set1_epi32(static_cast<int>(k.bottom));
  const __m256i stride = _mm256_set1_epi32(k.stride);
  const __m256i fraction = _mm256_set1_epi32(0xffff);
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i share = _mm256_set1_epi32((32768 + count / 2) / count);
  for (int j = 0; j < k.columns; j += 8) {
    const __m256i columns_x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(k.x32 + j));
    const __m256i columns_y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(k.y32 + j));
    __m256i sums[3] = {zero, zero, zero};
    for (int s = 0; s < count; ++s) {
      __m256i x = _mm256_add_epi32(columns_x, _mm256_set1_epi32(static_cast<int>(starts[s].x)));
      __m256i y = _mm256_add_epi32(columns_y, _mm256_set1_epi32(static_cast<int>(starts[s].y)));
      x = _mm256_min_epi32(_mm256_max_epi32(x, zero), right);
      y = _mm256_min_epi32(_mm256_max_epi32(y, zero), bottom);
      const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_srli_epi32(y, 16), stride),
                                          _mm256_srli_epi32(x, 16));
      const __m256i fy = _mm256_and_si256(y, fraction);
      const __m256i wy = _mm256_srli_epi32(
          _mm256_add_epi32(_mm256_sub_epi32(fy, _mm256_srli_epi32(fy, 8)), _mm256_set1_epi32(128)),
          8);
      // Bytes 255 - wy, wy twice; words 32767 - wx, wx.
      const __m256i vertical = _mm256_add_epi32(
          _mm256_mullo_epi32(wy, _mm256_set1_epi32(0x00ff00ff)), _mm256_set1_epi32(0x00ff00ff));
      const __m256i wx = _mm256_srli_epi32(_mm256_and_si256(x, fraction), 1);
      const __m256i horizontal = _mm256_add_epi32(_mm256_sub_epi32(_mm256_slli_epi32(wx, 16), wx),
                                                  _mm256_set1_epi32(32767));
      for (int c = 0; c < k.channels; ++c) {
        const __m256i pixels =
            _mm256_i32gather_epi32(reinterpret_cast<const int*>(k.planes[c]), at, 2);
        __m256i value = _mm256_mulhrs_epi16(_mm256_maddubs_epi16(vertical, pixels), horizontal);
        value = _mm256_madd_epi16(value, ones);
        if (count > 1) {
          value = _mm256_srai_epi32(
              _mm256_add_epi32(_mm256_mullo_epi32(value, share), _mm256_set1_epi32(0x4000)), 15);
        }
        sums[c] = _mm256_add_epi32(sums[c], value);
      }
    }
    for (int c = 0; c < k.channels; ++c) {
      // value / 255 as a product, exact for 16 bits.
      const __m256i gray =
          _mm256_srli_epi32(_mm256_mullo_epi32(_mm256_add_epi32(sums[c], _mm256_set1_epi32(32767)),
                                               _mm256_set1_epi32(0x8081)),
                            23);
      const __m128i words =
          _mm_packus_epi32(_mm256_castsi256_si128(gray), _mm256_extracti128_si256(gray, 1));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out[c] + j), _mm_packus_epi16(words, words));
    }
  }
}

}  // namespace i2cnn

#endif
