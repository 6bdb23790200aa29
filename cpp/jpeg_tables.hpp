// What the parts of a JPEG file are made with: its head, its codes, its quantisation.
#pragma once

#include <array>
#include <cstdint>

#include "encode.hpp"

namespace i2cnn {

constexpr std::size_t kBlockArea = 64;

// Natural place (8 * row + column) of each coefficient in the order of a file.
constexpr std::array<std::uint8_t, kBlockArea> kZigzag = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// A code with room for the value's bits below it, and the length of both.
struct JpegCode {
  std::uint32_t bits, length;
};

// Of luminance or of chrominance.
struct JpegTables {
  std::array<JpegCode, 16> dc;               // by size of the value
  std::array<JpegCode, 256> ac;              // by run of zeros before it * 16 + size
  std::array<float, kBlockArea> reciprocal;  // of the quantisation steps
};

struct JpegSetup {
  Bytes head;  // up to the entropy-coded data
  std::array<JpegTables, 2> tables;
};

// As libjpeg sets itself up for such an image. Throws std::runtime_error.
JpegSetup make_jpeg_setup(int channels, int size, int quality);

}  // namespace i2cnn
