// Header and target attribute of the AVX-512 code.
#pragma once

// GCC 12 warns that its own AVX-512 intrinsics read uninitialised values.
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#define I2CNN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,bmi2")))
