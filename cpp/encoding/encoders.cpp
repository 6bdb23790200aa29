#include "encoding/encoders.hpp"

#include <stdexcept>

namespace i2cnn {

Encoding encoding_of(const std::string& name) {
  if (name == "raw") return Encoding::kRaw;
  if (name == "png") return Encoding::kPng;
  if (name == "jpeg") return Encoding::kJpeg;
  throw std::invalid_argument("unknown encoding '" + name + "'; choose raw, png or jpeg");
}

std::unique_ptr<PatchEncoder> make_encoder(Encoding encoding, int quality) {
  switch (encoding) {
    case Encoding::kRaw:
      return std::make_unique<RawEncoder>();
    case Encoding::kPng:
      return std::make_unique<PngEncoder>();
    case Encoding::kJpeg:
      return std::make_unique<JpegEncoder>(quality);
  }
  throw std::logic_error("an encoding without encoder");
}

void RawEncoder::load(const std::uint8_t* planes, int channels, int size) {
  planes_ = planes;
  channels_ = static_cast<std::size_t>(channels);
  size_ = static_cast<std::size_t>(size);
}

void RawEncoder::append(bool mirrored, Bytes& out) {
  const std::size_t begin = out.size();
  const std::size_t area = size_ * size_;
  out.resize(begin + channels_ * area);
  for (std::size_t c = 0; c < channels_; ++c) {
    pixels_.put_patch(planes_ + c * area, 1, size_, mirrored, out.data() + begin + c * area);
  }
}

}  // namespace i2cnn
