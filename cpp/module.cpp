// Python bindings. No other file knows Python.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "database/patch_writer.hpp"
#include "docstrings.hpp"
#include "sampling/extract.hpp"
#include "torchcaffe/lrn.hpp"
#include "torchcaffe/pool.hpp"
#include "torchcaffe/sgd.hpp"
#include "util/simd.hpp"

namespace py = pybind11;

namespace {

using namespace i2cnn;

using Image = py::array_t<std::uint8_t>;
using Numbers = py::array_t<double, py::array::c_style | py::array::forcecast>;

ImageView view_of(const Image& image) {
  if (image.ndim() != 2 && image.ndim() != 3) {
    throw std::invalid_argument("an image must be (height, width) or (height, width, 3)");
  }
  const bool planes = image.ndim() == 3;
  return {image.data(),
          image.shape(0),
          image.shape(1),
          planes ? image.shape(2) : 1,
          image.strides(0),
          image.strides(1),
          planes ? image.strides(2) : 0};
}

Points points_of(const Numbers& points) {
  if (points.ndim() != 2 || points.shape(0) != 5 || points.shape(1) != 2) {
    throw std::invalid_argument("points must be five rows of x and y");
  }
  Points result{};
  for (py::ssize_t i = 0; i < 5; ++i) {
    result[static_cast<std::size_t>(i)] = {points.at(i, 0), points.at(i, 1)};
  }
  return result;
}

// Rows of (anchor, cx, cy, width, height).
std::vector<Box> boxes_of(const Numbers& boxes) {
  if (boxes.ndim() != 2 || boxes.shape(1) != 5) {
    throw std::invalid_argument("boxes must have rows of anchor, cx, cy, width, height");
  }
  std::vector<Box> result;
  for (py::ssize_t i = 0; i < boxes.shape(0); ++i) {
    const double anchor = boxes.at(i, 0);
    if (!(anchor >= -1 && anchor <= 4) || anchor != std::floor(anchor)) {
      throw std::invalid_argument("an anchor must be a whole number from -1 to 4");
    }
    result.push_back(
        {static_cast<int>(anchor), boxes.at(i, 1), boxes.at(i, 2), boxes.at(i, 3), boxes.at(i, 4)});
  }
  return result;
}

py::array_t<double> similarity(const Numbers& points, double mouth) {
  const Similarity s = fit_similarity(points_of(points), mouth);
  py::array_t<double> matrix({2, 3});
  auto m = matrix.mutable_unchecked<2>();
  m(0, 0) = s.a;
  m(0, 1) = -s.b;
  m(0, 2) = s.tx;
  m(1, 0) = s.b;
  m(1, 1) = s.a;
  m(1, 2) = s.ty;
  return matrix;
}

// Accepts sequences of integers only; a cast by NumPy would silently truncate fractions.
std::vector<std::int64_t> indices_of(const py::object& patches) {
  const py::array given = py::array::ensure(patches);
  const char kind = given ? given.dtype().kind() : 'O';
  if (!given || given.ndim() != 1 || (given.size() > 0 && kind != 'i' && kind != 'u')) {
    throw std::invalid_argument("patches must be a sequence of integers");
  }
  const py::array_t<std::int64_t, py::array::c_style | py::array::forcecast> whole(given);
  return {whole.data(), whole.data() + whole.size()};
}

py::array_t<std::uint8_t> extract_patches(const Image& image, const Numbers& points,
                                          const Numbers& boxes, double mouth, int size,
                                          const py::object& patches) {
  check_size(size);
  const PatchScheme scheme{boxes_of(boxes), mouth, size};
  const ImageView view = view_of(image);
  check_image(view);
  const Points five = points_of(points);
  const std::vector<std::int64_t> chosen =
      patches.is_none() ? all_patches(scheme) : indices_of(patches);
  std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(chosen.size()), size, size};
  if (image.ndim() == 3) shape.push_back(view.channels);
  py::array_t<std::uint8_t> result(shape);
  std::uint8_t* const out = result.mutable_data();
  {
    const py::gil_scoped_release release;
    extract(view, five, scheme, chosen, out);
  }
  return result;
}

std::unique_ptr<PatchWriter> open_writer(const std::string& folder, const Numbers& boxes,
                                         double mouth, int size, const std::string& encoding,
                                         int quality, int threads) {
  return std::make_unique<PatchWriter>(folder, PatchScheme{boxes_of(boxes), mouth, size},
                                       encoding_of(encoding), quality, threads);
}

// Rows of (rotation, scale, right, down, gain, offset).
std::vector<Jitter> jitters_of(const Numbers& rows) {
  if (rows.ndim() != 2 || rows.shape(0) == 0 || rows.shape(1) != 6) {
    throw std::invalid_argument(
        "jitter must have rows of rotation, scale, right, down, gain, offset");
  }
  std::vector<Jitter> result;
  for (py::ssize_t i = 0; i < rows.shape(0); ++i) {
    result.push_back(
        {rows.at(i, 0), rows.at(i, 1), rows.at(i, 2), rows.at(i, 3), rows.at(i, 4), rows.at(i, 5)});
  }
  return result;
}

void add_face(PatchWriter& writer, const Image& image, const Numbers& points,
              const py::object& patches, std::vector<std::string> keys, std::int32_t label,
              const std::optional<Numbers>& jitter) {
  const ImageView view = view_of(image);
  const Points five = points_of(points);
  std::vector<std::int64_t> chosen = indices_of(patches);
  std::vector<Jitter> jitters;
  if (jitter) jitters = jitters_of(*jitter);
  const py::gil_scoped_release release;
  writer.add(view, five, std::move(chosen), std::move(keys), label, std::move(jitters));
}

py::array_t<float> finish(PatchWriter& writer) {
  const auto size = static_cast<py::ssize_t>(writer.size());
  std::vector<float> mean;
  {
    const py::gil_scoped_release release;
    mean = writer.finish();
  }
  const auto planes = static_cast<py::ssize_t>(mean.size()) / (size * size);
  py::array_t<float> result({planes, size, size});
  std::copy(mean.begin(), mean.end(), result.mutable_data());
  return result;
}

using Floats = py::array_t<float, py::array::c_style>;

// Bit patterns of bfloat16 numbers, which NumPy does not know.
using Halves = py::array_t<std::uint16_t, py::array::c_style>;

const float* numbers_of(const Floats& x) { return x.data(); }
float* numbers_of(Floats& x) { return x.mutable_data(); }
const Bf16* numbers_of(const Halves& x) { return reinterpret_cast<const Bf16*>(x.data()); }
Bf16* numbers_of(Halves& x) { return reinterpret_cast<Bf16*>(x.mutable_data()); }

template <typename Array>
void check_alike(const Array& a, const Array& b) {
  if (a.ndim() != b.ndim() || !std::equal(a.shape(), a.shape() + a.ndim(), b.shape())) {
    throw std::invalid_argument("arrays must have the same shape");
  }
}

Lrn lrn_of(const py::array& x, std::size_t window, float alpha, float k) {
  if (x.ndim() != 2) throw std::invalid_argument("arrays must be (rows, channels)");
  if (window % 2 == 0) throw std::invalid_argument("the window must be odd");
  return {static_cast<std::size_t>(x.shape(0)), static_cast<std::size_t>(x.shape(1)), window, alpha,
          k};
}

template <typename Array>
void lrn_forward_into(const Array& x, Array& y, std::size_t window, float alpha, float k,
                      int threads) {
  check_alike(x, y);
  const Lrn lrn = lrn_of(x, window, alpha, k);
  const auto in = numbers_of(x);
  const auto out = numbers_of(y);
  const py::gil_scoped_release release;
  lrn_forward(lrn, in, out, threads);
}

template <typename Array>
void lrn_backward_into(const Array& x, const Array& dy, Array& dx, std::size_t window, float alpha,
                       float k, int threads) {
  check_alike(x, dy);
  check_alike(x, dx);
  const Lrn lrn = lrn_of(x, window, alpha, k);
  const auto in = numbers_of(x), grad = numbers_of(dy);
  const auto out = numbers_of(dx);
  const py::gil_scoped_release release;
  lrn_backward(lrn, in, grad, out, threads);
}

using Taps = py::array_t<std::uint8_t, py::array::c_style>;

MaxPool pool_of(const py::array& whole, const py::array& pooled, const Sides& kernel,
                const Sides& stride, const Sides& pad) {
  if (whole.ndim() != 4 || pooled.ndim() != 4 || whole.shape(0) != pooled.shape(0) ||
      whole.shape(3) != pooled.shape(3)) {
    throw std::invalid_argument("arrays must be (N, height, width, C) with the same N and C");
  }
  const auto size = [](const py::array& array, py::ssize_t axis) {
    return static_cast<std::size_t>(array.shape(axis));
  };
  const MaxPool pool{size(whole, 0),
                     size(whole, 3),
                     {size(whole, 1), size(whole, 2)},
                     {size(pooled, 1), size(pooled, 2)},
                     kernel,
                     stride,
                     pad};
  for (const std::size_t axis : {0U, 1U}) {
    if (kernel[axis] > kMostTaps) throw std::invalid_argument("the kernel is too large");
    const bool reaches = pool.in[axis] > 0 && pool.out[axis] > 0 && pad[axis] < kernel[axis] &&
                         stride[axis] > 0 &&
                         pool.out[axis] - 1 <= (pool.in[axis] + pad[axis] - 1) / stride[axis];
    if (!reaches) throw std::invalid_argument("a window does not reach into the images");
  }
  if (kernel[0] * kernel[1] > kMostTaps) throw std::invalid_argument("the kernel is too large");
  return pool;
}

template <typename Array>
void max_pool_forward_into(const Array& x, Array& y, std::optional<Taps> tap, const Sides& kernel,
                           const Sides& stride, const Sides& pad, int threads) {
  const MaxPool pool = pool_of(x, y, kernel, stride, pad);
  if (tap) check_alike<py::array>(y, *tap);
  std::uint8_t* const places = tap ? tap->mutable_data() : nullptr;
  const auto in = numbers_of(x);
  const auto out = numbers_of(y);
  const py::gil_scoped_release release;
  max_pool_forward(pool, in, out, places, threads);
}

template <typename Array>
void max_pool_backward_into(const Array& dy, const Taps& tap, Array& dx, const Sides& kernel,
                            const Sides& stride, const Sides& pad, int threads) {
  check_alike<py::array>(dy, tap);
  const MaxPool pool = pool_of(dx, dy, kernel, stride, pad);
  const auto in = numbers_of(dy);
  const auto out = numbers_of(dx);
  const py::gil_scoped_release release;
  max_pool_backward(pool, in, tap.data(), out, threads);
}

void sgd_update_arrays(Floats& weight, Floats& diff, Floats& history, float rate, float momentum,
                       float decay, int threads, std::optional<Halves> narrow) {
  check_alike(weight, diff);
  check_alike(weight, history);
  if (narrow) check_alike<py::array>(weight, *narrow);
  Bf16* const n = narrow ? numbers_of(*narrow) : nullptr;
  float* const w = weight.mutable_data();
  float* const d = diff.mutable_data();
  float* const h = history.mutable_data();
  const auto size = static_cast<std::size_t>(weight.size());
  const py::gil_scoped_release release;
  sgd_update({rate, momentum, decay}, size, w, d, h, n, threads);
}

template <typename Array>
void define_lrn(py::module_& m, const char* forward_doc, const char* backward_doc) {
  m.def("lrn_forward", &lrn_forward_into<Array>, py::arg("x").noconvert(), py::arg("y").noconvert(),
        py::arg("window"), py::arg("alpha"), py::arg("k"), py::arg("threads"), forward_doc);
  m.def("lrn_backward", &lrn_backward_into<Array>, py::arg("x").noconvert(),
        py::arg("dy").noconvert(), py::arg("dx").noconvert(), py::arg("window"), py::arg("alpha"),
        py::arg("k"), py::arg("threads"), backward_doc);
}

template <typename Array>
void define_max_pool(py::module_& m, const char* forward_doc, const char* backward_doc) {
  m.def("max_pool_forward", &max_pool_forward_into<Array>, py::arg("x").noconvert(),
        py::arg("y").noconvert(), py::arg("tap").noconvert(), py::arg("kernel"), py::arg("stride"),
        py::arg("pad"), py::arg("threads"), forward_doc);
  m.def("max_pool_backward", &max_pool_backward_into<Array>, py::arg("dy").noconvert(),
        py::arg("tap").noconvert(), py::arg("dx").noconvert(), py::arg("kernel"), py::arg("stride"),
        py::arg("pad"), py::arg("threads"), backward_doc);
}

}  // namespace

PYBIND11_MODULE(_native, m) {
  m.doc() = "Patches of a face, Caffe databases of them, and inner loops of torchcaffe.";
  py::options options;
  options.disable_function_signatures();  // the docstrings have their own
  m.def("similarity", &similarity, py::arg("points"), py::arg("mouth"), kSimilarityDoc);
  m.def("extract", &extract_patches, py::arg("image").noconvert(), py::arg("points"),
        py::arg("boxes"), py::arg("mouth"), py::arg("size"), py::arg("patches") = py::none(),
        kExtractDoc);
  m.def("simd_level", &simd_level, kSimdLevelDoc);
  m.def("set_simd", &set_simd, py::arg("name"), kSetSimdDoc);
  define_max_pool<Floats>(m, kMaxPoolForwardDoc, kMaxPoolBackwardDoc);
  define_max_pool<Halves>(m, "", "");
  define_lrn<Floats>(m, kLrnForwardDoc, kLrnBackwardDoc);
  define_lrn<Halves>(m, "", "");  // the same functions for other arrays
  m.def("sgd_update", &sgd_update_arrays, py::arg("weight").noconvert(),
        py::arg("diff").noconvert(), py::arg("history").noconvert(), py::arg("rate"),
        py::arg("momentum"), py::arg("decay"), py::arg("threads"),
        py::arg("narrow").noconvert() = py::none(), kSgdUpdateDoc);
  py::class_<PatchWriter>(m, "PatchWriter", kPatchWriterDoc)
      .def(py::init(&open_writer), py::arg("folder"), py::arg("boxes"), py::arg("mouth"),
           py::arg("size"), py::arg("encoding"), py::arg("quality"), py::arg("threads"),
           kPatchWriterInitDoc)
      .def("add", &add_face, py::arg("image").noconvert(), py::arg("points"), py::arg("patches"),
           py::arg("keys"), py::arg("label"), py::arg("jitter") = py::none(), kPatchWriterAddDoc)
      .def("finish", &finish, kPatchWriterFinishDoc)
      .def("close", &PatchWriter::close, py::call_guard<py::gil_scoped_release>(),
           kPatchWriterCloseDoc);
}
