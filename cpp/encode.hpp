// Image files in memory: PNG by libdeflate, JPEG by libjpeg-turbo.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace i2cnn {

// planes: channels x size x size, in the order B, G, R for three channels.
std::string encode_png(const std::uint8_t* planes, int channels, int size);
std::string encode_jpeg(const std::uint8_t* planes, int channels, int size, int quality);

}  // namespace i2cnn
