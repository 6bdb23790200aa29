#include "jpeg_tables.hpp"

#include <cstddef>
#include <cstdio>
// jpeglib.h needs the two above.
#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace i2cnn {

namespace {

struct Errors {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is one to this
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  (*info->err->format_message)(info, errors->message);
  std::longjmp(errors->jump, 1);
}

// Codes by symbol, from the number of codes of each length and the symbols (T.81, annex C).
template <std::size_t n>
void fill(const JHUFF_TBL& table, std::array<JpegCode, n>& codes) {
  std::uint32_t code = 0;
  std::size_t at = 0;
  for (std::uint32_t length = 1; length <= 16; ++length, code <<= 1) {
    for (int i = 0; i < table.bits[length]; ++i, ++code) {
      const std::size_t symbol = table.huffval[at++];
      const auto size = static_cast<std::uint32_t>(symbol & 15);
      if (symbol < n) codes[symbol] = {code << size, length + size};
    }
  }
}

// Bytes of a file before the entropy-coded data: its segments up to the start of the scan.
std::size_t head_size(const unsigned char* file, std::size_t bytes) {
  for (std::size_t i = 2; i + 4 <= bytes;) {
    const bool scan = file[i + 1] == 0xda;
    i += 2 + (std::size_t{file[i + 2]} << 8 | file[i + 3]);
    if (scan) return i;
  }
  throw std::runtime_error("the JPEG encoder wrote a file without a scan");
}

}  // namespace

JpegSetup make_jpeg_setup(int channels, int size, int quality) {
  // An empty image of that size has the head.
  jpeg_compress_struct info;
  Errors errors;
  unsigned char* file = nullptr;
  unsigned long bytes = 0;
  Bytes row(static_cast<std::size_t>(size) * static_cast<std::size_t>(channels));
  JpegSetup setup{};
  info.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = on_error;
  if (setjmp(errors.jump) != 0) {
    jpeg_destroy_compress(&info);
    std::free(file);
    throw std::runtime_error(std::string("the JPEG encoder failed: ") + errors.message);
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &file, &bytes);
  info.image_width = static_cast<JDIMENSION>(size);
  info.image_height = static_cast<JDIMENSION>(size);
  info.input_components = channels;
  info.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  JSAMPROW line = row.data();
  while (info.next_scanline < info.image_height) jpeg_write_scanlines(&info, &line, 1);
  jpeg_finish_compress(&info);
  setup.head.assign(file, file + head_size(file, bytes));
  for (std::size_t t = 0; t < 2; ++t) {
    fill(*info.dc_huff_tbl_ptrs[t], setup.tables[t].dc);
    fill(*info.ac_huff_tbl_ptrs[t], setup.tables[t].ac);
    for (std::size_t i = 0; i < kBlockArea; ++i) {
      setup.tables[t].reciprocal[i] =
          1.0F / static_cast<float>(info.quant_tbl_ptrs[t]->quantval[i]);
    }
  }
  jpeg_destroy_compress(&info);
  std::free(file);
  return setup;
}

}  // namespace i2cnn
