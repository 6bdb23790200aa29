// The coordinate system of a face: a similarity transform fitted to the eyes and the mouth.
#pragma once

#include <array>

namespace i2cnn {

struct Point {
  double x;
  double y;
};

// Left eye, right eye, nose, left mouth corner, right mouth corner, in image pixels.
using Points = std::array<Point, 5>;

// Maps aligned coordinates (inter-ocular distances, origin between the eyes, y down) to pixels:
// x = a * u - b * v + tx, y = b * u + a * v + ty.
struct Similarity {
  double a;
  double b;
  double tx;
  double ty;

  Point to_pixels(Point p) const { return {a * p.x - b * p.y + tx, b * p.x + a * p.y + ty}; }
  Point to_aligned(Point p) const;
};

// Least-squares similarity that maps (-0.5, 0), (0.5, 0) and (0, mouth) to the eyes and the middle
// of the mouth corners. Throws std::invalid_argument if `mouth` is not above 0 or too large, a
// landmark is not finite or too far away, the eyes coincide, or eyes and mouth lie on one line or
// are mirrored.
Similarity fit_similarity(const Points& points, double mouth);

}  // namespace i2cnn
