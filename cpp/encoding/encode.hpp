// Image files in memory: PNG and JPEG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "encoding/huffman.hpp"

namespace i2cnn {

using Bytes = std::vector<std::uint8_t>;

// Writes PNG files that only ever use literals of one Huffman code: in photographs, what is left
// after filtering hardly repeats, so searching matches costs much and wins little.
class PngEncoder {
 public:
  // Takes a patch: planes of size x size, gray or B, G, R.
  void load(const std::uint8_t* planes, int channels, int size);

  // Appends the patch, or its mirror image, as a file. Both have the same filtered values and so
  // share their code.
  void append(bool mirrored, Bytes& out);

 private:
  void make_rows(bool mirrored);

  std::size_t channels_ = 0;
  std::size_t size_ = 0;
  HuffmanCode code_{};
  Bytes differences_;  // planes of what is left after filtering
  Bytes rows_;
  Bytes line_;
  Bytes stream_;
};

// libjpeg-turbo with the set-up kept between images.
class JpegEncoder {
 public:
  struct State;

  explicit JpegEncoder(int quality);
  ~JpegEncoder();
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  // Appends a file. pixels: rows of `channels` interleaved values, gray or B, G, R.
  void append(const std::uint8_t* pixels, int channels, int size, Bytes& out);

 private:
  std::unique_ptr<State> state_;
};

}  // namespace i2cnn
