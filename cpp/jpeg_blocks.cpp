#include "jpeg_blocks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "bytes.hpp"
#include "simd.hpp"

#ifdef I2CNN_X86
#include <emmintrin.h>
#endif

namespace i2cnn {

namespace {

constexpr std::size_t kSide = 8;
// Codes of the longest block, in words: 63 of 26 bits.
constexpr std::size_t kLongestBlock = 27;

// Eight numbers that are worked on together; without AVX the compiler takes them in parts.
using Floats = float __attribute__((vector_size(32)));
using Ints = std::int32_t __attribute__((vector_size(32)));

// basis[frequency][sample] of the DCT, and the other way round.
struct Bases {
  float basis[kSide][kSide];
  Floats transposed[kSide];
  Bases() {
    const double pi = std::acos(-1.0);
    for (std::size_t k = 0; k < kSide; ++k) {
      for (std::size_t i = 0; i < kSide; ++i) {
        const double angle = static_cast<double>((2 * i + 1) * k) * pi / 16;
        basis[k][i] = static_cast<float>(std::cos(angle) * (k == 0 ? std::sqrt(0.125) : 0.5));
        transposed[i][k] = basis[k][i];
      }
    }
  }
};

const Bases kBases;

I2CNN_INLINE void to_floats(const std::uint8_t* __restrict in, std::size_t count,
                            float* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<float>(in[i] - 128);
}

I2CNN_INLINE void load(const float* in, Floats& out) { std::memcpy(&out, in, sizeof out); }

// The DCT of a row of blocks comes in two steps. Every sum has one order and no fused steps, so
// that the result is the same with all instructions. Vertically, in place:
I2CNN_INLINE void transform_columns(std::size_t width, float* pixels) {
  for (std::size_t j = 0; j < width; j += kSide) {
    // The upper half plus, and minus, the lower half turned upside down.
    Floats halves[2][4];
    for (std::size_t i = 0; i < 4; ++i) {
      Floats upper, lower;
      load(pixels + i * width + j, upper);
      load(pixels + (7 - i) * width + j, lower);
      halves[0][i] = upper + lower;
      halves[1][i] = upper - lower;
    }
    for (std::size_t k = 0; k < kSide; ++k) {
      const Floats* h = halves[k % 2];
      const float* b = kBases.basis[k];
      const Floats sum = (h[0] * b[0] + h[1] * b[1]) + (h[2] * b[2] + h[3] * b[3]);
      std::memcpy(pixels + k * width + j, &sum, sizeof sum);
    }
  }
}

// A coefficient that is not zero, as the file has it: its bits (of -v the inverted ones of v), from
// bit 11 those that its mirror image inverts, from bit 24 how many they are.
constexpr unsigned kFlips = 11;
constexpr unsigned kSize = 24;
constexpr std::uint32_t kBits = (1U << kFlips) - 1;

// Horizontally, and quantised. Returns the DC coefficient.
I2CNN_INLINE std::int32_t transform_rows(const float* in, std::size_t width,
                                         const float* reciprocal, std::uint32_t* out) {
  const Floats* t = kBases.transposed;
  const Ints odd = {0, -1, 0, -1, 0, -1, 0, -1};  // columns whose sign the mirror image changes
  std::int32_t dc = 0;
  for (std::size_t k = 0; k < kSide; ++k) {
    const float* c = in + k * width;
    const Floats row = ((c[0] * t[0] + c[1] * t[1]) + (c[2] * t[2] + c[3] * t[3])) +
                       ((c[4] * t[4] + c[5] * t[5]) + (c[6] * t[6] + c[7] * t[7]));
    Floats steps;
    load(reciprocal + k * kSide, steps);
    // 1.5 * 2^23 leaves no bit for a fraction: adding it rounds.
    const Floats shifted = row * steps + 12582912.0F;
    const Floats rounded = shifted - 12582912.0F;
    Ints value, exponent;
    std::memcpy(&value, &shifted, sizeof value);
    std::memcpy(&exponent, &rounded, sizeof exponent);
    value -= 0x4b400000;
    const Ints found = value != 0;
    const Ints size = (((exponent >> 23) & 255) - 126) & found;
    const Ints ones = ((found & 1) << size) - (found & 1);
    const Ints word = ((value + (value >> 31)) & ones) | (ones & odd) << kFlips | size << kSize;
    std::memcpy(out + k * kSide, &word, sizeof word);
    if (k == 0) dc = value[0];
  }
  return dc;
}

// Bits in the file's order for each value of each row's eight bits.
std::array<std::array<std::uint64_t, 256>, kSide> make_orders() {
  std::array<std::array<std::uint64_t, 256>, kSide> orders{};
  for (std::size_t k = 0; k < kBlockArea; ++k) {
    for (std::size_t bits = 0; bits < 256; ++bits) {
      const std::size_t set = bits >> kZigzag[k] % kSide & 1;
      orders[kZigzag[k] / kSide][bits] |= std::uint64_t{set} << k;
    }
  }
  return orders;
}

const std::array<std::array<std::uint64_t, 256>, kSide> kOrders = make_orders();

// Bit k tells whether the k-th coefficient of the file's order is not zero.
I2CNN_INLINE std::uint64_t find_coefficients(const std::uint32_t* block) {
  std::uint64_t found = 0;
  for (std::size_t row = 0; row < kSide; row += 2) {
    unsigned zeros = 0;
#ifdef I2CNN_X86
    const auto* in = reinterpret_cast<const __m128i*>(block + row * kSide);
    const __m128i upper = _mm_packs_epi32(_mm_loadu_si128(in), _mm_loadu_si128(in + 1));
    const __m128i lower = _mm_packs_epi32(_mm_loadu_si128(in + 2), _mm_loadu_si128(in + 3));
    const __m128i none = _mm_cmpeq_epi8(_mm_packs_epi16(upper, lower), _mm_setzero_si128());
    zeros = static_cast<unsigned>(_mm_movemask_epi8(none));
#else
    for (std::size_t i = 0; i < 16; ++i) zeros |= (block[row * kSide + i] == 0 ? 1U : 0U) << i;
#endif
    found |= kOrders[row][~zeros & 255] | kOrders[row + 1][~zeros >> 8 & 255];
  }
  return found;
}

// Collects a block's codes, and which of their bits are the other way round in its mirror image:
// mirroring changes signs only, so the lengths are the same.
class BlockWriter {
 public:
  explicit BlockWriter(JpegBlocks::Word* out) : start_(out), out_(out) {}

  I2CNN_INLINE void put(std::uint32_t bits, std::uint32_t flips, unsigned count) {
    if (count < free_) {
      bits_ = bits_ << count | bits;
      flips_ = flips_ << count | flips;
      free_ -= count;
      return;
    }
    const unsigned rest = count - free_;
    *out_++ = {bits_ << free_ | bits >> rest, flips_ << free_ | flips >> rest};
    // What is above the last `rest` bits leaves the word before it is full.
    bits_ = bits;
    flips_ = flips;
    free_ = 64 - rest;
  }

  // Returns the length in bits.
  I2CNN_INLINE std::uint32_t finish() {
    if (free_ < 64) *out_ = {bits_ << free_, flips_ << free_};
    return static_cast<std::uint32_t>(64 * (out_ - start_) + 64 - free_);
  }

 private:
  JpegBlocks::Word* start_;
  JpegBlocks::Word* out_;
  std::uint64_t bits_ = 0;
  std::uint64_t flips_ = 0;
  unsigned free_ = 64;
};

I2CNN_INLINE std::uint32_t code_block(const std::uint32_t* block, const JpegTables& tables,
                                      JpegBlocks::Word* words) {
  BlockWriter out(words);
  unsigned last = 0;
  for (std::uint64_t left = find_coefficients(block) & ~std::uint64_t{1}; left != 0;
       left &= left - 1) {
    const auto k = static_cast<unsigned>(__builtin_ctzll(left));
    unsigned run = k - last - 1;
    last = k;
    for (; run > 15; run -= 16) out.put(tables.ac[0xf0].bits, 0, tables.ac[0xf0].length);
    const std::uint32_t value = block[kZigzag[k]];
    const JpegCode& code = tables.ac[run * 16 + (value >> kSize)];
    out.put(code.bits | (value & kBits), value >> kFlips & kBits, code.length);
  }
  if (last != 63) out.put(tables.ac[0].bits, 0, tables.ac[0].length);
  return out.finish();
}

I2CNN_INLINE void code_plane(const std::uint8_t* plane, std::size_t width, std::size_t height,
                             const JpegTables& tables, JpegBlocks& out) {
  std::uint32_t words = 0;
  JpegBlocks::Block* at = out.blocks.data();
  for (std::size_t i = 0; i < height; i += kSide) {
    to_floats(plane + i * width, kSide * width, out.columns.data());
    transform_columns(width, out.columns.data());
    for (std::size_t j = 0; j < width; j += kSide) {
      std::uint32_t block[kBlockArea];
      const std::int32_t dc =
          transform_rows(out.columns.data() + j, width, tables.reciprocal.data(), block);
      const std::uint32_t length = code_block(block, tables, out.words.data() + words);
      *at++ = {words, length, dc};
      words += (length + 63) / 64;
    }
  }
}

void code_plane_plain(const std::uint8_t* plane, std::size_t width, std::size_t height,
                      const JpegTables& tables, JpegBlocks& out) {
  code_plane(plane, width, height, tables, out);
}

#ifdef I2CNN_X86
__attribute__((target("avx2,bmi,bmi2,lzcnt"))) void code_plane_avx2(const std::uint8_t* plane,
                                                                    std::size_t width,
                                                                    std::size_t height,
                                                                    const JpegTables& tables,
                                                                    JpegBlocks& out) {
  code_plane(plane, width, height, tables, out);
}
#endif

// The bits of a scan, the highest first, before any byte is stuffed.
class ScanWriter {
 public:
  explicit ScanWriter(std::uint8_t* out) : out_(out) {}

  // A block's codes: that of its DC coefficient, then its words. `mirror`: all ones for the mirror
  // image, else 0. What is written beyond the last bit is written over by the next block.
  I2CNN_INLINE void put(const JpegCode& code, std::uint32_t value, const JpegBlocks::Word* words,
                        std::uint32_t length, std::uint64_t mirror) {
    const std::uint64_t dc = std::uint64_t{code.bits | value} << (64 - filled_ - code.length);
    filled_ += code.length;
    std::uint64_t last = words[0].bits ^ (words[0].flips & mirror);
    store_u64_big(open_ | dc | last >> filled_, out_);
    // Most blocks have at most three words; a loop of one to three would be guessed wrong often.
    put_next(words[1], mirror, 1, last);
    put_next(words[2], mirror, 2, last);
    for (std::uint32_t i = 3; 64 * i < length; ++i) put_next(words[i], mirror, i, last);
    put_next({0, 0}, 0, length > 192 ? (length + 63) / 64 : 3, last);
    filled_ += length;
    close();
  }

  std::uint8_t* finish() {
    if (filled_ > 0) *out_++ = static_cast<std::uint8_t>(open_ >> 56 | 0xff >> filled_);
    return out_;
  }

 private:
  I2CNN_INLINE void put_next(const JpegBlocks::Word& word, std::uint64_t mirror, std::uint32_t at,
                             std::uint64_t& last) {
    const std::uint64_t bits = word.bits ^ (word.flips & mirror);
    store_u64_big(last << 1 << (63 - filled_) | bits >> filled_, out_ + 8 * at);
    last = bits;
  }

  // Goes to the last byte and keeps the bits of it that count.
  I2CNN_INLINE void close() {
    out_ += filled_ / 8;
    filled_ %= 8;
    open_ = std::uint64_t{*out_ & ~(0xffU >> filled_)} << 56;
  }

  std::uint8_t* out_;
  std::uint64_t open_ = 0;  // bits of a byte that is not full, at the top
  unsigned filled_ = 0;     // how many they are
};

// Copies a scan with a zero byte after each that is 255.
void stuff(const std::uint8_t* in, const std::uint8_t* end, Bytes& out) {
  while (in < end) {
    const void* found = std::memchr(in, 0xff, static_cast<std::size_t>(end - in));
    if (found == nullptr) break;
    const std::uint8_t* next = static_cast<const std::uint8_t*>(found) + 1;
    out.insert(out.end(), in, next);
    out.push_back(0);
    in = next;
  }
  out.insert(out.end(), in, end);
}

I2CNN_INLINE std::uint8_t* put_scan(const JpegComponent* components, std::size_t count,
                                    bool mirrored, std::uint8_t* out) {
  ScanWriter writer(out);
  const JpegComponent& first = components[0];
  const std::size_t columns = first.blocks->across / first.sampling;
  const std::size_t rows = first.blocks->blocks.size() / first.blocks->across / first.sampling;
  const std::uint64_t mirror = mirrored ? ~std::uint64_t{0} : 0;
  std::int32_t previous[3] = {0, 0, 0};
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      for (std::size_t c = 0; c < count; ++c) {
        const JpegComponent& component = components[c];
        const JpegBlocks& blocks = *component.blocks;
        for (std::size_t i = 0; i < component.sampling * component.sampling; ++i) {
          const std::size_t x = column * component.sampling + i % component.sampling;
          const std::size_t y = row * component.sampling + i / component.sampling;
          const auto& block =
              blocks.blocks[y * blocks.across + (mirrored ? blocks.across - 1 - x : x)];
          const std::int32_t value = block.dc - std::exchange(previous[c], block.dc);
          const std::int32_t sign = value >> 31;
          const auto magnitude = static_cast<std::uint32_t>((value ^ sign) - sign);
          const unsigned size = 31 - static_cast<unsigned>(__builtin_clz(2 * magnitude + 1));
          const std::uint32_t bits = static_cast<std::uint32_t>(value + sign) & ((1U << size) - 1);
          writer.put(component.tables->dc[size], bits, blocks.words.data() + block.first,
                     block.length, mirror);
        }
      }
    }
  }
  return writer.finish();
}

std::uint8_t* put_scan_plain(const JpegComponent* components, std::size_t count, bool mirrored,
                             std::uint8_t* out) {
  return put_scan(components, count, mirrored, out);
}

#ifdef I2CNN_X86
__attribute__((target("avx2,bmi,bmi2,lzcnt"))) std::uint8_t* put_scan_avx2(
    const JpegComponent* components, std::size_t count, bool mirrored, std::uint8_t* out) {
  return put_scan(components, count, mirrored, out);
}
#endif

}  // namespace

void JpegBlocks::code(const std::uint8_t* plane, std::size_t width, std::size_t height,
                      const JpegTables& tables) {
  across = width / kSide;
  blocks.resize(across * (height / kSide));
  words.resize(blocks.size() * kLongestBlock + 2);  // three are read of each block
  columns.resize(kSide * width);
#ifdef I2CNN_X86
  const auto run = simd() == Simd::kPlain ? code_plane_plain : code_plane_avx2;
#else
  const auto run = code_plane_plain;
#endif
  run(plane, width, height, tables, *this);
}

void append_scan(const std::vector<JpegComponent>& components, bool mirrored, Bytes& scratch,
                 Bytes& out) {
  std::size_t bits = 0;
  for (const JpegComponent& component : components) {
    for (const JpegBlocks::Block& block : component.blocks->blocks) bits += block.length + 20;
  }
  scratch.resize(std::max(scratch.size(), bits / 8 + 64));
#ifdef I2CNN_X86
  const auto run = simd() == Simd::kPlain ? put_scan_plain : put_scan_avx2;
#else
  const auto run = put_scan_plain;
#endif
  stuff(scratch.data(), run(components.data(), components.size(), mirrored, scratch.data()), out);
  out.push_back(0xff);
  out.push_back(0xd9);
}

}  // namespace i2cnn
