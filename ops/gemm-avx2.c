/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-avx2.c: micro-kernels of 6 rows by two vectors of 256 bits (AVX2 and FMA).
 */
#include "gemm-tiles.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define FN KT_UNCHECKED __attribute__ ((target ("avx2,fma")))
#define ISA "avx2"
#define MOST_ROWS 6
/* One row: a matrix times a vector; enough chains of sums to hide the latency of one. */
#define MOST_VECTORS                                                                     \
  {                                                                                      \
    0, 8, 4, 3, 2, 2, 2                                                                  \
  }
/* clang-format off */
#define EACH_TILE(X)                                                                     \
  X (1, 1) X (1, 2) X (1, 3) X (1, 4) X (1, 5) X (1, 6) X (1, 7) X (1, 8)                \
  X (2, 1) X (2, 2) X (2, 3) X (2, 4) X (3, 1) X (3, 2) X (3, 3) X (4, 1) X (4, 2)       \
  X (5, 1) X (5, 2) X (6, 1) X (6, 2)
/* clang-format on */
#define DOT_COLS                                                                         \
  {                                                                                      \
    0, 8, 4, 4, 3                                                                        \
  }
#define EACH_DOT(X) X (1, 8) X (2, 4) X (3, 4) X (4, 3)

static const int32_t bits[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

/* -- float --------------------------------------------------------------------------------- */

static inline __attribute__ ((always_inline)) FN __m256i
mask_f32 (int64_t n)
{
  return _mm256_loadu_si256 ((const __m256i *) (bits + 8 - n));
}

/* The sums over N vectors, N a multiple of 4; eight at a time. */
static inline __attribute__ ((always_inline)) FN void
sums_f32 (const __m256 *x, const int n, float *sum)
{
#pragma GCC unroll 2
  for (int i = 0; i < n; i += 8)
    {
      const __m256 a = _mm256_hadd_ps (_mm256_hadd_ps (x[i], x[i + 1]),
                                       _mm256_hadd_ps (x[i + 2], x[i + 3]));
      const __m256 b = i + 4 < n ? _mm256_hadd_ps (_mm256_hadd_ps (x[i + 4], x[i + 5]),
                                                   _mm256_hadd_ps (x[i + 6], x[i + 7]))
                                 : a;
      _mm256_storeu_ps (sum + i, _mm256_add_ps (_mm256_permute2f128_ps (a, b, 0x20),
                                                _mm256_permute2f128_ps (a, b, 0x31)));
    }
}

static inline __attribute__ ((always_inline)) FN void
turn_8 (const __m256 x[8], __m256 out[8])
{
  __m256 pairs[8], fours[8];

#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2)
    {
      pairs[i]     = _mm256_unpacklo_ps (x[i], x[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_ps (x[i], x[i + 1]);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 4)
    {
      fours[i]     = _mm256_shuffle_ps (pairs[i], pairs[i + 2], 0x44);
      fours[i + 1] = _mm256_shuffle_ps (pairs[i], pairs[i + 2], 0xee);
      fours[i + 2] = _mm256_shuffle_ps (pairs[i + 1], pairs[i + 3], 0x44);
      fours[i + 3] = _mm256_shuffle_ps (pairs[i + 1], pairs[i + 3], 0xee);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
    {
      out[i]     = _mm256_permute2f128_ps (fours[i], fours[i + 4], 0x20);
      out[i + 4] = _mm256_permute2f128_ps (fours[i], fours[i + 4], 0x31);
    }
}

FN void
kt_turn_f32 (const void *b_data, int64_t b_col, void *out_data, int64_t pitch,
             int64_t cols, int64_t depth)
{
  const float *const b = b_data;
  float *const out     = out_data;

  for (int64_t j = 0; j < pitch; j += 8)
    for (int64_t p = 0; p < depth; p += 8)
      {
        const int64_t n    = depth - p < 8 ? depth - p : 8;
        const __m256i mask = mask_f32 (n);
        float *const to    = out + p * pitch + j;
        __m256 x[8], y[8];
#pragma GCC unroll 8
        for (int q = 0; q < 8; q++)
          x[q] = j + q >= cols ? _mm256_setzero_ps ()
                 : n == 8      ? _mm256_loadu_ps (b + (j + q) * b_col + p)
                               : _mm256_maskload_ps (b + (j + q) * b_col + p, mask);
        turn_8 (x, y);
#pragma GCC unroll 8
        for (int q = 0; q < 8; q++)
          if (q < n)
            _mm256_storeu_ps (to + q * pitch, y[q]);
      }
}

/* A store under a mask is slow on some processors. */
static inline __attribute__ ((always_inline)) FN void
store_part_f32 (float *to, __m256i mask, __m256 x)
{
  const unsigned n = (unsigned) __builtin_popcount (
      (unsigned) _mm256_movemask_ps (_mm256_castsi256_ps (mask)));
  __m128 part = _mm256_castps256_ps128 (x);

  if (n & 4)
    {
      _mm_storeu_ps (to, part);
      part = _mm256_extractf128_ps (x, 1);
      to += 4;
    }
  if (n & 2)
    {
      _mm_storel_pi ((__m64 *) to, part);
      part = _mm_movehl_ps (part, part);
      to += 2;
    }
  if (n & 1)
    _mm_store_ss (to, part);
}

#define T float
#define V __m256
#define MASK __m256i
#define WIDTH 8
#define NAME(x) x##_avx2_f32
#define LOAD _mm256_loadu_ps
#define LOADM _mm256_maskload_ps
#define STORE _mm256_storeu_ps
#define STOREM store_part_f32
#define SET1 _mm256_set1_ps
#define ZERO _mm256_setzero_ps
#define FMA _mm256_fmadd_ps
#define FULL 99 /* none: 16 registers are enough for each */
#define FMA_FULL(sum, a, b) (sum) = FMA (a, b, sum)
#define MUL _mm256_mul_ps
#define MAX _mm256_max_ps
#define SUMS sums_f32
#define MASK_OF mask_f32
#define TURN kt_turn_f32
#include "gemm-kernel.h"

/* -- double -------------------------------------------------------------------------------- */

static const int64_t wide_bits[8] = { -1, -1, -1, -1 };

static inline __attribute__ ((always_inline)) FN __m256i
mask_f64 (int64_t n)
{
  return _mm256_loadu_si256 ((const __m256i *) (wide_bits + 4 - n));
}

static inline __attribute__ ((always_inline)) FN void
sums_f64 (const __m256d *x, const int n, double *sum)
{
#pragma GCC unroll 16
  for (int i = 0; i < n; i++)
    {
      const __m128d two
          = _mm_add_pd (_mm256_castpd256_pd128 (x[i]), _mm256_extractf128_pd (x[i], 1));
      sum[i] = _mm_cvtsd_f64 (_mm_add_sd (two, _mm_unpackhi_pd (two, two)));
    }
}

FN void
kt_turn_f64 (const void *b_data, int64_t b_col, void *out_data, int64_t pitch,
             int64_t cols, int64_t depth)
{
  const double *const b = b_data;
  double *const out     = out_data;

  for (int64_t j = 0; j < pitch; j++)
    for (int64_t p = 0; p < depth; p++)
      out[p * pitch + j] = j < cols ? b[j * b_col + p] : 0;
}

static inline __attribute__ ((always_inline)) FN void
store_part_f64 (double *to, __m256i mask, __m256d x)
{
  const unsigned n = (unsigned) __builtin_popcount (
      (unsigned) _mm256_movemask_pd (_mm256_castsi256_pd (mask)));
  __m128d part = _mm256_castpd256_pd128 (x);

  if (n & 2)
    {
      _mm_storeu_pd (to, part);
      part = _mm256_extractf128_pd (x, 1);
      to += 2;
    }
  if (n & 1)
    _mm_store_sd (to, part);
}

#define T double
#define V __m256d
#define MASK __m256i
#define WIDTH 4
#define NAME(x) x##_avx2_f64
#define LOAD _mm256_loadu_pd
#define LOADM(p, mask) _mm256_maskload_pd (p, mask)
#define STORE _mm256_storeu_pd
#define STOREM store_part_f64
#define SET1 _mm256_set1_pd
#define ZERO _mm256_setzero_pd
#define FMA _mm256_fmadd_pd
#define FULL 99 /* none: 16 registers are enough for each */
#define FMA_FULL(sum, a, b) (sum) = FMA (a, b, sum)
#define MUL _mm256_mul_pd
#define MAX _mm256_max_pd
#define SUMS sums_f64
#define MASK_OF mask_f64
#define TURN kt_turn_f64
#include "gemm-kernel.h"
#else
typedef int kt_no_avx2;
#endif
