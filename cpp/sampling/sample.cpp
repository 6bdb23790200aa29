#include "sampling/sample.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "sampling/rows.hpp"
#include "util/simd.hpp"

namespace i2cnn {

namespace {

// More samples per pixel in one direction make no visible difference.
constexpr double kMaxSamples = 32;
// In inter-ocular distances; with the limit on landmarks, this keeps positions in range.
constexpr double kMaxBoxExtent = 1000;
constexpr int kMaxPatchSize = 4096;
// Far beyond any useful jitter; keeps positions in range.
constexpr double kMaxRotation = 10;
constexpr double kMaxZoom = 10;
constexpr double kMaxShift = 10;
constexpr double kMaxGain = 100;
constexpr double kMaxOffset = 1000;

int samples(double x_step, double y_step) {
  const double length = std::hypot(x_step, y_step);
  return static_cast<int>(std::clamp(std::ceil(length - 1e-9), 1.0, kMaxSamples));
}

// In 1/65536 pixel. llrint() compiles to one instruction, llround() does not.
std::int64_t to_fixed(double pixels) { return std::llrint(pixels * 65536); }

void check(const Box& box) {
  for (const double value : {box.cx, box.cy, box.width, box.height}) {
    if (!(std::abs(value) <= kMaxBoxExtent)) {
      throw std::invalid_argument("a box of the scheme is too far away or too large");
    }
  }
  if (box.width <= 0 || box.height <= 0) {
    throw std::invalid_argument("a box of the scheme has no size");
  }
}

Sampling make_sampling(const Similarity& face, const Points& points, const Box& box, int size) {
  check(box);
  Point centre{box.cx, box.cy};
  if (box.anchor >= 0) {
    const Point anchor = face.to_aligned(points[static_cast<std::size_t>(box.anchor)]);
    centre.x += anchor.x;
    centre.y += anchor.y;
  }
  const double column = box.width / size;
  const double row = box.height / size;
  const Point first =
      face.to_pixels({centre.x - box.width / 2 + column / 2, centre.y - box.height / 2 + row / 2});
  Sampling s{};
  s.x0 = first.x;
  s.y0 = first.y;
  s.xc = face.a * column;
  s.yc = face.b * column;
  s.xr = -face.b * row;
  s.yr = face.a * row;
  s.across = samples(s.xc, s.yc);
  s.down = samples(s.xr, s.yr);
  return s;
}

// Positions of the columns of a patch relative to the first.
class Columns {
 public:
  Columns(const Sampling& s, int size) : padded_((size + kBlock - 1) / kBlock * kBlock) {
    const auto count = static_cast<std::size_t>(padded_);
    x_.resize(count);
    y_.resize(count);
    for (int j = 0; j < padded_; ++j) {
      const int column = std::min(j, size - 1);
      x_[static_cast<std::size_t>(j)] = to_fixed(column * s.xc);
      y_[static_cast<std::size_t>(j)] = to_fixed(column * s.yc);
    }
    // Steps are equal, so the last column is the farthest.
    fits_ = fits32(x_.back()) && fits32(y_.back());
    x32_.assign(count, 0);
    y32_.assign(count, 0);
    for (auto& words : words_) words.assign(count, 0);
    for (std::size_t j = 0; fits_ && j < count; ++j) {
      x32_[j] = static_cast<std::int32_t>(x_[j]);
      y32_[j] = static_cast<std::int32_t>(y_[j]);
      words_[0][j] = static_cast<std::uint16_t>(x_[j] >> 16);
      words_[1][j] = static_cast<std::uint16_t>(x_[j] & 0xffff);
      words_[2][j] = static_cast<std::uint16_t>(y_[j] >> 16);
      words_[3][j] = static_cast<std::uint16_t>(y_[j] & 0xffff);
    }
  }

  // Sums of two such numbers fit 32 bits, their integer parts 16.
  static bool fits32(std::int64_t v) { return v > -(1 << 30) && v < (1 << 30); }

  bool fits() const { return fits_; }
  int padded() const { return padded_; }
  void fill(RowInput& input) const {
    input.x = x_.data();
    input.y = y_.data();
    input.x32 = x32_.data();
    input.y32 = y32_.data();
    input.x_whole = words_[0].data();
    input.x_fraction = words_[1].data();
    input.y_whole = words_[2].data();
    input.y_fraction = words_[3].data();
    input.columns = padded_;
  }

 private:
  int padded_;
  bool fits_;
  std::vector<std::int64_t> x_, y_;
  std::vector<std::int32_t> x32_, y32_;
  std::array<std::vector<std::uint16_t>, 4> words_;
};

RowFunction choose(const Sampling& s, const Window& window, const Columns& columns) {
#ifdef I2CNN_X86
  const Simd level = simd();
  const bool small = columns.fits() && window.width() < (1 << 13) && window.height() < (1 << 13) &&
                     s.across * s.down <= kMaxNarrowSamples;
  if (!small || level == Simd::kPlain) return row_plain;
  const double step = std::abs(s.yc) <= kMaxStepY ? std::abs(s.xc) : kMaxStepX + 1;
  if (level == Simd::kAvx512 && step <= kMaxStepX) return row_avx512;
  return step <= kMaxShuffleStepX ? shuffle_row_avx2 : gather_row_avx2;
#else
  (void)s;
  (void)window;
  (void)columns;
  return row_plain;
#endif
}

RowInput row_input(const Window& window, const Columns& columns) {
  RowInput input{};
  input.channels = window.channels();
  input.stride = window.stride();
  input.right = to_fixed(window.width() - 1);
  input.bottom = to_fixed(window.height() - 1);
  for (int c = 0; c < input.channels; ++c) input.planes[c] = window.plane(c);
  columns.fill(input);
  return input;
}

// Finds where the rows of samples of one patch row begin. Returns whether all fit 32 bits.
bool find_starts(const Window& window, const Sampling& s, double row, std::vector<Start>& starts) {
  starts.clear();
  bool fit = true;
  for (int b = 0; b < s.down; ++b) {
    const double v = row + (b + 0.5) / s.down - 0.5;
    for (int a = 0; a < s.across; ++a) {
      const double u = (a + 0.5) / s.across - 0.5;
      const Start start{to_fixed(s.x0 + v * s.xr + u * s.xc - window.left()),
                        to_fixed(s.y0 + v * s.yr + u * s.yc - window.top())};
      fit = fit && Columns::fits32(start.x) && Columns::fits32(start.y);
      starts.push_back(start);
    }
  }
  return fit;
}

}  // namespace

void check_size(int size) {
  if (size < 1 || size > kMaxPatchSize) {
    throw std::invalid_argument("size must be 1 to " + std::to_string(kMaxPatchSize));
  }
}

std::vector<std::int64_t> all_patches(const PatchScheme& scheme) {
  std::vector<std::int64_t> patches(2 * scheme.boxes.size());
  std::iota(patches.begin(), patches.end(), std::int64_t{0});
  return patches;
}

void check_patches(const std::vector<std::int64_t>& patches, const PatchScheme& scheme) {
  const auto count = 2 * static_cast<std::int64_t>(scheme.boxes.size());
  for (const std::int64_t patch : patches) {
    if (patch < 0 || patch >= count) {
      throw std::invalid_argument("patch index " + std::to_string(patch) +
                                  " is outside the scheme, which has " + std::to_string(count) +
                                  " patches");
    }
  }
}

std::vector<Sampling> make_samplings(const Points& points, const PatchScheme& scheme) {
  const Similarity face = fit_similarity(points, scheme.mouth);
  std::vector<Sampling> result;
  result.reserve(scheme.boxes.size());
  for (const Box& box : scheme.boxes) {
    result.push_back(make_sampling(face, points, box, scheme.size));
  }
  return result;
}

void check_jitter(const Jitter& j) {
  const bool angle = std::abs(j.rotation) <= kMaxRotation;
  const bool zoom = j.scale >= 1 / kMaxZoom && j.scale <= kMaxZoom;
  const bool shift = std::abs(j.right) <= kMaxShift && std::abs(j.down) <= kMaxShift;
  const bool tone = j.gain >= 0 && j.gain <= kMaxGain && std::abs(j.offset) <= kMaxOffset;
  if (!angle || !zoom || !shift || !tone) {
    throw std::invalid_argument("a value of the jitter is not finite or out of range");
  }
}

Sampling jittered(const Sampling& s, const Jitter& jitter, int size) {
  const double c = jitter.scale * std::cos(jitter.rotation);
  const double d = jitter.scale * std::sin(jitter.rotation);
  const double middle = (size - 1) / 2.0;
  const double column = middle + jitter.right * size;
  const double row = middle + jitter.down * size;
  Sampling t{};
  t.xc = c * s.xc - d * s.yc;
  t.yc = d * s.xc + c * s.yc;
  t.xr = c * s.xr - d * s.yr;
  t.yr = d * s.xr + c * s.yr;
  t.x0 = s.x0 + column * s.xc + row * s.xr - middle * (t.xc + t.xr);
  t.y0 = s.y0 + column * s.yc + row * s.yr - middle * (t.yc + t.yr);
  t.across = samples(t.xc, t.yc);
  t.down = samples(t.xr, t.yr);
  return t;
}

void change_tone(const Jitter& jitter, std::uint8_t* values, std::size_t count) {
  std::array<std::uint8_t, 256> changed{};
  for (std::size_t v = 0; v < changed.size(); ++v) {
    const double gray = 128 + jitter.gain * (static_cast<double>(v) - 128) + jitter.offset;
    changed[v] = static_cast<std::uint8_t>(std::lrint(std::clamp(gray, 0.0, 255.0)));
  }
  for (std::size_t i = 0; i < count; ++i) values[i] = changed[values[i]];
}

Bounds bounds_of(const std::vector<Sampling>& samplings, int size) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (samplings.empty()) return {0, 0, 0, 0};
  Bounds b{kInfinity, kInfinity, -kInfinity, -kInfinity};
  for (const Sampling& s : samplings) {
    for (const double column : {-0.5, size - 0.5}) {
      for (const double row : {-0.5, size - 0.5}) {
        const double x = s.x0 + column * s.xc + row * s.xr;
        const double y = s.y0 + column * s.yc + row * s.yr;
        b = {std::min(b.left, x), std::min(b.top, y), std::max(b.right, x), std::max(b.bottom, y)};
      }
    }
  }
  return b;
}

void sample_patch(const Window& window, const Sampling& s, int size, std::uint8_t* out) {
  const Columns columns(s, size);
  const RowInput input = row_input(window, columns);
  const RowFunction best = choose(s, window, columns);
  const auto channels = static_cast<std::size_t>(input.channels);
  const auto width = static_cast<std::size_t>(size);
  const auto padded = static_cast<std::size_t>(columns.padded());
  std::vector<std::uint8_t> spare(padded == width ? 0 : channels * padded);
  std::vector<Start> starts;
  for (std::size_t i = 0; i < width; ++i) {
    const bool fit = find_starts(window, s, static_cast<double>(i), starts);
    std::uint8_t* rows[3] = {};
    for (std::size_t c = 0; c < channels; ++c) {
      rows[c] = spare.empty() ? out + (c * width + i) * width : spare.data() + c * padded;
    }
    const RowFunction run = fit ? best : row_plain;
    run(input, starts.data(), static_cast<int>(starts.size()), rows);
    for (std::size_t c = 0; !spare.empty() && c < channels; ++c) {
      std::copy_n(rows[c], width, out + (c * width + i) * width);
    }
  }
}

}  // namespace i2cnn
