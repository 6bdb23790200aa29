// Fuzzer of the sampling and the encoders. Any image, strides, landmarks and boxes must give
// patches on which all instruction sets agree, or std::invalid_argument. libFuzzer calls
// LLVMFuzzerTestOneInput; without it, main() tries random inputs for some seconds:
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
#include <utility>
#include <vector>

#include "encoding/encoders.hpp"
#include "sampling/extract.hpp"
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

// Exactly the bytes that the strides reach, so that a sanitizer sees any read beside them.
struct Picture {
  std::unique_ptr<std::uint8_t[]> bytes;
  ImageView view;
};

Picture read_picture(Input& in) {
  const auto height = static_cast<std::ptrdiff_t>(in.number(80));
  const auto width = static_cast<std::ptrdiff_t>(in.number(in.number(4) == 0 ? 300 : 80));
  const std::ptrdiff_t channels = in.number(2) == 0 ? 1 : 3;
  const auto gap = static_cast<std::ptrdiff_t>(1 + in.number(3));
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
  return {std::move(bytes), view};
}

Points read_points(Input& in) {
  const double scale = 1 << in.number(9);
  Points points{{{-0.5, 0}, {0.5, 0}, {0, 0.6}, {-0.4, 1.1}, {0.4, 1.1}}};
  const double rotation = in.coordinate(0.4);
  for (Point& p : points) {
    p = {(p.x - rotation * p.y) * scale + 40 + in.coordinate(0.2 * scale),
         (p.y + rotation * p.x) * scale + 30 + in.coordinate(0.2 * scale)};
  }
  return points;
}

PatchScheme read_scheme(Input& in) {
  const double cx = in.coordinate(2);
  const double cy = in.coordinate(2);
  const double width = 0.1 + in.number(50) / 10.0;
  const double height = 0.1 + in.number(50) / 10.0;
  const int anchor = static_cast<int>(in.number(5));
  const int size = static_cast<int>(1 + in.number(70));
  return {{{-1, cx, cy, width, height}, {anchor, 0, 0, 2.35, 2.35}}, 1.1, size};
}

Jitter read_jitter(Input& in) {
  const double rotation = in.coordinate(6);
  const double scale = 1 + in.coordinate(1.5);
  const double right = in.coordinate(1);
  const double down = in.coordinate(1);
  const double gain = 1 + in.coordinate(1.5);
  const double offset = in.coordinate(300);
  return {rotation, scale, right, down, gain, offset};
}

// Samplings of all boxes, and of the same jittered.
std::vector<Sampling> all_samplings(const Points& points, const PatchScheme& scheme,
                                    const Jitter& jitter) {
  check_jitter(jitter);
  std::vector<Sampling> samplings = make_samplings(points, scheme);
  const std::size_t boxes = samplings.size();
  for (std::size_t i = 0; i < boxes; ++i) {
    samplings.push_back(jittered(samplings[i], jitter, scheme.size));
  }
  return samplings;
}

// What all instruction sets must agree on, by sampling.
struct Output {
  std::vector<Bytes> patches;  // planes
  std::vector<Bytes> files;    // PNG, plain and mirrored
};

Output sample_and_encode(const ImageView& view, const Points& points, const PatchScheme& scheme,
                         const Jitter& jitter) {
  const std::vector<Sampling> samplings = all_samplings(points, scheme, jitter);
  const Window window(view, bounds_of(samplings, scheme.size));
  const std::size_t bytes = scheme.area() * static_cast<std::size_t>(window.channels());
  PngEncoder png;
  Output output;
  for (const Sampling& sampling : samplings) {
    Bytes patch(bytes);
    sample_patch(window, sampling, scheme.size, patch.data());
    change_tone(jitter, patch.data(), patch.size());
    Bytes files;
    png.load(patch.data(), window.channels(), scheme.size);
    png.append(false, files);
    png.append(true, files);
    output.patches.push_back(std::move(patch));
    output.files.push_back(std::move(files));
  }
  return output;
}

void check_levels(const ImageView& view, const Points& points, const PatchScheme& scheme,
                  const Jitter& jitter) {
  set_simd("plain");
  const Output plain = sample_and_encode(view, points, scheme, jitter);
  for (const char* level : {"avx2", "avx512"}) {
    try {
      set_simd(level);
    } catch (const std::invalid_argument&) {
      continue;
    }
    const Output output = sample_and_encode(view, points, scheme, jitter);
    if (output.patches != plain.patches) {
      throw std::logic_error(std::string("other pixels with ") + level);
    }
    if (output.files != plain.files) {
      throw std::logic_error(std::string("other files with ") + level);
    }
  }
  JpegEncoder jpeg(95);
  for (const Bytes& patch : plain.patches) {
    Bytes file;
    jpeg.load(patch.data(), static_cast<int>(view.channels), scheme.size);
    jpeg.append(false, file);
  }
}

// Exactly the bytes that must be written, so that a sanitizer sees any write beside them.
std::unique_ptr<std::uint8_t[]> extract_chosen(const ImageView& view, const Points& points,
                                               const PatchScheme& scheme,
                                               const std::vector<std::int64_t>& patches) {
  const std::size_t bytes = scheme.area() * static_cast<std::size_t>(view.channels);
  std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[patches.size() * bytes]);
  extract(view, points, scheme, patches, out.get());
  return out;
}

// Chosen patches must have the bits that they have in an extraction of all.
void check_selection(Input& in, const ImageView& view, const Points& points,
                     const PatchScheme& scheme) {
  const std::size_t bytes = scheme.area() * static_cast<std::size_t>(view.channels);
  const auto all = extract_chosen(view, points, scheme, all_patches(scheme));
  std::vector<std::int64_t> chosen(in.number(4));
  for (std::int64_t& patch : chosen) patch = in.number(4);
  const auto some = extract_chosen(view, points, scheme, chosen);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::uint8_t* expected = all.get() + static_cast<std::size_t>(chosen[i]) * bytes;
    if (std::memcmp(some.get() + i * bytes, expected, bytes) != 0) {
      throw std::logic_error("a chosen patch has other pixels");
    }
  }
}

void run(Input& in) {
  const Picture picture = read_picture(in);
  const Points points = read_points(in);
  const PatchScheme scheme = read_scheme(in);
  check_levels(picture.view, points, scheme, read_jitter(in));
  check_selection(in, picture.view, points, scheme);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  try {
    run(input);
  } catch (const std::invalid_argument&) {
    // Bad input, rightly refused.
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
