#include <libdeflate.h>

#include <cstring>

#include "bytes.hpp"
#include "encode.hpp"
#include "huffman.hpp"
#include "simd.hpp"

namespace i2cnn {

namespace {

void put_u32(std::uint32_t value, Bytes& out) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Begins a chunk; returns where its type starts.
std::size_t begin_chunk(const char* type, Bytes& out) {
  put_u32(0, out);
  out.insert(out.end(), type, type + 4);
  return out.size() - 4;
}

// Fills in the chunk's length and appends its checksum.
void end_chunk(std::size_t start, Bytes& out) {
  const auto bytes = static_cast<std::uint32_t>(out.size() - start - 4);
  for (std::size_t i = 0; i < 4; ++i) {
    out[start - 4 + i] = static_cast<std::uint8_t>(bytes >> (24 - 8 * i));
  }
  put_u32(libdeflate_crc32(0, out.data() + start, out.size() - start), out);
}

// Packs bits, the lowest first. Needs eight bytes of room beyond what is written.
class BitWriter {
 public:
  explicit BitWriter(std::uint8_t* out) : out_(out) {}

  // At most 56 bits.
  I2CNN_INLINE void put(std::uint64_t bits, unsigned count) {
    buffer_ |= bits << filled_;
    filled_ += count;
    store_u64(buffer_, out_);
    out_ += filled_ / 8;
    buffer_ >>= filled_ / 8 * 8;
    filled_ %= 8;
  }

  std::uint8_t* finish() {
    put(0, (8 - filled_) % 8);
    return out_;
  }

 private:
  std::uint8_t* out_;
  std::uint64_t buffer_ = 0;
  unsigned filled_ = 0;
};

std::array<std::uint32_t, kSymbols> count_symbols(const Bytes& data) {
  // Four tables, so that equal neighbours need not wait for each other.
  std::array<std::array<std::uint32_t, 256>, 4> tables{};
  std::size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    for (std::size_t t = 0; t < 4; ++t) ++tables[t][data[i + t]];
  }
  for (; i < data.size(); ++i) ++tables[0][data[i]];
  std::array<std::uint32_t, kSymbols> counts{};
  for (std::size_t s = 0; s < 256; ++s) {
    for (const auto& table : tables) counts[s] += table[s];
  }
  counts[256] = 1;
  return counts;
}

// Codes one after the other.
struct Codes {
  std::uint64_t bits;
  unsigned length;
  I2CNN_INLINE Codes operator+(const Codes& next) const {
    return {bits | next.bits << length, length + next.length};
  }
};

// Codes are joined in pairs before they meet the stream: each step of the stream has to wait for
// the last one.
I2CNN_INLINE void put_literals(const Bytes& data, const HuffmanCode& code, BitWriter& bits) {
  const auto get = [&code](std::uint8_t byte) { return Codes{code[byte].bits, code[byte].length}; };
  const auto four = [&get](const std::uint8_t* in) {
    return (get(in[0]) + get(in[1])) + (get(in[2]) + get(in[3]));
  };
  std::size_t i = 0;
  for (; i + 8 <= data.size(); i += 8) {
    const Codes low = four(data.data() + i);
    const Codes high = four(data.data() + i + 4);
    if (low.length + high.length <= 56) {
      const Codes all = low + high;
      bits.put(all.bits, all.length);
    } else {
      bits.put(low.bits, low.length);
      bits.put(high.bits, high.length);
    }
  }
  for (; i < data.size(); ++i) bits.put(get(data[i]).bits, get(data[i]).length);
}

void literals_plain(const Bytes& data, const HuffmanCode& code, BitWriter& bits) {
  put_literals(data, code, bits);
}

#ifdef I2CNN_X86
// The same with shifts by any register.
__attribute__((target("avx2,bmi2"))) void literals_bmi2(const Bytes& data, const HuffmanCode& code,
                                                        BitWriter& bits) {
  put_literals(data, code, bits);
}
#endif

// A zlib stream of one dynamic block of literals (RFC 1950, RFC 1951).
std::uint8_t* deflate(const Bytes& data, const HuffmanCode& code, std::uint8_t* out) {
  BitWriter bits(out);
  bits.put(0x0178, 16);     // deflate, window of 32 KB, fastest
  bits.put(1 | 2 << 1, 3);  // last block, dynamic codes
  bits.put(0, 5);           // 257 literal codes
  bits.put(0, 5);           // 1 distance code, which nothing uses
  bits.put(15, 4);          // 19 lengths of the code that the lengths are written in:
  // 16, 17, 18 (repetitions) do not occur; 0 to 15 have four bits each.
  for (int i = 0; i < 19; ++i) bits.put(i < 3 ? 0 : 4, 3);
  const auto put_length = [&bits](unsigned length) {
    unsigned reversed = 0;
    for (unsigned b = 0; b < 4; ++b) reversed |= ((length >> b) & 1U) << (3 - b);
    bits.put(reversed, 4);
  };
  for (const Code& literal : code) put_length(literal.length);
  put_length(1);
#ifdef I2CNN_X86
  (simd() == Simd::kPlain ? literals_plain : literals_bmi2)(data, code, bits);
#else
  literals_plain(data, code, bits);
#endif
  bits.put(code[256].bits, code[256].length);
  out = bits.finish();
  const std::uint32_t sum = libdeflate_adler32(1, data.data(), data.size());
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<std::uint8_t>(sum >> shift);
  return out;
}

}  // namespace

void PngEncoder::append(const std::uint8_t* pixels, int channels, int size, bool mirror,
                        Bytes& out) {
  const auto rows = static_cast<std::size_t>(size);
  const std::size_t width = rows * static_cast<std::size_t>(channels);
  // Filter 2, the difference to the row above, suits smooth faces and is quick to undo. The row
  // above the first counts as zero.
  filtered_.resize((width + 1) * rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::uint8_t* line = pixels + i * width;
    std::uint8_t* row = filtered_.data() + i * (width + 1);
    *row++ = 2;
    if (i == 0) {
      std::memcpy(row, line, width);
      continue;
    }
    for (std::size_t j = 0; j < width; ++j)
      row[j] = static_cast<std::uint8_t>(line[j] - (line - width)[j]);
  }
  if (!mirror) code_ = huffman_code(count_symbols(filtered_));
  static constexpr std::uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  out.insert(out.end(), std::begin(kSignature), std::end(kSignature));
  std::size_t chunk = begin_chunk("IHDR", out);
  put_u32(static_cast<std::uint32_t>(size), out);
  put_u32(static_cast<std::uint32_t>(size), out);
  out.push_back(8);                      // bits a sample
  out.push_back(channels == 1 ? 0 : 2);  // gray or RGB
  out.insert(out.end(), 3, 0);           // deflate, adaptive filters, not interlaced
  end_chunk(chunk, out);
  chunk = begin_chunk("IDAT", out);
  const std::size_t start = out.size();
  // The longest codes, the head and the checksum.
  out.resize(start + filtered_.size() * kLongestCode / 8 + 512);
  const std::uint8_t* end = deflate(filtered_, code_, out.data() + start);
  out.resize(static_cast<std::size_t>(end - out.data()));
  end_chunk(chunk, out);
  end_chunk(begin_chunk("IEND", out), out);
}

}  // namespace i2cnn
