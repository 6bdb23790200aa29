#include "encode.hpp"

#include <jpeglib.h>
#include <libdeflate.h>

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace i2cnn {

namespace {

// Interleaved R, G, B (or gray) pixels.
std::vector<std::uint8_t> interleave(const std::uint8_t* planes, int channels, int size) {
  const std::size_t area = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  std::vector<std::uint8_t> out(area * static_cast<std::size_t>(channels));
  if (channels == 1) {
    std::memcpy(out.data(), planes, area);
    return out;
  }
  for (std::size_t i = 0; i < area; ++i) {
    out[3 * i] = planes[2 * area + i];
    out[3 * i + 1] = planes[area + i];
    out[3 * i + 2] = planes[i];
  }
  return out;
}

void put_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void put_chunk(std::string& out, const char* type, const void* data, std::size_t bytes) {
  put_u32(out, static_cast<std::uint32_t>(bytes));
  const std::size_t start = out.size();
  out.append(type, 4);
  out.append(static_cast<const char*>(data), bytes);
  put_u32(out, libdeflate_crc32(0, out.data() + start, out.size() - start));
}

struct CompressorDeleter {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

libdeflate_compressor* compressor() {
  // Level 1: faces are noisy, higher levels cost much and win little.
  thread_local std::unique_ptr<libdeflate_compressor, CompressorDeleter> instance(
      libdeflate_alloc_compressor(1));
  if (!instance) throw std::bad_alloc();
  return instance.get();
}

struct JpegError {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_jpeg_error(j_common_ptr info) {
  auto* error = reinterpret_cast<JpegError*>(info->err);
  (*info->err->format_message)(info, error->message);
  std::longjmp(error->jump, 1);
}

}  // namespace

std::string encode_png(const std::uint8_t* planes, int channels, int size) {
  const std::vector<std::uint8_t> pixels = interleave(planes, channels, size);
  const std::size_t row = static_cast<std::size_t>(size) * static_cast<std::size_t>(channels);
  // Filter 2 (difference to the row above) suits smooth faces and is quick to undo.
  std::vector<std::uint8_t> filtered((row + 1) * static_cast<std::size_t>(size));
  std::uint8_t* out = filtered.data();
  for (int i = 0; i < size; ++i) {
    const std::uint8_t* line = pixels.data() + static_cast<std::size_t>(i) * row;
    *out++ = i == 0 ? 0 : 2;
    if (i == 0) {
      std::memcpy(out, line, row);
    } else {
      const std::uint8_t* above = line - row;
      for (std::size_t j = 0; j < row; ++j) out[j] = static_cast<std::uint8_t>(line[j] - above[j]);
    }
    out += row;
  }
  std::vector<char> packed(libdeflate_zlib_compress_bound(compressor(), filtered.size()));
  const std::size_t bytes = libdeflate_zlib_compress(compressor(), filtered.data(), filtered.size(),
                                                     packed.data(), packed.size());
  if (bytes == 0) throw std::runtime_error("the PNG encoder failed");
  std::string png("\x89PNG\r\n\x1a\n", 8);
  std::string header;
  put_u32(header, static_cast<std::uint32_t>(size));
  put_u32(header, static_cast<std::uint32_t>(size));
  header.push_back(8);                      // bits a sample
  header.push_back(channels == 1 ? 0 : 2);  // gray or RGB
  header.append(3, '\0');                   // deflate, adaptive filters, not interlaced
  put_chunk(png, "IHDR", header.data(), header.size());
  put_chunk(png, "IDAT", packed.data(), bytes);
  put_chunk(png, "IEND", "", 0);
  return png;
}

std::string encode_jpeg(const std::uint8_t* planes, int channels, int size, int quality) {
  const std::vector<std::uint8_t> pixels = interleave(planes, channels, size);
  jpeg_compress_struct info;
  JpegError error;
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  info.err = jpeg_std_error(&error.base);
  error.base.error_exit = on_jpeg_error;
  if (setjmp(error.jump) != 0) {
    jpeg_destroy_compress(&info);
    std::free(buffer);
    throw std::runtime_error(std::string("the JPEG encoder failed: ") + error.message);
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &buffer, &bytes);
  info.image_width = static_cast<JDIMENSION>(size);
  info.image_height = static_cast<JDIMENSION>(size);
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  const std::size_t row = static_cast<std::size_t>(size) * static_cast<std::size_t>(channels);
  while (info.next_scanline < info.image_height) {
    JSAMPROW line = const_cast<JSAMPROW>(pixels.data() + info.next_scanline * row);
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string out(reinterpret_cast<const char*>(buffer), bytes);
  std::free(buffer);
  return out;
}

}  // namespace i2cnn
