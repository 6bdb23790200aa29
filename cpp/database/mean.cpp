#include "database/mean.hpp"

namespace i2cnn {

void MeanSum::Part::flush() {
  for (std::size_t i = 0; i < recent.size(); ++i) {
    sums[i] += recent[i];
    recent[i] = 0;
  }
  pending = 0;
}

void MeanSum::add(const std::uint8_t* planes, std::size_t bytes, bool plain, bool mirrored) {
  Part& part = parts_[(plain ? 1 : 0) + (mirrored ? 2 : 0)];
  part.recent.resize(bytes);
  part.sums.resize(bytes);
  if (part.pending == 257) part.flush();
  std::uint16_t* sums = part.recent.data();
  for (std::size_t i = 0; i < bytes; ++i) sums[i] = static_cast<std::uint16_t>(sums[i] + planes[i]);
  ++part.pending;
  ++part.count;
}

void MeanSum::collect(int size, std::vector<std::uint64_t>& totals, std::uint64_t& count) {
  const auto width = static_cast<std::size_t>(size);
  for (unsigned copies = 1; copies < 4; ++copies) {
    Part& part = parts_[copies];
    if (part.count == 0) continue;
    part.flush();
    totals.resize(part.sums.size());
    for (std::size_t i = 0; i < part.sums.size(); ++i) {
      const std::size_t column = i % width;
      if ((copies & 1U) != 0) totals[i] += part.sums[i];
      if ((copies & 2U) != 0) totals[i - column + width - 1 - column] += part.sums[i];
    }
    count += part.count * (copies == 3 ? 2 : 1);
  }
}

}  // namespace i2cnn
