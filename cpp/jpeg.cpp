#include <algorithm>
#include <array>

#include "encode.hpp"
#include "jpeg_blocks.hpp"
#include "jpeg_tables.hpp"
#include "simd.hpp"
#include "warp.hpp"

namespace i2cnn {

namespace {

// Rows of Y, Cb and Cr from those of B, G and R, as libjpeg computes them.
I2CNN_INLINE void convert(const std::uint8_t* __restrict b, const std::uint8_t* __restrict g,
                          const std::uint8_t* __restrict r, std::size_t width,
                          std::uint8_t* __restrict y, std::uint8_t* __restrict cb,
                          std::uint8_t* __restrict cr) {
  constexpr int kHalf = 1 << 15;
  constexpr int kCentre = 128 << 16;
  for (std::size_t j = 0; j < width; ++j) {
    y[j] = static_cast<std::uint8_t>((19595 * r[j] + 38470 * g[j] + 7471 * b[j] + kHalf) >> 16);
    cb[j] = static_cast<std::uint8_t>(
        (-11059 * r[j] - 21709 * g[j] + 32768 * b[j] + kCentre + kHalf - 1) >> 16);
    cr[j] = static_cast<std::uint8_t>(
        (32768 * r[j] - 27439 * g[j] - 5329 * b[j] + kCentre + kHalf - 1) >> 16);
  }
}

// Means of squares of four; the rounding alternates so that it has no drift.
I2CNN_INLINE void halve(const std::uint8_t* __restrict upper, const std::uint8_t* __restrict lower,
                        std::size_t width, std::uint8_t* __restrict out) {
  for (std::size_t j = 0; j < width / 2; ++j) {
    const unsigned sum = 1U + upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1];
    out[j] = static_cast<std::uint8_t>((sum + j % 2) >> 2);
  }
}

// A plane's rows and columns repeated up to `padded`.
void pad(const std::uint8_t* plane, std::size_t size, std::size_t padded, std::uint8_t* out) {
  for (std::size_t i = 0; i < padded; ++i, out += padded) {
    const std::uint8_t* row = plane + std::min(i, size - 1) * size;
    std::copy_n(row, size, out);
    std::fill_n(out + size, padded - size, row[size - 1]);
  }
}

// Y whole, Cb and Cr at half the size, from planes B, G, R.
I2CNN_INLINE void subsample(const std::uint8_t* planes, std::size_t size, std::uint8_t* y,
                            std::uint8_t* cb, std::uint8_t* cr, Bytes& rows) {
  rows.resize(4 * size);
  const std::size_t area = size * size;
  for (std::size_t i = 0; i < size; i += 2) {
    for (std::size_t k = 0; k < 2; ++k) {
      const std::uint8_t* b = planes + (i + k) * size;
      convert(b, b + area, b + 2 * area, size, y + (i + k) * size, rows.data() + k * size,
              rows.data() + (2 + k) * size);
    }
    halve(rows.data(), rows.data() + size, size, cb + i / 2 * (size / 2));
    halve(rows.data() + 2 * size, rows.data() + 3 * size, size, cr + i / 2 * (size / 2));
  }
}

void subsample_plain(const std::uint8_t* planes, std::size_t size, std::uint8_t* y,
                     std::uint8_t* cb, std::uint8_t* cr, Bytes& rows) {
  subsample(planes, size, y, cb, cr, rows);
}

#ifdef I2CNN_X86
__attribute__((target("avx2"))) void subsample_avx2(const std::uint8_t* planes, std::size_t size,
                                                    std::uint8_t* y, std::uint8_t* cb,
                                                    std::uint8_t* cr, Bytes& rows) {
  subsample(planes, size, y, cb, cr, rows);
}
#endif

}  // namespace

struct JpegEncoder::State {
  int quality;
  int channels = 0;  // that the set-up is for
  int size = 0;
  JpegSetup setup;
  std::array<JpegBlocks, 3> blocks;
  Bytes mirrored, padded, y, cb, cr, rows, scratch;

  void prepare(int new_channels, int new_size);
  void code(const std::uint8_t* planes);
  void write(bool mirror, Bytes& out);
};

void JpegEncoder::State::prepare(int new_channels, int new_size) {
  if (channels == new_channels && size == new_size) return;
  setup = make_jpeg_setup(new_channels, new_size, quality);
  channels = new_channels;
  size = new_size;
}

void JpegEncoder::State::code(const std::uint8_t* planes) {
  const auto whole = static_cast<std::size_t>(size);
  const std::size_t unit = channels == 1 ? 8 : 16;
  const std::size_t side = (whole + unit - 1) / unit * unit;
  if (side != whole) {
    padded.resize(side * side * static_cast<std::size_t>(channels));
    for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
      pad(planes + c * whole * whole, whole, side, padded.data() + c * side * side);
    }
    planes = padded.data();
  }
  if (channels == 1) {
    blocks[0].code(planes, side, side, setup.tables[0]);
    return;
  }
  y.resize(side * side);
  cb.resize(side * side / 4);
  cr.resize(side * side / 4);
#ifdef I2CNN_X86
  const auto convert_all = simd() == Simd::kPlain ? subsample_plain : subsample_avx2;
#else
  const auto convert_all = subsample_plain;
#endif
  convert_all(planes, side, y.data(), cb.data(), cr.data(), rows);
  blocks[0].code(y.data(), side, side, setup.tables[0]);
  blocks[1].code(cb.data(), side / 2, side / 2, setup.tables[1]);
  blocks[2].code(cr.data(), side / 2, side / 2, setup.tables[1]);
}

void JpegEncoder::State::write(bool mirror, Bytes& out) {
  out.insert(out.end(), setup.head.begin(), setup.head.end());
  std::vector<JpegComponent> components{{&blocks[0], &setup.tables[0], channels == 1 ? 1U : 2U}};
  if (channels == 3) {
    components.push_back({&blocks[1], &setup.tables[1], 1});
    components.push_back({&blocks[2], &setup.tables[1], 1});
  }
  append_scan(components, mirror, scratch, out);
}

JpegEncoder::JpegEncoder(int quality) : state_(std::make_unique<State>()) {
  state_->quality = quality;
}

JpegEncoder::~JpegEncoder() = default;

void JpegEncoder::append(const std::uint8_t* planes, int channels, int size, Copies copies,
                         Bytes& out, std::vector<std::size_t>& ends) {
  State& s = *state_;
  s.prepare(channels, size);
  // Blocks that reach over the edge are not those of the mirror image.
  const bool whole = size % (channels == 1 ? 8 : 16) == 0;
  if (copies.plain || whole) s.code(planes);
  if (copies.plain) {
    s.write(false, out);
    ends.push_back(out.size());
  }
  if (!copies.mirrored) return;
  if (!whole) {
    const auto area = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    s.mirrored.resize(area * static_cast<std::size_t>(channels));
    for (std::size_t c = 0; c < s.mirrored.size(); c += area) {
      mirror_plane(planes + c, size, s.mirrored.data() + c);
    }
    s.code(s.mirrored.data());
  }
  s.write(whole, out);
  ends.push_back(out.size());
}

}  // namespace i2cnn
