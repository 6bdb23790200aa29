#include "sampling/similarity.hpp"

#include <cmath>
#include <stdexcept>

namespace i2cnn {

namespace {

// Below this many pixels between the eyes there is no face to sample.
constexpr double kSmallestIod = 1.0;
// Farther than any image reaches; keeps positions in fixed point inside 64 bits.
constexpr double kFarthest = 1e6;

}  // namespace

Point Similarity::to_aligned(Point p) const {
  const double square = a * a + b * b;
  const double x = p.x - tx;
  const double y = p.y - ty;
  return {(a * x + b * y) / square, (a * y - b * x) / square};
}

Similarity fit_similarity(const Points& points, double mouth) {
  for (const Point& p : points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
      throw std::invalid_argument("a landmark is not a finite number");
    }
    if (std::abs(p.x) > kFarthest || std::abs(p.y) > kFarthest) {
      throw std::invalid_argument("a landmark is more than a million pixels away");
    }
  }
  const Point left = points[0];
  const Point right = points[1];
  const Point lips{(points[3].x + points[4].x) / 2, (points[3].y + points[4].y) / 2};
  if (std::hypot(right.x - left.x, right.y - left.y) < kSmallestIod) {
    throw std::invalid_argument("the eyes coincide");
  }
  const Point middle{(left.x + right.x) / 2, (left.y + right.y) / 2};
  const double area =
      (right.x - left.x) * (lips.y - middle.y) - (right.y - left.y) * (lips.x - middle.x);
  const double iod = std::hypot(right.x - left.x, right.y - left.y);
  if (std::abs(area) < 0.05 * iod * iod) {
    throw std::invalid_argument("eyes and mouth lie on one line");
  }
  if (area < 0) {
    throw std::invalid_argument(
        "the mouth is on the wrong side of the eyes (are left and right swapped?)");
  }
  const Point target[3] = {left, right, lips};
  const Point model[3] = {{-0.5, 0}, {0.5, 0}, {0, mouth}};
  Point model_mean{0, mouth / 3};
  Point target_mean{(left.x + right.x + lips.x) / 3, (left.y + right.y + lips.y) / 3};
  double dot = 0;
  double cross = 0;
  double norm = 0;
  for (int i = 0; i < 3; ++i) {
    const double u = model[i].x - model_mean.x;
    const double v = model[i].y - model_mean.y;
    const double x = target[i].x - target_mean.x;
    const double y = target[i].y - target_mean.y;
    dot += u * x + v * y;
    cross += u * y - v * x;
    norm += u * u + v * v;
  }
  const double a = dot / norm;
  const double b = cross / norm;
  return {a, b, target_mean.x - (a * model_mean.x - b * model_mean.y),
          target_mean.y - (b * model_mean.x + a * model_mean.y)};
}

}  // namespace i2cnn
