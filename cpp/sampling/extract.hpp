// Extracts patches of one face as images in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "sampling/sample.hpp"
#include "sampling/similarity.hpp"
#include "sampling/window.hpp"

namespace i2cnn {

// Samples the chosen patches into `out`, in the order of `patches`: each size x size pixels with
// interleaved channels. A box is sampled once, however many of its patches are chosen, so mirror
// pairs are exact. A patch has the same bits whichever others are chosen.
void extract(const ImageView& view, const Points& points, const PatchScheme& scheme,
             const std::vector<std::int64_t>& patches, std::uint8_t* out);

}  // namespace i2cnn
