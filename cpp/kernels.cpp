#include "kernels.hpp"

#include <algorithm>

#ifdef I2CNN_X86
#include <immintrin.h>
#endif

namespace i2cnn {

namespace {

std::int32_t rounded_product(std::int32_t a, std::int32_t b) { return (a * b + 0x4000) >> 15; }

// Row of vertical weights 0 .. 255 from a fraction 0 .. 65535, rounded.
std::int32_t weight_255(std::int32_t fraction) { return (fraction - (fraction >> 8) + 128) >> 8; }

std::int32_t sample(const std::uint16_t* plane, int stride, std::int64_t x, std::int64_t y) {
  const std::uint16_t* p = plane + (y >> 16) * stride + (x >> 16);
  const std::int32_t wy = weight_255(static_cast<std::int32_t>(y & 0xffff));
  const std::int32_t wx = static_cast<std::int32_t>(x & 0xffff) >> 1;
  const auto column = [wy](std::uint16_t pair) {
    return (255 - wy) * static_cast<std::int8_t>(pair) + wy * static_cast<std::int8_t>(pair >> 8);
  };
  const std::int32_t left = column(p[0]);
  const std::int32_t right = column(p[1]);
  return rounded_product(left, 32767 - wx) + rounded_product(right, wx);
}

// 32640 = 128 * 255 makes the value positive, 127 rounds.
std::uint8_t to_gray(std::int64_t value) {
  return static_cast<std::uint8_t>((value + 32767) / 255);
}

}  // namespace

void row_plain(const Kernel& k, const Start* starts, int count, std::uint8_t* const* out) {
  const std::int32_t share = (32768 + count / 2) / count;
  for (int c = 0; c < k.channels; ++c) {
    for (int j = 0; j < k.columns; ++j) {
      std::int64_t sum = 0;
      for (int s = 0; s < count; ++s) {
        const std::int64_t x = std::clamp(starts[s].x + k.x[j], std::int64_t{0}, k.right);
        const std::int64_t y = std::clamp(starts[s].y + k.y[j], std::int64_t{0}, k.bottom);
        const std::int32_t value = sample(k.planes[c], k.stride, x, y);
        sum += count == 1 || count > kFewSamples ? value : rounded_product(value, share);
      }
      if (count > kFewSamples) sum = (2 * (sum + 32640 * count) + count) / (2 * count) - 32640;
      out[c][j] = to_gray(sum);
    }
  }
}

#ifdef I2CNN_X86

__attribute__((target("avx2"))) void row_avx2(const Kernel& k, const Start* starts, int count,
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
      // value / 255 as a product: exact for 16 bits.
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

__attribute__((target("avx2"))) void mirror_row_avx2(const std::uint8_t* in, std::size_t size,
                                                     std::uint8_t* out) {
  const __m256i turn = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  std::size_t j = 0;
  for (; j + 32 <= size; j += 32) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + size - 32 - j));
    const __m256i halves = _mm256_shuffle_epi8(v, turn);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + j),
                        _mm256_permute2x128_si256(halves, halves, 1));
  }
  for (; j < size; ++j) out[j] = in[size - 1 - j];
}

namespace {

// Where the bytes of 16 interleaved pixels come from: byte i of vector v is pixel (16 v + i) / 3 of
// plane (16 v + i) % 3.
struct Order {
  alignas(16) std::int8_t bytes[3][3][16];
};

constexpr Order make_order() {
  Order order{};
  for (int v = 0; v < 3; ++v) {
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 16; ++i) {
        const int at = 16 * v + i;
        order.bytes[v][c][i] = static_cast<std::int8_t>(at % 3 == c ? at / 3 : -1);
      }
    }
  }
  return order;
}

constexpr Order kOrder = make_order();

}  // namespace

__attribute__((target("avx2"))) void interleave_avx2(const std::uint8_t* const* planes,
                                                     std::size_t count, std::uint8_t* out) {
  __m256i order[3][3];
  for (int v = 0; v < 3; ++v) {
    for (int c = 0; c < 3; ++c) {
      order[v][c] = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(kOrder.bytes[v][c])));
    }
  }
  const auto store = [&out](int vector, __m256i bytes) __attribute__((target("avx2"))) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out) + vector, bytes);
  };
  std::size_t i = 0;
  for (; i + 32 <= count; i += 32, out += 96) {
    __m256i in[3];
    for (std::size_t c = 0; c < 3; ++c) {
      in[c] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(planes[c] + i));
    }
    // Each half of a vector has its own 16 pixels.
    __m256i mixed[3];
    for (std::size_t v = 0; v < 3; ++v) {
      mixed[v] = _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(in[0], order[v][0]),
                                                 _mm256_shuffle_epi8(in[1], order[v][1])),
                                 _mm256_shuffle_epi8(in[2], order[v][2]));
    }
    store(0, _mm256_permute2x128_si256(mixed[0], mixed[1], 0x20));
    store(1, _mm256_permute2x128_si256(mixed[2], mixed[0], 0x30));
    store(2, _mm256_permute2x128_si256(mixed[1], mixed[2], 0x31));
  }
  for (; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) *out++ = planes[c][i];
  }
}

#endif

}  // namespace i2cnn
