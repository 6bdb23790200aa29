#include "torchcaffe/pool.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "util/parallel.hpp"

namespace i2cnn {

namespace {

constexpr std::size_t kBlockRows = 4;

// What numbers are compared by, as wide as they are, and how to get them back. Of several NaN the
// last one is taken, as in PyTorch.
I2CNN_INLINE float key_of(float x) { return x; }
I2CNN_INLINE void from_key(float key, float& x) { x = key; }
I2CNN_INLINE float before_others(float key) { return key; }
I2CNN_INLINE bool above(float a, float b) { return (a > b) | (a != a); }

// Whole numbers in the order of the bfloat16 numbers, both zeros being one, NaN above all of them.
constexpr std::int16_t kNan = 0x7FFF;

I2CNN_INLINE std::int16_t key_of(Bf16 x) {
  const std::int16_t magnitude = static_cast<std::int16_t>(x.bits & 0x7FFF);
  const std::int16_t signed_bits = static_cast<std::int16_t>(x.bits);
  const std::int16_t ordered = static_cast<std::int16_t>(signed_bits < 0 ? -magnitude : magnitude);
  return magnitude > 0x7F80 ? kNan : ordered;
}

I2CNN_INLINE void from_key(std::int16_t key, Bf16& x) {
  x.bits = static_cast<std::uint16_t>(key < 0 ? 0x8000 | -key : key);
}

// The key of what later numbers are compared with: of NaN one below it.
I2CNN_INLINE std::int16_t before_others(std::int16_t key) {
  return std::min<std::int16_t>(key, kNan - 1);
}

I2CNN_INLINE bool above(std::int16_t a, std::int16_t b) { return a > b; }

// A whole number as wide as T.
template <typename T>
using Index = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int16_t>;

// Largest numbers so far of the windows of all channels of a pixel, and their places.
template <typename T>
struct Best {
  explicit Best(std::size_t channels) : key(channels), place(channels) {}
  std::vector<decltype(key_of(T{}))> key;
  std::vector<Index<T>> place;
};

template <typename T>
I2CNN_INLINE void start(const T* __restrict x, std::size_t channels, int tap, Best<T>& best) {
  auto* __restrict const key = best.key.data();
  auto* __restrict const place = best.place.data();
  for (std::size_t c = 0; c < channels; ++c) key[c] = key_of(x[c]);
  std::fill_n(place, channels, static_cast<Index<T>>(tap));
}

template <typename T>
I2CNN_INLINE void compare(const T* __restrict x, std::size_t channels, int tap, Best<T>& best) {
  auto* __restrict const key = best.key.data();
  auto* __restrict const place = best.place.data();
  const auto here = static_cast<Index<T>>(tap);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto other = key_of(x[c]);
    const auto before = before_others(key[c]);
    place[c] = above(other, before) ? here : place[c];
    key[c] = above(other, before) ? other : before;
  }
}

template <typename T>
I2CNN_INLINE void finish(const Best<T>& best, std::size_t channels, T* __restrict y,
                         std::uint8_t* __restrict tap) {
  for (std::size_t c = 0; c < channels; ++c) from_key(best.key[c], y[c]);
  if (tap == nullptr) return;
  for (std::size_t c = 0; c < channels; ++c) tap[c] = static_cast<std::uint8_t>(best.place[c]);
}

// The part of a window that lies within an axis: begin and end, and the place of the begin.
struct Span {
  std::size_t begin, end, first;
};

I2CNN_INLINE Span span_of(const MaxPool& pool, std::size_t axis, std::size_t window) {
  const std::size_t at = window * pool.stride[axis], pad = pool.pad[axis];
  const std::size_t end = std::min(at + pool.kernel[axis] - pad, pool.in[axis]);
  return at < pad ? Span{0, end, pad - at} : Span{at - pad, end, 0};
}

// Rows begin .. end of the tops of all images.
template <typename T>
I2CNN_INLINE void forward_rows(const MaxPool& pool, const T* x, T* y, std::uint8_t* tap,
                               std::size_t begin, std::size_t end) {
  const std::size_t channels = pool.channels, width = pool.in[1];
  Best<T> best(channels);
  for (std::size_t row = begin; row < end; ++row) {
    const T* const image = x + row / pool.out[0] * pool.in[0] * width * channels;
    const Span down = span_of(pool, 0, row % pool.out[0]);
    for (std::size_t column = 0; column < pool.out[1]; ++column) {
      const Span across = span_of(pool, 1, column);
      bool first = true;
      for (std::size_t h = down.begin; h < down.end; ++h) {
        for (std::size_t w = across.begin; w < across.end; ++w, first = false) {
          const std::size_t place =
              (down.first + h - down.begin) * pool.kernel[1] + across.first + w - across.begin;
          const T* const pixel = image + (h * width + w) * channels;
          if (first) {
            start(pixel, channels, static_cast<int>(place), best);
          } else {
            compare(pixel, channels, static_cast<int>(place), best);
          }
        }
      }
      const std::size_t at = (row * pool.out[1] + column) * channels;
      finish(best, channels, y + at, tap == nullptr ? tap : tap + at);
    }
  }
}

I2CNN_INLINE float where(bool holds, float x) { return holds ? x : 0.0F; }
I2CNN_INLINE float where(bool holds, Bf16 x) {
  return get(Bf16{static_cast<std::uint16_t>(holds ? x.bits : 0)});
}

template <typename T>
I2CNN_INLINE void add_where(const T* __restrict dy, const std::uint8_t* __restrict tap,
                            std::uint8_t place, std::size_t channels, float* __restrict sum) {
  for (std::size_t c = 0; c < channels; ++c) sum[c] += where(tap[c] == place, dy[c]);
}

// First and one past the last window that a number of an axis is in.
I2CNN_INLINE Span windows_of(const MaxPool& pool, std::size_t axis, std::size_t at) {
  const std::size_t padded = at + pool.pad[axis], stride = pool.stride[axis];
  const std::size_t kernel = pool.kernel[axis];
  const std::size_t begin = padded < kernel ? 0 : (padded - kernel) / stride + 1;
  return {begin, std::min(padded / stride + 1, pool.out[axis]), 0};
}

// Rows begin .. end of the bottoms of all images.
template <typename T>
I2CNN_INLINE void backward_rows(const MaxPool& pool, const T* dy, const std::uint8_t* tap, T* dx,
                                std::size_t begin, std::size_t end) {
  const std::size_t channels = pool.channels;
  std::vector<float> sums(channels);
  float* __restrict const sum = sums.data();
  for (std::size_t row = begin; row < end; ++row) {
    const std::size_t h = row % pool.in[0], image = row / pool.in[0] * pool.out[0];
    const Span down = windows_of(pool, 0, h);
    for (std::size_t w = 0; w < pool.in[1]; ++w) {
      const Span across = windows_of(pool, 1, w);
      std::fill_n(sum, channels, 0.0F);
      for (std::size_t i = down.begin; i < down.end; ++i) {
        const std::size_t below = (h + pool.pad[0] - i * pool.stride[0]) * pool.kernel[1];
        for (std::size_t j = across.begin; j < across.end; ++j) {
          const std::size_t place = below + w + pool.pad[1] - j * pool.stride[1];
          const std::size_t at = ((image + i) * pool.out[1] + j) * channels;
          add_where(dy + at, tap + at, static_cast<std::uint8_t>(place), channels, sum);
        }
      }
      T* __restrict const out = dx + (row * pool.in[1] + w) * channels;
      for (std::size_t c = 0; c < channels; ++c) put(sum[c], out[c]);
    }
  }
}

}  // namespace

template <typename T>
void max_pool_forward(const MaxPool& pool, const T* x, T* y, std::uint8_t* tap, int threads) {
  parallel_for(
      pool.images * pool.out[0], kBlockRows, threads, [&](std::size_t begin, std::size_t end) {
        run_vectorised([&](auto)
                           I2CNN_INLINE_LAMBDA { forward_rows(pool, x, y, tap, begin, end); });
      });
}

template <typename T>
void max_pool_backward(const MaxPool& pool, const T* dy, const std::uint8_t* tap, T* dx,
                       int threads) {
  parallel_for(
      pool.images * pool.in[0], kBlockRows, threads, [&](std::size_t begin, std::size_t end) {
        run_vectorised([&](auto)
                           I2CNN_INLINE_LAMBDA { backward_rows(pool, dy, tap, dx, begin, end); });
      });
}

template void max_pool_forward(const MaxPool&, const float*, float*, std::uint8_t*, int);
template void max_pool_forward(const MaxPool&, const Bf16*, Bf16*, std::uint8_t*, int);
template void max_pool_backward(const MaxPool&, const float*, const std::uint8_t*, float*, int);
template void max_pool_backward(const MaxPool&, const Bf16*, const std::uint8_t*, Bf16*, int);

}  // namespace i2cnn
