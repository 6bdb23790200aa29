#include "warp.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#if defined(__x86_64__) && defined(__GNUC__)
#define I2CNN_AVX2 1
#include <immintrin.h>
#endif

namespace i2cnn {

namespace {

// The vector code reads four bytes at a time.
constexpr std::size_t kSlack = 8;

// Positions are clamped to the image as floats; this keeps the integer conversion safe.
struct Row {
  float x, y;    // position of the row's first sample
  float dx, dy;  // step from one column to the next
};

struct Plane {
  const std::uint8_t* data;
  int stride;
  float right, bottom;  // largest coordinates: width - 1, height - 1
};

void add_samples_plain(const Plane& plane, const Row& row, int size, float* sums) {
  for (int j = 0; j < size; ++j) {
    const float x = std::min(std::max(row.x + static_cast<float>(j) * row.dx, 0.0f), plane.right);
    const float y = std::min(std::max(row.y + static_cast<float>(j) * row.dy, 0.0f), plane.bottom);
    const int ix = static_cast<int>(x);
    const int iy = static_cast<int>(y);
    const float fx = x - static_cast<float>(ix);
    const float fy = y - static_cast<float>(iy);
    const std::uint8_t* p = plane.data + static_cast<std::ptrdiff_t>(iy) * plane.stride + ix;
    const std::uint8_t* q = p + plane.stride;
    const float upper = static_cast<float>(p[0]) + fx * static_cast<float>(p[1] - p[0]);
    const float lower = static_cast<float>(q[0]) + fx * static_cast<float>(q[1] - q[0]);
    sums[j] += upper + fy * (lower - upper);
  }
}

#ifdef I2CNN_AVX2

__attribute__((target("avx2,fma"))) void add_samples_avx2(const Plane& plane, const Row& row,
                                                          int size, float* sums) {
  const __m256 zero = _mm256_setzero_ps();
  const __m256 right = _mm256_set1_ps(plane.right);
  const __m256 bottom = _mm256_set1_ps(plane.bottom);
  const __m256 dx = _mm256_set1_ps(row.dx);
  const __m256 dy = _mm256_set1_ps(row.dy);
  const __m256 x0 = _mm256_set1_ps(row.x);
  const __m256 y0 = _mm256_set1_ps(row.y);
  const __m256i stride = _mm256_set1_epi32(plane.stride);
  const __m256i byte = _mm256_set1_epi32(255);
  const int* upper_base = reinterpret_cast<const int*>(plane.data);
  const int* lower_base = reinterpret_cast<const int*>(plane.data + plane.stride);
  __m256 column = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 eight = _mm256_set1_ps(8);
  for (int j = 0; j < size; j += 8) {
    const __m256 x = _mm256_min_ps(_mm256_max_ps(_mm256_fmadd_ps(column, dx, x0), zero), right);
    const __m256 y = _mm256_min_ps(_mm256_max_ps(_mm256_fmadd_ps(column, dy, y0), zero), bottom);
    column = _mm256_add_ps(column, eight);
    const __m256i ix = _mm256_cvttps_epi32(x);
    const __m256i iy = _mm256_cvttps_epi32(y);
    const __m256 fx = _mm256_sub_ps(x, _mm256_cvtepi32_ps(ix));
    const __m256 fy = _mm256_sub_ps(y, _mm256_cvtepi32_ps(iy));
    const __m256i at = _mm256_add_epi32(_mm256_mullo_epi32(iy, stride), ix);
    // One gather brings a pixel and its right neighbour.
    const __m256i up = _mm256_i32gather_epi32(upper_base, at, 1);
    const __m256i low = _mm256_i32gather_epi32(lower_base, at, 1);
    const __m256 p0 = _mm256_cvtepi32_ps(_mm256_and_si256(up, byte));
    const __m256 p1 = _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(up, 8), byte));
    const __m256 q0 = _mm256_cvtepi32_ps(_mm256_and_si256(low, byte));
    const __m256 q1 = _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(low, 8), byte));
    const __m256 upper = _mm256_fmadd_ps(fx, _mm256_sub_ps(p1, p0), p0);
    const __m256 lower = _mm256_fmadd_ps(fx, _mm256_sub_ps(q1, q0), q0);
    const __m256 value = _mm256_fmadd_ps(fy, _mm256_sub_ps(lower, upper), upper);
    _mm256_storeu_ps(sums + j, _mm256_add_ps(_mm256_loadu_ps(sums + j), value));
  }
}

__attribute__((target("avx2,fma"))) void store_avx2(const float* sums, float factor, int size,
                                                    std::uint8_t* out) {
  const __m256 scale = _mm256_set1_ps(factor);
  const __m256 half = _mm256_set1_ps(0.5f);
  for (int j = 0; j < size; j += 8) {
    const __m256i v = _mm256_cvttps_epi32(_mm256_fmadd_ps(_mm256_loadu_ps(sums + j), scale, half));
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + j), _mm_packus_epi16(words, words));
  }
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

#else

bool has_avx2() { return false; }

#endif

std::atomic<bool> plain_only{false};

bool use_avx2() {
  static const bool present = has_avx2();
  return present && !plain_only.load(std::memory_order_relaxed);
}

void add_samples(const Plane& plane, const Row& row, int size, float* sums, bool avx2) {
#ifdef I2CNN_AVX2
  if (avx2) {
    add_samples_avx2(plane, row, size, sums);
    return;
  }
#endif
  (void)avx2;
  add_samples_plain(plane, row, size, sums);
}

void store(const float* sums, float factor, int size, std::uint8_t* out, bool avx2) {
#ifdef I2CNN_AVX2
  if (avx2) {
    store_avx2(sums, factor, size, out);
    return;
  }
#endif
  (void)avx2;
  for (int j = 0; j < size; ++j) {
    out[j] = static_cast<std::uint8_t>(std::min(sums[j] * factor + 0.5f, 255.0f));
  }
}

}  // namespace

Source::Source(const ImageView& view) {
  // 2^30 pixels a plane keep every offset inside 32 bits.
  if (view.height < 1 || view.width < 1 || view.height > 32767 || view.width > 32767) {
    throw std::invalid_argument("an image must have 1 to 32767 rows and columns");
  }
  if (view.channels != 1 && view.channels != 3) {
    throw std::invalid_argument("an image must have 1 or 3 channels");
  }
  width_ = static_cast<int>(view.width);
  height_ = static_cast<int>(view.height);
  channels_ = static_cast<int>(view.channels);
  stride_ = width_ + 1;
  plane_size_ = static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height_ + 1);
  pixels_.resize(plane_size_ * static_cast<std::size_t>(channels_) + kSlack);
  for (int c = 0; c < channels_; ++c) {
    std::uint8_t* out = pixels_.data() + static_cast<std::size_t>(c) * plane_size_;
    for (std::ptrdiff_t i = 0; i < view.height; ++i) {
      const std::uint8_t* in = view.data + i * view.row_stride + c * view.channel_stride;
      if (view.column_stride == 1) {
        std::memcpy(out, in, static_cast<std::size_t>(width_));
      } else {
        for (std::ptrdiff_t j = 0; j < view.width; ++j) out[j] = in[j * view.column_stride];
      }
      out[width_] = out[width_ - 1];
      out += stride_;
    }
    std::memcpy(out, out - stride_, static_cast<std::size_t>(stride_));
  }
}

Sampling make_sampling(const Similarity& face, const Points& points, const Box& box, int size) {
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
  const double limit = 4096;
  s.across =
      static_cast<int>(std::min(limit, std::max(1.0, std::ceil(std::hypot(s.xc, s.yc) - 1e-9))));
  s.down =
      static_cast<int>(std::min(limit, std::max(1.0, std::ceil(std::hypot(s.xr, s.yr) - 1e-9))));
  return s;
}

void sample_plane(const Source& source, int channel, const Sampling& s, int size,
                  std::uint8_t* out) {
  const Plane plane{source.plane(channel), source.stride(), static_cast<float>(source.width() - 1),
                    static_cast<float>(source.height() - 1)};
  const bool avx2 = use_avx2() && size % 8 == 0;
  const float factor = 1.0f / static_cast<float>(s.across * s.down);
  std::vector<float> sums(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int b = 0; b < s.down; ++b) {
      const double v = i + (b + 0.5) / s.down - 0.5;
      for (int a = 0; a < s.across; ++a) {
        const double u = (a + 0.5) / s.across - 0.5;
        const Row row{static_cast<float>(s.x0 + v * s.xr + u * s.xc),
                      static_cast<float>(s.y0 + v * s.yr + u * s.yc), static_cast<float>(s.xc),
                      static_cast<float>(s.yc)};
        add_samples(plane, row, size, sums.data(), avx2);
      }
    }
    store(sums.data(), factor, size, out + static_cast<std::ptrdiff_t>(i) * size, avx2);
  }
}

void mirror_plane(const std::uint8_t* in, int size, std::uint8_t* out) {
  for (int i = 0; i < size; ++i) {
    std::reverse_copy(in, in + size, out);
    in += size;
    out += size;
  }
}

std::string simd_level() { return use_avx2() ? "avx2" : "plain"; }

void force_plain(bool plain) { plain_only.store(plain); }

}  // namespace i2cnn
