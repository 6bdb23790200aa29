// Caffe's Datum message, written byte by byte as protobuf would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace i2cnn {

// Header of a raw Datum: everything before the pixels. The label follows them.
std::string raw_datum_header(int channels, int height, int width, std::size_t bytes);

// Header of an encoded Datum (an image file's bytes), as convert_imageset --encoded writes it.
std::string encoded_datum_header(std::size_t bytes);

// What follows the pixels: the label, and for encoded data the flag.
std::string datum_trailer(std::int32_t label, bool encoded);

}  // namespace i2cnn
