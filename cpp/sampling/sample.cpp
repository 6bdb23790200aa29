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

// More samples a pixel than this in one direction change nothing that is seen.
constexpr double kMostSamples = 32;
// In inter-ocular distances; together with the limit of the landmarks it keeps positions in range.
constexpr double kFarthestBox = 1000;
constexpr int kLargestPatch = 4096;

int samples(double x_step, double y_step) {
  const double length = std::hypot(x_step, y_step);
  return static_cast<int>(std::clamp(std::ceil(length - 1e-9), 1.0, kMostSamples));
}

// One instruction, unlike llround().
std::int64_t to_fixed(double pixels) { return std::llrint(pixels * 65536); }

void check(const Box& box) {
  for (const double value : {box.cx, box.cy, box.width, box.height}) {
    if (!(std::abs(value) <= kFarthestBox)) {
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

// Positions of a patch's columns relative to the first.
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
    // Steps are even, so the last column is the farthest.
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

  // Sums of two such numbers stay inside 32 bits, their integer parts inside 16.
  static bool fits32(std::int64_t v) { return v > -(1 << 30) && v < (1 << 30); }

  bool fits() const { return fits_; }
  int padded() const { return padded_; }
  void fill(Kernel& kernel) const {
    kernel.x = x_.data();
    kernel.y = y_.data();
    kernel.x32 = x32_.data();
    kernel.y32 = y32_.data();
    kernel.x_whole = words_[0].data();
    kernel.x_fraction = words_[1].data();
    kernel.y_whole = words_[2].data();
    kernel.y_fraction = words_[3].data();
    kernel.columns = padded_;
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
                     s.across * s.down <= kFewSamples;
  if (!small || level == Simd::kPlain) return row_plain;
  const double step = std::abs(s.yc) <= kSteepestStep ? std::abs(s.xc) : kWidestStep + 1;
  if (level == Simd::kAvx512 && step <= kWidestStep) return row_avx512;
  return step <= kWidestShuffle ? shuffle_row_avx2 : gather_row_avx2;
#else
  (void)s;
  (void)window;
  (void)columns;
  return row_plain;
#endif
}

}  // namespace

void check_size(int size) {
  if (size < 1 || size > kLargestPatch) {
    throw std::invalid_argument("size must be 1 to " + std::to_string(kLargestPatch));
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
  Kernel kernel{};
  kernel.channels = window.channels();
  kernel.stride = window.stride();
  kernel.right = to_fixed(window.width() - 1);
  kernel.bottom = to_fixed(window.height() - 1);
  for (int c = 0; c < kernel.channels; ++c) kernel.planes[c] = window.plane(c);
  columns.fill(kernel);
  const RowFunction best = choose(s, window, columns);
  const auto width = static_cast<std::size_t>(size);
  const bool padded = columns.padded() != size;
  std::vector<std::uint8_t> spare(padded ? 3 * static_cast<std::size_t>(columns.padded()) : 0);
  std::vector<Start> starts(static_cast<std::size_t>(s.across * s.down));
  for (int i = 0; i < size; ++i) {
    RowFunction run = best;
    std::size_t n = 0;
    for (int b = 0; b < s.down; ++b) {
      const double v = i + (b + 0.5) / s.down - 0.5;
      for (int a = 0; a < s.across; ++a) {
        const double u = (a + 0.5) / s.across - 0.5;
        const Start start{to_fixed(s.x0 + v * s.xr + u * s.xc - window.left()),
                          to_fixed(s.y0 + v * s.yr + u * s.yc - window.top())};
        if (!Columns::fits32(start.x) || !Columns::fits32(start.y)) run = row_plain;
        starts[n++] = start;
      }
    }
    std::uint8_t* rows[3];
    for (std::size_t c = 0; c < 3; ++c) {
      rows[c] = padded ? spare.data() + c * static_cast<std::size_t>(columns.padded())
                       : out + (c * width + static_cast<std::size_t>(i)) * width;
    }
    run(kernel, starts.data(), static_cast<int>(n), rows);
    for (std::size_t c = 0; padded && c < static_cast<std::size_t>(kernel.channels); ++c) {
      std::copy_n(rows[c], width, out + (c * width + static_cast<std::size_t>(i)) * width);
    }
  }
}

}  // namespace i2cnn
