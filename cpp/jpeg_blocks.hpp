// From planes of pixels to the entropy-coded data of a JPEG file (ITU-T T.81, baseline).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "jpeg_tables.hpp"

namespace i2cnn {

// The blocks of one component: AC coefficients coded, DC coefficients not, since their codes depend
// on the order of the blocks.
struct JpegBlocks {
  struct Block {
    std::uint32_t first;   // word of its AC codes
    std::uint32_t length;  // bits of them
    std::int32_t dc;
  };
  // Codes, highest bit first, and which bits are inverted in the block's mirror image.
  struct Word {
    std::uint64_t bits, flips;
  };
  std::size_t across = 0;  // blocks in a row
  std::vector<Block> blocks;
  std::vector<Word> words;     // a block begins with a word of its own
  std::vector<float> columns;  // half-way through the transform

  // Transforms and codes a plane of whole blocks.
  void code(const std::uint8_t* plane, std::size_t width, std::size_t height,
            const JpegTables& tables);
};

// A component's blocks and how many of them, in each direction, are in one unit of the file.
struct JpegComponent {
  const JpegBlocks* blocks;
  const JpegTables* tables;
  std::size_t sampling;
};

// Appends the entropy-coded data of the image or of its mirror image, and the file's end.
void append_scan(const std::vector<JpegComponent>& components, bool mirrored, Bytes& scratch,
                 Bytes& out);

}  // namespace i2cnn
