#include <libdeflate.h>

#include <cstring>

#include "encoding/encoders.hpp"
#include "encoding/huffman.hpp"
#include "encoding/literals.hpp"

namespace i2cnn {

namespace {

void put_u32(std::uint32_t value, Bytes& out) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Begins a chunk and returns the offset of its type.
std::size_t begin_chunk(const char* type, Bytes& out) {
  put_u32(0, out);
  out.insert(out.end(), type, type + 4);
  return out.size() - 4;
}

// Fills in the length of a chunk and appends its checksum.
void end_chunk(std::size_t start, Bytes& out) {
  const auto bytes = static_cast<std::uint32_t>(out.size() - start - 4);
  for (std::size_t i = 0; i < 4; ++i) {
    out[start - 4 + i] = static_cast<std::uint8_t>(bytes >> (24 - 8 * i));
  }
  put_u32(libdeflate_crc32(0, out.data() + start, out.size() - start), out);
}

// Filter type at the start of each row: 2, Up, the difference to the row above.
constexpr std::uint8_t kFilter = 2;

std::array<std::uint32_t, kSymbols> count_symbols(const Bytes& data, std::size_t rows) {
  // Four tables, so that equal neighbours do not wait for each other.
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
  counts[kFilter] += static_cast<std::uint32_t>(rows);
  counts[256] = 1;
  return counts;
}

// Applies the filter Up, which suits smooth faces and is quick to undo. The row above the first
// counts as zero.
void subtract_rows(const std::uint8_t* plane, std::size_t size, std::uint8_t* out) {
  std::memcpy(out, plane, size);
  for (std::size_t i = size; i < size * size; ++i) {
    out[i] = static_cast<std::uint8_t>(plane[i] - plane[i - size]);
  }
}

// A zlib stream of one dynamic block of literals (RFC 1950, RFC 1951).
std::uint8_t* deflate(const Bytes& data, const HuffmanCode& code, std::uint8_t* out) {
  BitWriter bits(out);
  bits.put(0x0178, 16);     // deflate, window of 32 KB, fastest
  bits.put(1 | 2 << 1, 3);  // last block, dynamic codes
  bits.put(0, 5);           // 257 literal codes
  bits.put(0, 5);           // 1 distance code, unused
  bits.put(15, 4);          // 19 lengths of the code for lengths:
  // 16, 17, 18 (repetitions) do not occur; 0 to 15 have four bits each.
  for (int i = 0; i < 19; ++i) bits.put(i < 3 ? 0 : 4, 3);
  const auto put_length = [&bits](unsigned length) {
    unsigned reversed = 0;
    for (unsigned b = 0; b < 4; ++b) reversed |= ((length >> b) & 1U) << (3 - b);
    bits.put(reversed, 4);
  };
  for (const Code& literal : code) put_length(literal.length);
  put_length(1);
  put_literals(data.data(), data.size(), code, bits);
  bits.put(code[256].bits, code[256].length);
  out = bits.finish();
  const std::uint32_t sum = libdeflate_adler32(1, data.data(), data.size());
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<std::uint8_t>(sum >> shift);
  return out;
}

}  // namespace

void PngEncoder::load(const std::uint8_t* planes, int channels, int size) {
  channels_ = static_cast<std::size_t>(channels);
  size_ = static_cast<std::size_t>(size);
  differences_.resize(channels_ * size_ * size_);
  for (std::size_t c = 0; c < channels_; ++c) {
    const std::size_t plane = c * size_ * size_;
    subtract_rows(planes + plane, size_, differences_.data() + plane);
  }
  code_ = huffman_code(count_symbols(differences_, size_));
}

// Rows as PNG stores them: each begins with its filter type.
void PngEncoder::make_rows(bool mirrored) {
  const std::size_t width = size_ * channels_;
  rows_.resize((width + 1) * size_);
  for (std::size_t i = 0; i < size_; ++i) {
    std::uint8_t* row = rows_.data() + i * (width + 1);
    *row++ = kFilter;
    // Planes are gray or B, G, R; PNG stores R, G, B.
    const std::uint8_t* lines[3] = {};
    for (std::size_t c = 0; c < channels_; ++c) {
      lines[channels_ - 1 - c] = differences_.data() + (c * size_ + i) * size_;
    }
    pixels_.put_row(lines, channels_, size_, mirrored, row);
  }
}

void PngEncoder::append(bool mirrored, Bytes& out) {
  make_rows(mirrored);
  static constexpr std::uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  out.insert(out.end(), std::begin(kSignature), std::end(kSignature));
  std::size_t chunk = begin_chunk("IHDR", out);
  put_u32(static_cast<std::uint32_t>(size_), out);
  put_u32(static_cast<std::uint32_t>(size_), out);
  out.push_back(8);                       // bits per sample
  out.push_back(channels_ == 1 ? 0 : 2);  // gray or RGB
  out.insert(out.end(), 3, 0);            // deflate, adaptive filters, not interlaced
  end_chunk(chunk, out);
  chunk = begin_chunk("IDAT", out);
  // Enough for codes of the greatest length, the header and the checksum.
  stream_.resize(rows_.size() * kMaxCodeLength / 8 + 512);
  const std::uint8_t* end = deflate(rows_, code_, stream_.data());
  out.insert(out.end(), static_cast<const std::uint8_t*>(stream_.data()), end);
  end_chunk(chunk, out);
  end_chunk(begin_chunk("IEND", out), out);
}

}  // namespace i2cnn
