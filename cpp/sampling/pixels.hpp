// Rearranges the planes of a patch: mirrors them and interleaves the channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "util/simd.hpp"

namespace i2cnn {

// Left-right mirror of one row.
void mirror_row(const std::uint8_t* in, std::size_t size, std::uint8_t* out);

// Interleaves the first `count` values of three planes.
void interleave(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* out);

// Writes rows of gray or three-channel pixels, mirrored on request. Reuses its buffer.
class PixelRows {
 public:
  // `lines` points to the row of each channel, in the order of the values of a pixel.
  void put_row(const std::uint8_t* const* lines, std::size_t channels, std::size_t size,
               bool mirrored, std::uint8_t* out);

  // All rows of a patch (channels x size x size); the channels keep their order.
  void put_patch(const std::uint8_t* planes, std::size_t channels, std::size_t size, bool mirrored,
                 std::uint8_t* out);

 private:
  std::vector<std::uint8_t> mirrored_;
};

#ifdef I2CNN_X86
void mirror_row_avx2(const std::uint8_t* in, std::size_t size, std::uint8_t* out);
void interleave_avx2(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* out);
#endif

}  // namespace i2cnn
