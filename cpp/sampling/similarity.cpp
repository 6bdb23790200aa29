#include "sampling/similarity.hpp"

#include <cmath>
#include <stdexcept>

namespace i2cnn {

namespace {

// With fewer pixels between the eyes there is no face to sample.
constexpr double kMinIod = 1.0;
// Beyond any image; keeps positions in fixed point within 64 bits.
constexpr double kMaxCoordinate = 1e6;
// In inter-ocular distances, as a box of a scheme may be far away.
constexpr double kMaxMouth = 1000;

Point middle_of(Point a, Point b) { return {(a.x + b.x) / 2, (a.y + b.y) / 2}; }

// Throws std::invalid_argument unless the landmarks are those of an upright or rotated face.
void check_landmarks(const Points& points) {
  for (const Point& p : points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) {
      throw std::invalid_argument("a landmark is not a finite number");
    }
    if (std::abs(p.x) > kMaxCoordinate || std::abs(p.y) > kMaxCoordinate) {
      throw std::invalid_argument("a landmark is more than a million pixels away");
    }
  }
  const Point left = points[0];
  const Point right = points[1];
  const Point lips = middle_of(points[3], points[4]);
  const Point eyes = middle_of(left, right);
  const double iod = std::hypot(right.x - left.x, right.y - left.y);
  if (iod < kMinIod) throw std::invalid_argument("the eyes coincide");
  const double area =
      (right.x - left.x) * (lips.y - eyes.y) - (right.y - left.y) * (lips.x - eyes.x);
  if (std::abs(area) < 0.05 * iod * iod) {
    throw std::invalid_argument("eyes and mouth lie on one line");
  }
  if (area < 0) {
    throw std::invalid_argument(
        "the mouth is on the wrong side of the eyes (left and right are the viewer's)");
  }
}

}  // namespace

Point Similarity::to_aligned(Point p) const {
  const double square = a * a + b * b;
  const double x = p.x - tx;
  const double y = p.y - ty;
  return {(a * x + b * y) / square, (a * y - b * x) / square};
}

Similarity fit_similarity(const Points& points, double mouth) {
  if (!(mouth > 0 && mouth <= kMaxMouth)) {
    throw std::invalid_argument("the mouth's distance from the eyes must be above 0, at most 1000");
  }
  check_landmarks(points);
  const Point left = points[0];
  const Point right = points[1];
  const Point lips = middle_of(points[3], points[4]);
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
