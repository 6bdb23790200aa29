// The face's own coordinate system: a similarity transform fitted to eyes and mouth.
#pragma once

#include <array>

namespace i2cnn {

struct Point {
  double x;
  double y;
};

// left eye, right eye, nose, left mouth corner, right mouth corner, in image pixels.
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

// Least-squares similarity that carries (-0.5, 0), (0.5, 0) and (0, mouth) to the eyes and the
// mid-point of the mouth corners. Throws std::invalid_argument on points that are not finite or
// that leave no face (eyes or all three reference points coincide).
Similarity fit_similarity(const Points& points, double mouth);

}  // namespace i2cnn
