// Huffman codes for deflate streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace i2cnn {

// 256 literals and the end of the block.
constexpr std::size_t kSymbols = 257;
// Four codes and the bits of an unfinished byte fit 64 bits.
constexpr int kLongestCode = 12;

struct Code {
  std::uint16_t bits;    // reversed, as deflate wants them
  std::uint16_t length;  // 0: the symbol does not occur
};

using HuffmanCode = std::array<Code, kSymbols>;

// Prefix code of these counts, optimal but that codes longer than kLongestCode are cut and others
// made longer for it.
HuffmanCode huffman_code(const std::array<std::uint32_t, kSymbols>& counts);

}  // namespace i2cnn
