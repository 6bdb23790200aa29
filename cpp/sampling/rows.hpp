// Inner loops of the sampling, one per instruction set; all give the same bits.
//
// Positions are in 1/65536 pixel. With the fractions u, v of a position and the pixels p around it,
//   left  = (255 - wy) * (p00 - 128) + wy * (p10 - 128)     wy = v in 1/255, fits 16 bits signed
//   right = the same with p01, p11
//   value = left * (32767 - wx) / 32768 + right * wx / 32768   wx = u in 1/32768, each rounded
// so a sample is off by at most half a gray level. A pixel of the patch is value / 255 + 128.
#pragma once

#include <cstddef>
#include <cstdint>

#include "util/simd.hpp"

namespace i2cnn {

// Columns that the widest loop handles at once; tables are padded to a multiple of it.
constexpr int kBlock = 32;
// Up to this many samples per pixel are averaged in 16 bits, more in 64.
constexpr int kMaxNarrowSamples = 16;

// Where a row of samples begins.
struct Start {
  std::int64_t x, y;  // position of column 0
};

// A window and the positions of a patch's columns.
struct RowInput {
  const std::uint16_t* planes[3];
  int channels;
  int stride;
  std::int64_t right, bottom;  // largest positions
  const std::int64_t* x;       // position of each column minus that of column 0
  const std::int64_t* y;
  const std::int32_t* x32;  // the same, if they fit
  const std::int32_t* y32;
  const std::uint16_t* x_whole;  // their integer parts and fractions
  const std::uint16_t* x_fraction;
  const std::uint16_t* y_whole;
  const std::uint16_t* y_fraction;
  int columns;  // padded
};

// Writes one row of a patch: the means of the `count` rows of samples that begin at `starts`;
// `columns` bytes per channel.
using RowFunction = void (*)(const RowInput& input, const Start* starts, int count,
                             std::uint8_t* const* out);

void row_plain(const RowInput& input, const Start* starts, int count, std::uint8_t* const* out);
#ifdef I2CNN_X86
// The vector loops need count <= kMaxNarrowSamples and positions of 30 bits.
void gather_row_avx2(const RowInput& input, const Start* starts, int count,
                     std::uint8_t* const* out);
// From column to column, x may change by at most kMaxShuffleStepX and y by kMaxStepY, in pixels.
void shuffle_row_avx2(const RowInput& input, const Start* starts, int count,
                      std::uint8_t* const* out);
// From column to column, x may change by at most kMaxStepX and y by kMaxStepY, in pixels.
void row_avx512(const RowInput& input, const Start* starts, int count, std::uint8_t* const* out);
constexpr double kMaxShuffleStepX = 2.0;
constexpr double kMaxStepX = 4.0;
constexpr double kMaxStepY = 0.3;
#endif

}  // namespace i2cnn
