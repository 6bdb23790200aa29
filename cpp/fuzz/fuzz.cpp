// Fuzzer of the sampling and the encoders: any image, strides, points and boxes must end in patches
// that all instruction sets agree on, or in std::invalid_argument. Under libFuzzer
// LLVMFuzzerTestOneInput is the target; without it main() makes random inputs for some seconds:
//   fuzz_patches [seconds] [seed]
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "encoding/encoders.hpp"
#include "sampling/sample.hpp"
#include "util/simd.hpp"

namespace {

using namespace i2cnn;

// Reads values from the input; zeros when it ends.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  std::uint32_t number(std::uint32_t below) {
    std::uint32_t value = 0;
    take(&value, sizeof value);
    return value % below;
  }

  // Mostly sensible coordinates, sometimes anything.
  double coordinate(double scale) {
    if (number(64) == 0) {
      double value = 0;
      take(&value, sizeof value);
      return value;
    }
    return (number(2001) / 1000.0 - 0.5) * scale;
  }

  void take(void* out, std::size_t bytes) {
    const std::size_t count = std::min(bytes, left_);
    std::memset(out, 0, bytes);
    if (count > 0) std::memcpy(out, data_, count);
    data_ += count;
    left_ -= count;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

void run(Input& in) {
  const auto height = static_cast<std::ptrdiff_t>(in.number(80));
  const auto width = static_cast<std::ptrdiff_t>(in.number(in.number(4) == 0 ? 300 : 80));
  const std::ptrdiff_t channels = in.number(2) == 0 ? 1 : 3;
  const auto gap = static_cast<std::ptrdiff_t>(1 + in.number(3));
  // Exactly the bytes that the strides reach, so that a sanitizer sees any read beside them.
  const std::ptrdiff_t pixel = channels * gap;
  const std::ptrdiff_t row = width * pixel;
  std::unique_ptr<std::uint8_t[]> bytes(
      new std::uint8_t[static_cast<std::size_t>(height * row + 1)]);
  in.take(bytes.get(), static_cast<std::size_t>(height * row));
  ImageView view{bytes.get(), height, width, channels, row, pixel, gap};
  if (in.number(2) == 1 && height > 0) {
    view.data += (height - 1) * row;
    view.row_stride = -row;
  }
  if (in.number(2) == 1 && width > 0) {
    view.data += (width - 1) * pixel;
    view.column_stride = -pixel;
  }
  const double scale = 1 << in.number(9);
  Points points{{{-0.5, 0}, {0.5, 0}, {0, 0.6}, {-0.4, 1.1}, {0.4, 1.1}}};
  const double turn = in.coordinate(0.4);
  for (Point& p : points) {
    p = {(p.x - turn * p.y) * scale + 40 + in.coordinate(0.2 * scale),
         (p.y + turn * p.x) * scale + 30 + in.coordinate(0.2 * scale)};
  }
  const double cx = in.coordinate(2);
  const double cy = in.coordinate(2);
  const double width = 0.1 + in.number(50) / 10.0;
  const double height = 0.1 + in.number(50) / 10.0;
  const int anchor = static_cast<int>(in.number(5));
  const int size = static_cast<int>(1 + in.number(70));
  const PatchScheme scheme{{{-1, cx, cy, width, height}, {anchor, 0, 0, 2.35, 2.35}}, 1.1, size};
  const std::vector<Sampling> samplings = make_samplings(points, scheme);
  const Window window(view, bounds_of(samplings, size));
  const auto area = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  PngEncoder png;
  JpegEncoder jpeg(95);
  for (const Sampling& sampling : samplings) {
    Bytes first;
    Bytes first_files;
    for (const char* level : {"plain", "avx2", "avx512"}) {
      try {
        set_simd(level);
      } catch (const std::invalid_argument&) {
        continue;
      }
      Bytes patch(area * static_cast<std::size_t>(channels));
      sample_patch(window, sampling, size, patch.data());
      Bytes files;
      png.load(patch.data(), static_cast<int>(channels), size);
      png.append(false, files);
      png.append(true, files);
      if (first.empty()) {
        first = patch;
        first_files = files;
      }
      if (patch != first) throw std::logic_error(std::string("other pixels with ") + level);
      if (files != first_files) throw std::logic_error(std::string("other files with ") + level);
    }
    Bytes file;
    jpeg.load(first.data(), static_cast<int>(channels), size);
    jpeg.append(false, file);
    jpeg.append(true, file);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  try {
    run(input);
  } catch (const std::invalid_argument&) {
    // Refused, as it should be.
  }
  return 0;
}

#ifndef I2CNN_LIBFUZZER
int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 10;
  std::mt19937 random(argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::size_t count = 0;
  for (; std::chrono::steady_clock::now() < end; ++count) {
    std::vector<std::uint8_t> input(random() % 20000);
    for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs\n", count);
  return 0;
}
#endif
