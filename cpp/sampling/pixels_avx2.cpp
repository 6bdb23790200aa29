// Mirroring and interleaving by AVX2's byte shuffles.
#include "sampling/pixels.hpp"

#ifdef I2CNN_X86

#include <immintrin.h>

namespace i2cnn {

I2CNN_AVX2 void mirror_row_avx2(const std::uint8_t* in, std::size_t size, std::uint8_t* out) {
  const __m256i reversal = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  std::size_t j = 0;
  for (; j + 32 <= size; j += 32) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + size - 32 - j));
    const __m256i halves = _mm256_shuffle_epi8(v, reversal);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + j),
                        _mm256_permute2x128_si256(halves, halves, 1));
  }
  for (; j < size; ++j) out[j] = in[size - 1 - j];
}

namespace {

// Source of each byte of 16 interleaved pixels: byte i of vector v is pixel (16 v + i) / 3 of plane
// (16 v + i) % 3.
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

I2CNN_AVX2 void interleave_avx2(const std::uint8_t* const* planes, std::size_t count,
                                std::uint8_t* out) {
  __m256i order[3][3];
  for (int v = 0; v < 3; ++v) {
    for (int c = 0; c < 3; ++c) {
      order[v][c] = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(kOrder.bytes[v][c])));
    }
  }
  const auto store = [&out](int vector, __m256i bytes) I2CNN_AVX2 {
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

}  // namespace i2cnn

#endif
