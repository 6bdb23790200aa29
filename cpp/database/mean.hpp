// The mean image of patches, kept on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace i2cnn {

// Sums of planar patches. A patch and its mirror are added at once; the mirrored sums are turned
// only when the totals are asked for.
class MeanSum {
 public:
  // plain, mirrored: which copies of the patch count.
  void add(const std::uint8_t* planes, std::size_t bytes, bool plain, bool mirrored);

  // Adds this sum to totals (planes of size x size), and the patches to count.
  void collect(int size, std::vector<std::uint64_t>& totals, std::uint64_t& count);

 private:
  struct Part {
    std::vector<std::uint16_t> recent;  // at most 257 patches fit
    std::vector<std::uint64_t> sums;
    unsigned pending = 0;
    std::uint64_t count = 0;
    void flush();
  };
  Part parts_[4];  // by which copies count: 1 plain, 2 mirrored, 3 both
};

}  // namespace i2cnn
