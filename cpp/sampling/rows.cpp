#include "sampling/rows.hpp"

#include <algorithm>

namespace i2cnn {

namespace {

std::int32_t rounded_product(std::int32_t a, std::int32_t b) { return (a * b + 0x4000) >> 15; }

// Weight 0 .. 255 of a fraction 0 .. 65535, rounded.
std::int32_t weight_255(std::int32_t fraction) { return (fraction - (fraction >> 8) + 128) >> 8; }

std::int32_t sample(const std::uint16_t* plane, int stride, std::int64_t x, std::int64_t y) {
  const std::uint16_t* p = plane + (y >> 16) * stride + (x >> 16);
  const std::int32_t wy = weight_255(static_cast<std::int32_t>(y & 0xffff));
  const std::int32_t wx = static_cast<std::int32_t>(x & 0xffff) >> 1;
  const auto column = [wy](std::uint16_t pair) {
    return (255 - wy) * static_cast<std::int8_t>(pair) + wy * static_cast<std::int8_t>(pair >> 8);
  };
  const std::int32_t left = column(p[0]);
  const std::int32_t right = column(p[1]);
  return rounded_product(left, 32767 - wx) + rounded_product(right, wx);
}

// 32640 = 128 * 255 makes the value positive; 127 more round it.
std::uint8_t to_gray(std::int64_t value) {
  return static_cast<std::uint8_t>((value + 32767) / 255);
}

}  // namespace

void row_plain(const RowInput& k, const Start* starts, int count, std::uint8_t* const* out) {
  const std::int32_t share = (32768 + count / 2) / count;
  for (int c = 0; c < k.channels; ++c) {
    for (int j = 0; j < k.columns; ++j) {
      std::int64_t sum = 0;
      for (int s = 0; s < count; ++s) {
        const std::int64_t x = std::clamp(starts[s].x + k.x[j], std::int64_t{0}, k.right);
        const std::int64_t y = std::clamp(starts[s].y + k.y[j], std::int64_t{0}, k.bottom);
        const std::int32_t value = sample(k.planes[c], k.stride, x, y);
        sum += count == 1 || count > kMaxNarrowSamples ? value : rounded_product(value, share);
      }
      if (count > kMaxNarrowSamples)
        sum = (2 * (sum + 32640 * count) + count) / (2 * count) - 32640;
      out[c][j] = to_gray(sum);
    }
  }
}

}  // namespace i2cnn
