// Header and target attribute of the AVX2 code.
#pragma once

#include <immintrin.h>

#define I2CNN_AVX2 __attribute__((target("avx2")))
