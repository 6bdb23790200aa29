// Sums of patches, for the mean image of a database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace i2cnn {

// Sums of planar patches. A patch and its mirror image are added in one step; sums of mirror images
// are mirrored only in collect().
class MeanSum {
 public:
  // `plain` and `mirrored` tell which of the patch and its mirror image count.
  void add(const std::uint8_t* planes, std::size_t bytes, bool plain, bool mirrored);

  // Adds the sums to `totals` (planes of size x size) and the number of patches to `count`.
  void collect(int size, std::vector<std::uint64_t>& totals, std::uint64_t& count);

 private:
  struct Part {
    std::vector<std::uint16_t> recent;  // sums of at most 257 patches, which fit 16 bits
    std::vector<std::uint64_t> sums;
    unsigned pending = 0;
    std::uint64_t count = 0;
    void flush();
  };
  Part parts_[4];  // by what counts: 1 the patch, 2 its mirror image, 3 both
};

}  // namespace i2cnn
