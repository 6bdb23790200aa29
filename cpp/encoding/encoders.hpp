// Encodings of patches: planes, PNG and JPEG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "encoding/huffman.hpp"
#include "sampling/pixels.hpp"

namespace i2cnn {

using Bytes = std::vector<std::uint8_t>;

enum class Encoding { kRaw, kPng, kJpeg };

// "raw", "png" or "jpeg"; throws std::invalid_argument on other names.
Encoding encoding_of(const std::string& name);

// Encodes patches one after the other and keeps its buffers between them.
class PatchEncoder {
 public:
  virtual ~PatchEncoder() = default;

  // Takes a patch: planes of size x size, gray or B, G, R. They must stay until the next load().
  virtual void load(const std::uint8_t* planes, int channels, int size) = 0;

  // Appends the patch, or its mirror image.
  virtual void append(bool mirrored, Bytes& out) = 0;
};

// Encoder of a thread. `quality` is that of JPEG, 1 to 100.
std::unique_ptr<PatchEncoder> make_encoder(Encoding encoding, int quality);

// Planes as they are.
class RawEncoder : public PatchEncoder {
 public:
  void load(const std::uint8_t* planes, int channels, int size) override;
  void append(bool mirrored, Bytes& out) override;

 private:
  const std::uint8_t* planes_ = nullptr;
  std::size_t channels_ = 0;
  std::size_t size_ = 0;
  PixelRows pixels_;
};

// Writes PNG files that use only literals of one Huffman code: in photographs, what is left after
// filtering hardly repeats, so a search for matches costs much and gains little. A patch and its
// mirror image have the same filtered values and so share their code.
class PngEncoder : public PatchEncoder {
 public:
  void load(const std::uint8_t* planes, int channels, int size) override;
  void append(bool mirrored, Bytes& out) override;

 private:
  void make_rows(bool mirrored);

  std::size_t channels_ = 0;
  std::size_t size_ = 0;
  HuffmanCode code_{};
  Bytes differences_;  // planes of what is left after filtering
  Bytes rows_;
  Bytes stream_;
  PixelRows pixels_;
};

// libjpeg-turbo, set up once for all images.
class JpegEncoder : public PatchEncoder {
 public:
  struct State;

  explicit JpegEncoder(int quality);
  ~JpegEncoder() override;
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  void load(const std::uint8_t* planes, int channels, int size) override;
  void append(bool mirrored, Bytes& out) override;

 private:
  const std::uint8_t* planes_ = nullptr;
  int channels_ = 0;
  int size_ = 0;
  Bytes image_;  // interleaved
  PixelRows pixels_;
  std::unique_ptr<State> state_;
};

}  // namespace i2cnn
