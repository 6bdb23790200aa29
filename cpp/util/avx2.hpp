// What the AVX2 files share.
#pragma once

#include <immintrin.h>

#define I2CNN_AVX2 __attribute__((target("avx2")))
