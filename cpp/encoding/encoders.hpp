// Encodings of a patch: raw planes, PNG and JPEG.
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

// Encodes one patch after the other and reuses its buffers.
class PatchEncoder {
 public:
  virtual ~PatchEncoder() = default;

  // Takes a patch: planes of size x size, gray or B, G, R. They must stay valid until the next
  // load().
  virtual void load(const std::uint8_t* planes, int channels, int size) = 0;

  // Appends the patch, or its mirror image.
  virtual void append(bool mirrored, Bytes& out) = 0;
};

// `quality` is that of JPEG, 1 to 100; the other encodings ignore it. One encoder per thread.
std::unique_ptr<PatchEncoder> make_encoder(Encoding encoding, int quality);

// Appends the planes unchanged.
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

// Writes PNG files whose deflate stream has only literals of one Huffman code. Filtered photographs
// hardly repeat themselves, so searching for matches costs much and gains little. A patch and its
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
  Bytes differences_;  // filtered planes
  Bytes rows_;
  Bytes stream_;
  PixelRows pixels_;
};

// Writes JPEG files by libjpeg-turbo, which is set up once for all of them.
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
