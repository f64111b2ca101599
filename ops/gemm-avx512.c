/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-avx512.c: micro-kernels of 14 rows by two vectors of 512 bits (AVX-512F), and which
 * table this processor gets.
 */
#include "gemm-tiles.h"
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define FN KT_UNCHECKED __attribute__ ((target ("avx512f")))
#define ISA "avx512"
#define MOST_ROWS 14
#define MOST_VECTORS                                                                     \
  {                                                                                      \
    0, 8, 8, 6, 6, 5, 4, 3, 3, 2, 2, 2, 2, 2, 2                                          \
  }
/* clang-format off */
#define EACH_TILE(X)                                                                     \
  X (1, 1) X (1, 2) X (1, 3) X (1, 4) X (1, 5) X (1, 6) X (1, 7) X (1, 8)                \
  X (2, 1) X (2, 2) X (2, 3) X (2, 4) X (2, 5) X (2, 6) X (2, 7) X (2, 8)                \
  X (3, 1) X (3, 2) X (3, 3) X (3, 4) X (3, 5) X (3, 6)                                  \
  X (4, 1) X (4, 2) X (4, 3) X (4, 4) X (4, 5) X (4, 6)                                  \
  X (5, 1) X (5, 2) X (5, 3) X (5, 4) X (5, 5) X (6, 1) X (6, 2) X (6, 3) X (6, 4)       \
  X (7, 1) X (7, 2) X (7, 3) X (8, 1) X (8, 2) X (8, 3) X (9, 1) X (9, 2)                \
  X (10, 1) X (10, 2) X (11, 1) X (11, 2) X (12, 1) X (12, 2) X (13, 1) X (13, 2)        \
  X (14, 1) X (14, 2)
/* clang-format on */
#define DOT_COLS                                                                         \
  {                                                                                      \
    0, 8, 8, 4, 4                                                                        \
  }
#define EACH_DOT(X) X (1, 8) X (2, 8) X (3, 4) X (4, 4)

/* SUM += A B, written out: gcc would also put the sum where A was, for which 32 registers are not
 * enough where 28 are sums (a fifth of the time). */
#define ADD_PRODUCT(INSTRUCTION, sum, a, b)                                              \
  __asm__(INSTRUCTION " %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))

/* The sums over N vectors, N a multiple of 4: sums of four vectors side by side. */
static inline __attribute__ ((always_inline)) FN void
sums_f32 (const __m512 *x, const int n, float *sum)
{
#pragma GCC unroll 4
  for (int i = 0; i < n; i += 4)
    {
      const __m512 a = _mm512_add_ps (_mm512_unpacklo_ps (x[i], x[i + 1]),
                                      _mm512_unpackhi_ps (x[i], x[i + 1]));
      const __m512 b = _mm512_add_ps (_mm512_unpacklo_ps (x[i + 2], x[i + 3]),
                                      _mm512_unpackhi_ps (x[i + 2], x[i + 3]));
      const __m512 c = _mm512_add_ps (_mm512_shuffle_ps (a, b, 0x44),
                                      _mm512_shuffle_ps (a, b, 0xee));
      const __m512 d = _mm512_add_ps (c, _mm512_shuffle_f32x4 (c, c, 0x4e));
      _mm_storeu_ps (
          sum + i, _mm_add_ps (_mm512_castps512_ps128 (d),
                               _mm512_castps512_ps128 (_mm512_shuffle_f32x4 (d, d, 1))));
    }
}

static inline __attribute__ ((always_inline)) FN void
sums_f64 (const __m512d *x, const int n, double *sum)
{
#pragma GCC unroll 16
  for (int i = 0; i < n; i++)
    sum[i] = _mm512_reduce_add_pd (x[i]);
}

#define T float
#define V __m512
#define MASK __mmask16
#define WIDTH 16
#define NAME(x) x##_avx512_f32
#define LOAD _mm512_loadu_ps
#define LOADM(p, mask) _mm512_maskz_loadu_ps (mask, p)
#define STORE _mm512_storeu_ps
#define STOREM _mm512_mask_storeu_ps
#define SET1 _mm512_set1_ps
#define ZERO _mm512_setzero_ps
#define FMA _mm512_fmadd_ps
#define FULL 28
#define FMA_FULL(sum, a, b) ADD_PRODUCT ("vfmadd231ps", sum, a, b)
#define MUL _mm512_mul_ps
#define MAX _mm512_max_ps
#define SUMS sums_f32
#define MASK_OF(n) (__mmask16) ((1u << (n)) - 1)
#define TURN kt_turn_f32
#include "gemm-kernel.h"

#define T double
#define V __m512d
#define MASK __mmask8
#define WIDTH 8
#define NAME(x) x##_avx512_f64
#define LOAD _mm512_loadu_pd
#define LOADM(p, mask) _mm512_maskz_loadu_pd (mask, p)
#define STORE _mm512_storeu_pd
#define STOREM _mm512_mask_storeu_pd
#define SET1 _mm512_set1_pd
#define ZERO _mm512_setzero_pd
#define FMA _mm512_fmadd_pd
#define FULL 28
#define FMA_FULL(sum, a, b) ADD_PRODUCT ("vfmadd231pd", sum, a, b)
#define MUL _mm512_mul_pd
#define MAX _mm512_max_pd
#define SUMS sums_f64
#define MASK_OF(n) (__mmask8) ((1u << (n)) - 1)
#define TURN kt_turn_f64
#include "gemm-kernel.h"

const kt_tiles *
kt_tiles_for (int32_t dtype)
{
  const char *const most = getenv ("KETTE_VECTORS");

  if ((dtype != KT_F32 && dtype != KT_F64) || (most && strcmp (most, "none") == 0)
      || !__builtin_cpu_supports ("avx2") || !__builtin_cpu_supports ("fma"))
    return NULL;
  if (!__builtin_cpu_supports ("avx512f") || (most && strcmp (most, "avx2") == 0))
    return dtype == KT_F32 ? &kt_tiles_avx2_f32 : &kt_tiles_avx2_f64;
  return dtype == KT_F32 ? &kt_tiles_avx512_f32 : &kt_tiles_avx512_f64;
}

#else

const kt_tiles *
kt_tiles_for (int32_t dtype)
{
  (void) dtype;
  return NULL;
}

#endif
