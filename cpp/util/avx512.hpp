// Intrinsics of AVX-512.
#pragma once

// GCC 12 warns that its own AVX-512 intrinsics read uninitialised values.
#pragma GCC diagnostic push
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
