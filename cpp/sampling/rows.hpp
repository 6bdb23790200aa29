// Inner loops of the sampling, one per instruction set; all give the same bits.
//
// Positions are in 1/65536 pixel. With u, v the position's fractions and the pixels p around it:
//   left  = (255 - wy) * (p00 - 128) + wy * (p10 - 128)     wy = v in 1/255, fits 16 bits signed
//   right = the same with p01, p11
//   value = left * (32767 - wx) / 32768 + right * wx / 32768   wx = u in 1/32768, each rounded
// so a sample is off by at most half a gray level, and a patch's pixel is value / 255 + 128.
#pragma once

#include <cstddef>
#include <cstdint>

#include "util/simd.hpp"

namespace i2cnn {

// Columns that the widest kernel handles at once; tables are padded to a multiple of it.
constexpr int kBlock = 32;
// Up to this many samples a pixel are averaged in 16 bits, more in 64.
constexpr int kFewSamples = 16;

struct Start {
  std::int64_t x, y;  // position of column 0
};

struct Kernel {
  const std::uint16_t* planes[3];
  int channels;
  int stride;
  std::int64_t right, bottom;  // largest positions
  const std::int64_t* x;       // position of each column less that of column 0
  const std::int64_t* y;
  const std::int32_t* x32;  // the same, where they fit
  const std::int32_t* y32;
  const std::uint16_t* x_whole;  // and their integer parts and fractions
  const std::uint16_t* x_fraction;
  const std::uint16_t* y_whole;
  const std::uint16_t* y_fraction;
  int columns;  // padded
};

// One row of a patch: the mean of the samples at `starts`, `columns` bytes for each channel.
using RowFunction = void (*)(const Kernel& kernel, const Start* starts, int count,
                             std::uint8_t* const* out);

void row_plain(const Kernel& kernel, const Start* starts, int count, std::uint8_t* const* out);
#ifdef I2CNN_X86
// All need count <= kFewSamples and positions of 30 bits.
void gather_row_avx2(const Kernel& kernel, const Start* starts, int count,
                     std::uint8_t* const* out);
// Columns may step by at most kWidestShuffle, rows by kSteepestStep.
void shuffle_row_avx2(const Kernel& kernel, const Start* starts, int count,
                      std::uint8_t* const* out);
// Columns may step by at most kWidestStep, rows by kSteepestStep.
void row_avx512(const Kernel& kernel, const Start* starts, int count, std::uint8_t* const* out);
constexpr double kWidestShuffle = 2.0;
constexpr double kWidestStep = 4.0;
constexpr double kSteepestStep = 0.3;
#endif

}  // namespace i2cnn
