#include "encoding/datum.hpp"

namespace i2cnn {

namespace {

// Field numbers of Datum, as tags: number << 3 | wire type.
constexpr char kChannels = 1 << 3;
constexpr char kHeight = 2 << 3;
constexpr char kWidth = 3 << 3;
constexpr char kData = 4 << 3 | 2;
constexpr char kLabel = 5 << 3;
constexpr char kEncoded = 7 << 3;

void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_int(std::string& out, char tag, std::int64_t value) {
  out.push_back(tag);
  put_varint(out, static_cast<std::uint64_t>(value));
}

}  // namespace

std::string raw_datum_header(int channels, int height, int width, std::size_t bytes) {
  std::string out;
  put_int(out, kChannels, channels);
  put_int(out, kHeight, height);
  put_int(out, kWidth, width);
  out.push_back(kData);
  put_varint(out, bytes);
  return out;
}

std::string encoded_datum_header(std::size_t bytes) {
  std::string out;
  out.push_back(kData);
  put_varint(out, bytes);
  return out;
}

std::string datum_trailer(std::int32_t label, bool encoded) {
  std::string out;
  put_int(out, kLabel, label);
  if (encoded) put_int(out, kEncoded, 1);
  return out;
}

}  // namespace i2cnn
