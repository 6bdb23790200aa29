// Writes bytes as Huffman codes: the inner loop of the PNG encoder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "encoding/bits.hpp"
#include "encoding/huffman.hpp"
#include "util/simd.hpp"

namespace i2cnn {

// Appends the codes of `count` bytes; every instruction set gives the same bits.
void put_literals(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                  BitWriter& bits);

#ifdef I2CNN_X86
// Appends the codes of as many bytes as fill whole vectors; returns their number.
std::size_t literals_avx512(const std::uint8_t* data, std::size_t count, const HuffmanCode& code,
                            BitWriter& bits);
#endif

}  // namespace i2cnn
