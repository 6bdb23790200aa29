// Caffe's SGD with momentum and L2 decay, in one pass over memory.
#pragma once

#include <cstddef>

#include "torchcaffe/bfloat16.hpp"

namespace i2cnn {

struct Sgd {
  float rate, momentum, decay;
};

// diff += decay * weight; history = momentum * history + rate * diff; diff = history;
// weight -= diff. Rounded as in Caffe, which calls axpy and scal, with a BLAS that has fused
// multiply-add.
//
// `narrow`, unless null, has the gradient instead of `diff`, and takes the weights.
void sgd_update(const Sgd& sgd, std::size_t size, float* weight, float* diff, float* history,
                Bf16* narrow, int threads);

}  // namespace i2cnn
