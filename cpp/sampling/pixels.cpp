#include "sampling/pixels.hpp"

#include <algorithm>
#include <cstring>

#include "util/simd.hpp"

namespace i2cnn {

void mirror_row(const std::uint8_t* in, std::size_t size, std::uint8_t* out) {
#ifdef I2CNN_X86
  if (simd() != Simd::kPlain) {
    mirror_row_avx2(in, size, out);
    return;
  }
#endif
  std::reverse_copy(in, in + size, out);
}

void interleave(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* out) {
#ifdef I2CNN_X86
  if (simd() != Simd::kPlain) {
    interleave_avx2(planes, count, out);
    return;
  }
#endif
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) out[3 * i + c] = planes[c][i];
  }
}

void PixelRows::put_row(const std::uint8_t* const* lines, std::size_t channels, std::size_t size,
                        bool mirrored, std::uint8_t* out) {
  if (channels == 1 && mirrored) {
    mirror_row(lines[0], size, out);
    return;
  }
  if (channels == 1) {
    std::memcpy(out, lines[0], size);
    return;
  }
  if (!mirrored) {
    interleave(lines, size, out);
    return;
  }
  mirrored_.resize(3 * size);
  const std::uint8_t* mirrored_lines[3];
  for (std::size_t c = 0; c < 3; ++c) {
    std::uint8_t* const line = mirrored_.data() + c * size;
    mirror_row(lines[c], size, line);
    mirrored_lines[c] = line;
  }
  interleave(mirrored_lines, size, out);
}

void PixelRows::put_patch(const std::uint8_t* planes, std::size_t channels, std::size_t size,
                          bool mirrored, std::uint8_t* out) {
  for (std::size_t i = 0; i < size; ++i, out += channels * size) {
    const std::uint8_t* lines[3] = {};
    for (std::size_t c = 0; c < channels; ++c) lines[c] = planes + (c * size + i) * size;
    put_row(lines, channels, size, mirrored, out);
  }
}

}  // namespace i2cnn
