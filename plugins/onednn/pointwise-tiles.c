/* SPDX-License-Identifier: Apache-2.0
 *
 * pointwise-tiles.c: the micro-kernels of pointwise.h for AVX-512F. A sum runs over all
 * channels of X in their order, whatever tile it belongs to.
 */
#include "pointwise.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* As in ops/gemm-tiles.h: checks of what unrolls a hundred times take compilers minutes. */
#if defined(__clang__)
#define UNCHECKED __attribute__ ((no_sanitize ("address", "undefined", "coverage")))
#else
#define UNCHECKED __attribute__ ((no_sanitize ("address", "undefined")))
#endif
#define FN UNCHECKED __attribute__ ((target ("avx512f")))
#define INLINE static inline __attribute__ ((always_inline)) FN
/* Pixels are reached from every third one: base, base + step, base + 2 step are addresses that
 * the processor forms by itself. */
#define BASES ((POINT_ROWS + 2) / 3)

/* *SUM += A B. Written out, because gcc would also put the sum where A was: it then runs out of
 * registers, which costs a tenth of the time. */
INLINE void
add_product (__m512 *sum, __m512 a, __m512 b)
{
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(*sum) : "v"(a), "v"(b));
}

/* rows and vectors are constants wherever these are called: the loops unroll, and the sums stay
 * in registers. */
INLINE void
step (const float *const *x, int64_t pixel, int u, const float *w, const int rows,
      const int vectors, __m512 *sums)
{
  __m512 row[POINT_VECTORS];

#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++)
    row[v] = _mm512_loadu_ps (w + v * POINT_WIDTH);
#pragma GCC unroll 14
  for (int i = 0; i < rows; i++)
    {
      const __m512 a = _mm512_set1_ps (x[i / 3][(i % 3) * pixel + u]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++)
        add_product (&sums[i * vectors + v], a, row[v]);
    }
}

/* Two blocks of 8 as a vector; EIGHTS 1: only the first is there. */
INLINE __m512
load_eights (const float *at, int64_t next, int eights)
{
  const __m512 low  = _mm512_castps256_ps512 (_mm256_loadu_ps (at));
  const __m256 high = eights > 1 ? _mm256_loadu_ps (at + next) : _mm256_setzero_ps ();

  return _mm512_castpd_ps (
      _mm512_insertf64x4 (_mm512_castps_pd (low), _mm256_castps_pd (high), 1));
}

INLINE void
store_eights (float *at, int64_t next, int eights, __m512 v)
{
  _mm256_storeu_ps (at, _mm512_castps512_ps256 (v));
  if (eights > 1)
    _mm256_storeu_ps (
        at + next, _mm256_castpd_ps (_mm512_extractf64x4_pd (_mm512_castps_pd (v), 1)));
}

/* The second operand where one is NaN, or both are 0. */
INLINE __m512
rectified (__m512 x)
{
  return _mm512_max_ps (_mm512_setzero_ps (), x);
}

INLINE void
finish (const PointTile *t, const int rows, const int vectors, const __m512 *sums)
{
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++)
    {
      const int64_t at = v * t->y_step;
#pragma GCC unroll 14
      for (int i = 0; i < rows; i++)
        {
          __m512 x = sums[i * vectors + v];
          if (t->sum)
            x = _mm512_add_ps (x, _mm512_loadu_ps (t->sum + at + i * POINT_WIDTH));
          if (t->relu)
            x = rectified (x);
          _mm512_storeu_ps (t->y + at + i * POINT_WIDTH, x);
        }
    }
}

INLINE void
finish_eights (const PointTile *t, const int rows, const int vectors, const __m512 *sums)
{
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++)
    {
      const int64_t at = 2 * v * t->y_step;
      const int eights = t->eights - 2 * v;
#pragma GCC unroll 14
      for (int i = 0; i < rows; i++)
        {
          __m512 x = sums[i * vectors + v];
          if (t->sum)
            x = _mm512_add_ps (x, load_eights (t->sum + at + i * 8, t->y_step, eights));
          if (t->relu)
            x = rectified (x);
          store_eights (t->y + at + i * 8, t->y_step, eights, x);
        }
    }
}

INLINE void
tile (const PointTile *t, const int rows, const int vectors)
{
  const int64_t pixel = t->x_pixel, blocks = t->blocks, block = t->block;
  const int64_t skip = t->x_step - block;
  const float *w     = t->w;
  const float *x[BASES];
  __m512 sums[28];

#pragma GCC unroll 5
  for (int i = 0; i < (rows + 2) / 3; i++)
    x[i] = t->x + 3 * i * pixel;
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++)
    {
      const __m512 begin
          = t->bias ? _mm512_loadu_ps (t->bias + v * POINT_WIDTH) : _mm512_setzero_ps ();
#pragma GCC unroll 14
      for (int i = 0; i < rows; i++)
        sums[i * vectors + v] = begin;
    }

  for (int64_t b = 0; b < blocks; b++)
    {
      /* The next block lies pages behind, where no prefetcher looks. */
#pragma GCC unroll 14
      for (int i = 0; i < rows; i++)
        __builtin_prefetch (x[i / 3] + (i % 3) * pixel + t->x_step, 0, 3);
      /* Addresses are formed once for four channels: between the products is little room. */
      for (int64_t c = 0; c < block; c += 4)
        {
#pragma GCC unroll 4
          for (int u = 0; u < 4; u++)
            step (x, pixel, u, w + u * vectors * POINT_WIDTH, rows, vectors, sums);
          w += 4 * vectors * POINT_WIDTH;
#pragma GCC unroll 5
          for (int i = 0; i < (rows + 2) / 3; i++)
            x[i] += 4;
        }
#pragma GCC unroll 5
      for (int i = 0; i < (rows + 2) / 3; i++)
        x[i] += skip;
    }

  if (t->eights)
    finish_eights (t, rows, vectors, sums);
  else
    finish (t, rows, vectors, sums);
}

/* clang-format off */
#define EACH_TILE(X)                                                                     \
  X (1, 1) X (2, 1) X (3, 1) X (4, 1) X (5, 1) X (6, 1) X (7, 1) X (8, 1) X (9, 1)       \
  X (10, 1) X (11, 1) X (12, 1) X (13, 1) X (14, 1)                                      \
  X (1, 2) X (2, 2) X (3, 2) X (4, 2) X (5, 2) X (6, 2) X (7, 2) X (8, 2) X (9, 2)       \
  X (10, 2) X (11, 2) X (12, 2) X (13, 2) X (14, 2)                                      \
  X (1, 3) X (2, 3) X (3, 3) X (4, 3) X (5, 3) X (6, 3) X (7, 3) X (8, 3) X (9, 3)       \
  X (1, 4) X (2, 4) X (3, 4) X (4, 4) X (5, 4) X (6, 4)
/* clang-format on */
#define TILE(ROWS, VECTORS)                                                              \
  static FN void tile_##ROWS##_##VECTORS (const PointTile *t) { tile (t, ROWS, VECTORS); }
#define IN_TABLE(ROWS, VECTORS) [(ROWS) -1][(VECTORS) -1] = tile_##ROWS##_##VECTORS,

EACH_TILE (TILE)

bool
point_can (void)
{
  return __builtin_cpu_supports ("avx512f");
}

void
point_tile (const PointTile *t)
{
  static void (*const tiles[POINT_ROWS][POINT_VECTORS]) (const PointTile *)
      = { EACH_TILE (IN_TABLE) };

  tiles[t->rows - 1][t->vectors - 1](t);
}

#else

bool
point_can (void)
{
  return false;
}

void
point_tile (const PointTile *t)
{
  (void) t;
}

#endif

int
point_rows (int vectors)
{
  static const int rows[POINT_VECTORS + 1] = { 0, POINT_ROWS, POINT_ROWS, 9, 6 };

  return rows[vectors];
}
