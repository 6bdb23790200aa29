// Huffman codes for deflate streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace i2cnn {

// 256 literals and the end-of-block symbol.
constexpr std::size_t kSymbols = 257;
// Four codes of this length and the bits of an unfinished byte fit 64 bits.
constexpr int kMaxCodeLength = 12;

struct Code {
  std::uint16_t bits;    // in reverse order, as deflate stores them
  std::uint16_t length;  // 0: the symbol does not occur
};

using HuffmanCode = std::array<Code, kSymbols>;

// Prefix code for symbols with these counts: Huffman's, except where kMaxCodeLength limits the
// lengths.
HuffmanCode huffman_code(const std::array<std::uint32_t, kSymbols>& counts);

}  // namespace i2cnn
