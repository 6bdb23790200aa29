// Caffe's Datum message, with the bytes that protobuf would write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace i2cnn {

// Everything before the pixels of a raw Datum.
std::string raw_datum_header(int channels, int height, int width, std::size_t bytes);

// Everything before the image file of an encoded Datum, as Caffe's convert_imageset --encoded
// writes it.
std::string encoded_datum_header(std::size_t bytes);

// Everything after the pixels or the file: the label and, for a file, the flag `encoded`.
std::string datum_trailer(std::int32_t label, bool encoded);

}  // namespace i2cnn
