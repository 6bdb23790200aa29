// Samples patches from a face: one resampling each, straight from the source image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampling/similarity.hpp"
#include "sampling/window.hpp"

namespace i2cnn {

// One box of a patch scheme, in inter-ocular distances. `anchor` is the landmark (0-4) whose
// aligned position the centre is relative to, or -1 for the origin between the eyes.
struct Box {
  int anchor;
  double cx;
  double cy;
  double width;
  double height;
};

// Affine map from patch pixel (column, row) to source pixels, and how many samples a pixel needs.
struct Sampling {
  double x0, y0;     // source position of the centre of patch pixel (0, 0)
  double xc, yc;     // step of one column
  double xr, yr;     // step of one row
  int across, down;  // samples per patch pixel along columns and rows (antialiasing)
};

// Throws std::invalid_argument on a box that is too far away, too large or empty.
std::vector<Sampling> make_samplings(const Similarity& face, const Points& points,
                                     const std::vector<Box>& boxes, int size);

// What the samplings read.
Bounds bounds_of(const std::vector<Sampling>& samplings, int size);

// Samples a patch into out (channels x size x size). Pixels outside the image repeat its border.
// The arithmetic is in integers, so that every instruction set gives the same bits.
void sample_patch(const Window& window, const Sampling& sampling, int size, std::uint8_t* out);

// Left-right mirror of a row, of a plane.
void mirror_row(const std::uint8_t* in, std::size_t size, std::uint8_t* out);
void mirror_plane(const std::uint8_t* in, int size, std::uint8_t* out);

// Three planes' values, `count` each, to interleaved pixels.
void interleave(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* out);

}  // namespace i2cnn
