// Image files in memory: PNG and JPEG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "huffman.hpp"

namespace i2cnn {

using Bytes = std::vector<std::uint8_t>;

// Writes PNG files that only ever use literals of one Huffman code: in photographs, what is left
// after filtering hardly repeats, so searching matches costs much and wins little.
class PngEncoder {
 public:
  // Appends a file. pixels: rows of `channels` interleaved values, gray or R, G, B.
  // mirror: they mirror the last call's; the filtered values are the same, so its code serves
  // again.
  void append(const std::uint8_t* pixels, int channels, int size, bool mirror, Bytes& out);

 private:
  HuffmanCode code_{};
  Bytes filtered_;
};

// libjpeg-turbo with the set-up kept between images.
class JpegEncoder {
 public:
  explicit JpegEncoder(int quality);
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  // Appends a file. pixels: rows of `channels` interleaved values, gray or B, G, R.
  void append(const std::uint8_t* pixels, int channels, int size, Bytes& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace i2cnn
