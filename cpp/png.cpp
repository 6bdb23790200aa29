#include <libdeflate.h>

#include <cstring>

#include "encode.hpp"
#include "huffman.hpp"

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

  // At most 56 bits between two flushes.
  void put(std::uint64_t bits, unsigned count) {
    buffer_ |= bits << filled_;
    filled_ += count;
  }

  void flush() {
    std::uint8_t bytes[8];
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(buffer_ >> (8 * i));
    std::memcpy(out_, bytes, 8);
    out_ += filled_ / 8;
    buffer_ >>= filled_ / 8 * 8;
    filled_ %= 8;
  }

  std::uint8_t* finish() {
    filled_ = (filled_ + 7) / 8 * 8;
    flush();
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

// A zlib stream of one dynamic block of literals (RFC 1950, RFC 1951).
std::uint8_t* deflate(const Bytes& data, std::uint8_t* out) {
  const std::array<Code, kSymbols> codes = huffman_code(count_symbols(data));
  BitWriter bits(out);
  bits.put(0x0178, 16);     // deflate, window of 32 KB, fastest
  bits.put(1 | 2 << 1, 3);  // last block, dynamic codes
  bits.put(0, 5);           // 257 literal codes
  bits.put(0, 5);           // 1 distance code, which nothing uses
  bits.put(15, 4);          // 19 lengths of the code that the lengths are written in:
  bits.flush();
  // 16, 17, 18 (repetitions) do not occur; 0 to 15 have four bits each.
  for (int i = 0; i < 19; ++i) {
    bits.put(i < 3 ? 0 : 4, 3);
    bits.flush();
  }
  const auto put_length = [&bits](unsigned length) {
    unsigned reversed = 0;
    for (unsigned b = 0; b < 4; ++b) reversed |= ((length >> b) & 1U) << (3 - b);
    bits.put(reversed, 4);
    bits.flush();
  };
  for (const Code& code : codes) put_length(code.length);
  put_length(1);
  std::array<std::uint32_t, 256> table;  // code and, above it, length
  for (std::size_t s = 0; s < 256; ++s) {
    table[s] = codes[s].bits | static_cast<std::uint32_t>(codes[s].length) << 16;
  }
  std::size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    for (std::size_t t = 0; t < 4; ++t) {
      const std::uint32_t code = table[data[i + t]];
      bits.put(code & 0xffff, code >> 16);
    }
    bits.flush();
  }
  for (; i < data.size(); ++i) {
    bits.put(codes[data[i]].bits, codes[data[i]].length);
    bits.flush();
  }
  bits.put(codes[256].bits, codes[256].length);
  out = bits.finish();
  const std::uint32_t sum = libdeflate_adler32(1, data.data(), data.size());
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<std::uint8_t>(sum >> shift);
  return out;
}

}  // namespace

void PngEncoder::append(const std::uint8_t* pixels, int channels, int size, Bytes& out) {
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
  const std::uint8_t* end = deflate(filtered_, out.data() + start);
  out.resize(static_cast<std::size_t>(end - out.data()));
  end_chunk(chunk, out);
  end_chunk(begin_chunk("IEND", out), out);
}

}  // namespace i2cnn
