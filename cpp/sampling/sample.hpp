// Samples patches of a face: each by one resampling, directly from the source image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampling/similarity.hpp"
#include "sampling/window.hpp"

namespace i2cnn {

// One box of a patch scheme, in inter-ocular distances. The centre is relative to the landmark
// `anchor` (0 to 4), or to the middle of the eyes if that is -1.
struct Box {
  int anchor;
  double cx;
  double cy;
  double width;
  double height;
};

// A patch scheme and the size of its patches. Patch 2 i is box i, patch 2 i + 1 its mirror image.
struct PatchScheme {
  std::vector<Box> boxes;
  double mouth;  // distance from the eyes to the mouth, in inter-ocular distances
  int size;      // side of a patch in pixels

  // Pixels of a patch.
  std::size_t area() const {
    return static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
  }
};

// Throws std::invalid_argument unless patches can have this side.
void check_size(int size);

// Indices of all patches of the scheme.
std::vector<std::int64_t> all_patches(const PatchScheme& scheme);

// Throws std::invalid_argument if an index is not that of a patch of the scheme.
void check_patches(const std::vector<std::int64_t>& patches, const PatchScheme& scheme);

// Affine map from a patch pixel (column, row) to source pixels, and the number of samples per
// pixel.
struct Sampling {
  double x0, y0;     // source position of the centre of patch pixel (0, 0)
  double xc, yc;     // step of one column
  double xr, yr;     // step of one row
  int across, down;  // samples per patch pixel along columns and rows (antialiasing)
};

// How a jittered patch departs from its exact one.
struct Jitter {
  double rotation;      // radians, about the middle of the patch, from x towards y
  double scale;         // 2 covers an area twice as wide and high
  double right, down;   // shift of the middle in widths and heights of the patch, along its sides
  double gain, offset;  // gray level v becomes 128 + gain * (v - 128) + offset
};

// Throws std::invalid_argument unless all values are finite and of sensible size.
void check_jitter(const Jitter& jitter);

// The sampling of a jittered patch: rotation, scale and shift composed with those of the exact one.
Sampling jittered(const Sampling& sampling, const Jitter& jitter, int size);

// Applies gain and offset to gray levels, rounded to the nearest and clipped to 0 .. 255.
void change_tone(const Jitter& jitter, std::uint8_t* values, std::size_t count);

// One sampling per box of the scheme. Throws std::invalid_argument if the landmarks leave no face,
// or a box is too far away, too large or empty.
std::vector<Sampling> make_samplings(const Points& points, const PatchScheme& scheme);

// Bounds of all positions that the samplings read.
Bounds bounds_of(const std::vector<Sampling>& samplings, int size);

// Samples a patch into `out` (channels x size x size). Pixels outside the image repeat its border.
// The arithmetic is in integers, so every instruction set gives the same bits.
void sample_patch(const Window& window, const Sampling& sampling, int size, std::uint8_t* out);

}  // namespace i2cnn
