#include <cstddef>
#include <cstdio>
// jpeglib.h needs the two headers above.
#include <jpeglib.h>

#include <algorithm>
#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "encoding/encoders.hpp"

namespace i2cnn {

struct JpegEncoder::State {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  int quality;
  int channels = 0;  // for which the parameters are set
  Bytes padded;
  unsigned char* buffer = nullptr;
  unsigned long capacity = 0;
};

namespace {

[[noreturn]] void on_error(j_common_ptr info) {
  auto* state = static_cast<std::jmp_buf*>(info->client_data);
  std::longjmp(*state, 1);
}

// Gray rows need no conversion, so whole blocks of them are passed as raw data, which saves libjpeg
// two copies. At the border a block repeats the last row and column, as libjpeg itself does.
void write_gray(const std::uint8_t* pixels, int size, JpegEncoder::State& s) {
  const auto width = static_cast<std::size_t>(size);
  const std::size_t blocks = (width + DCTSIZE - 1) / DCTSIZE * DCTSIZE;
  if (blocks != width) {
    s.padded.resize(blocks * width);
    for (std::size_t i = 0; i < width; ++i) {
      std::uint8_t* row = s.padded.data() + i * blocks;
      std::memcpy(row, pixels + i * width, width);
      std::memset(row + width, row[width - 1], blocks - width);
    }
    pixels = s.padded.data();
  }
  while (s.info.next_scanline < s.info.image_height) {
    JSAMPROW lines[DCTSIZE];
    for (std::size_t i = 0; i < DCTSIZE; ++i) {
      const std::size_t row = std::min(s.info.next_scanline + i, width - 1);
      lines[i] = const_cast<JSAMPROW>(pixels + row * blocks);
    }
    JSAMPARRAY planes[] = {lines};
    jpeg_write_raw_data(&s.info, planes, DCTSIZE);
  }
}

void write_color(const std::uint8_t* pixels, int size, JpegEncoder::State& s) {
  const std::size_t row = 3 * static_cast<std::size_t>(size);
  while (s.info.next_scanline < s.info.image_height) {
    JSAMPROW lines[16];
    JDIMENSION count = 0;
    for (; count < 16 && s.info.next_scanline + count < s.info.image_height; ++count) {
      lines[count] = const_cast<JSAMPROW>(pixels + (s.info.next_scanline + count) * row);
    }
    jpeg_write_scanlines(&s.info, lines, count);
  }
}

void reserve_buffer(JpegEncoder::State& s, unsigned long bytes) {
  if (s.capacity >= bytes) return;
  std::free(s.buffer);
  s.buffer = static_cast<unsigned char*>(std::malloc(bytes));
  s.capacity = s.buffer == nullptr ? 0 : bytes;
  if (s.buffer == nullptr) throw std::bad_alloc();
}

void set_parameters(JpegEncoder::State& s, int channels, int size) {
  s.info.image_width = static_cast<JDIMENSION>(size);
  s.info.image_height = static_cast<JDIMENSION>(size);
  if (s.channels != channels) {
    s.info.input_components = channels;
    s.info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_EXT_BGR;
    jpeg_set_defaults(&s.info);
    jpeg_set_quality(&s.info, s.quality, TRUE);
    s.channels = channels;
  }
  s.info.raw_data_in = channels == 1 ? TRUE : FALSE;
}

}  // namespace

JpegEncoder::JpegEncoder(int quality) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.quality = quality;
  s.info.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_error;
  if (setjmp(s.jump) != 0) throw std::runtime_error("the JPEG encoder cannot be set up");
  s.info.client_data = &s.jump;
  jpeg_create_compress(&s.info);
}

JpegEncoder::~JpegEncoder() {
  jpeg_destroy_compress(&state_->info);
  std::free(state_->buffer);
}

void JpegEncoder::load(const std::uint8_t* planes, int channels, int size) {
  planes_ = planes;
  channels_ = channels;
  size_ = size;
}

void JpegEncoder::append(bool mirrored, Bytes& out) {
  State& s = *state_;
  const auto size = static_cast<std::size_t>(size_);
  const auto channels = static_cast<std::size_t>(channels_);
  image_.resize(size * size * channels);
  pixels_.put_patch(planes_, channels, size, mirrored, image_.data());
  // Enough for most files; libjpeg allocates a larger buffer of its own if it has to.
  reserve_buffer(s, 2 * image_.size() + 4096);
  unsigned char* buffer = s.buffer;
  unsigned long bytes = s.capacity;
  if (setjmp(s.jump) != 0) {
    (*s.errors.format_message)(reinterpret_cast<j_common_ptr>(&s.info), s.message);
    jpeg_abort_compress(&s.info);
    throw std::runtime_error(std::string("the JPEG encoder failed: ") + s.message);
  }
  jpeg_mem_dest(&s.info, &buffer, &bytes);
  set_parameters(s, channels_, size_);
  jpeg_start_compress(&s.info, TRUE);
  if (channels_ == 1) {
    write_gray(image_.data(), size_, s);
  } else {
    write_color(image_.data(), size_, s);
  }
  jpeg_finish_compress(&s.info);
  out.insert(out.end(), buffer, buffer + bytes);
  if (buffer != s.buffer) std::free(buffer);
}

}  // namespace i2cnn
