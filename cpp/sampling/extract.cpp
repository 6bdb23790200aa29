#include "sampling/extract.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "sampling/pixels.hpp"

namespace i2cnn {

namespace {

// Positions in `patches`, sorted by patch, so that those of one box are neighbours and the mirrored
// ones come last.
std::vector<std::size_t> order_by_patch(const std::vector<std::int64_t>& patches) {
  std::vector<std::size_t> order(patches.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return patches[a] < patches[b]; });
  return order;
}

}  // namespace

void extract(const ImageView& view, const Points& points, const PatchScheme& scheme,
             const std::vector<std::int64_t>& patches, std::uint8_t* out) {
  check_size(scheme.size);
  check_patches(patches, scheme);
  const std::vector<Sampling> samplings = make_samplings(points, scheme);
  const auto box_of = [&](std::size_t number) {
    return static_cast<std::size_t>(patches[number] / 2);
  };
  const std::vector<std::size_t> order = order_by_patch(patches);
  std::vector<Sampling> chosen;
  for (const std::size_t number : order) chosen.push_back(samplings[box_of(number)]);
  // Holds only what the chosen patches read. That does not change their bits: a window begins at
  // the border of the image or before all positions read, so its offset is subtracted without
  // rounding.
  const Window window(view, bounds_of(chosen, scheme.size));
  const auto channels = static_cast<std::size_t>(window.channels());
  const auto size = static_cast<std::size_t>(scheme.size);
  const std::size_t bytes = scheme.area() * channels;
  std::vector<std::uint8_t> buffer(bytes);
  PixelRows rows;
  for (std::size_t i = 0; i < order.size();) {
    const std::size_t box = box_of(order[i]);
    // A gray plane is a complete image: unless mirrored, it is sampled directly into its place.
    const bool in_place = channels == 1 && patches[order[i]] % 2 == 0;
    std::uint8_t* const planes = in_place ? out + order[i++] * bytes : buffer.data();
    sample_patch(window, samplings[box], scheme.size, planes);
    for (; i < order.size() && box_of(order[i]) == box; ++i) {
      const bool mirrored = patches[order[i]] % 2 != 0;
      rows.put_patch(planes, channels, size, mirrored, out + order[i] * bytes);
    }
  }
}

}  // namespace i2cnn
