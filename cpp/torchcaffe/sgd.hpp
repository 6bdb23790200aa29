// Caffe's SGD with momentum and L2 decay, in one pass over memory.
#pragma once

#include <cstddef>

namespace i2cnn {

struct Sgd {
  float rate, momentum, decay;
};

// diff += decay * weight; history = momentum * history + rate * diff; diff = history;
// weight -= diff. Rounded as in Caffe, which calls axpy and scal, with a BLAS that has fused
// multiply-add.
void sgd_update(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history,
                int threads);

}  // namespace i2cnn
