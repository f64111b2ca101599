/* SPDX-License-Identifier: Apache-2.0
 *
 * tiles.h: sums of products by tiles, for matrices and for convolutions that are read as such:
 * 64 x 64 elements of the result per block, 4 x 4 of them per thread, and 16 steps along the
 * sum at a time in shared memory. Each element's sum goes along k in order, by fused
 * multiplications and additions where numbers have them.
 */
#pragma once
#include "kernels/gpu.h"

#define TILE 64
#define DEPTH 16
#define EACH 4 /* x EACH elements of a thread */

/* Variables that each thread has for itself in all phases. */
#ifdef __CUDACC__
#define KT_ON_DEVICE static __device__ __forceinline__
#define KT_INSIDE __host__ __device__ __forceinline__ /* a function of a struct */
#define KT_OWN(T, NAME, N) T NAME[N]
#define KT_MINE(NAME, t) NAME
#else
#define KT_ON_DEVICE static inline
#define KT_INSIDE inline
#define KT_OWN(T, NAME, N) static thread_local T NAME[KT_THREADS][N]
#define KT_MINE(NAME, t) NAME[t]
#endif

KT_HD float
kt_fused (float a, float b, float c)
{
  return fmaf (a, b, c);
}
KT_HD double
kt_fused (double a, double b, double c)
{
  return fma (a, b, c);
}
KT_HD uint64_t
kt_fused (uint64_t a, uint64_t b, uint64_t c)
{
  return a * b + c;
}

/* V, or the nearest number with fewer bits; of two the even one. */
KT_HD float
kt_round_factor (float v, int32_t round)
{
  const uint32_t bits = kt_bits_f32 (v);

  if (round == KT_ROUND_BF16)
    return kt_bf16_to_f32 (kt_f32_to_bf16 (v));
  if (round != KT_ROUND_TF32
      || (bits & 0x7f800000) == 0x7f800000) /* or infinite, or NaN */
    return v;
  return kt_from_bits_f32 ((bits + 0x0fff + (bits >> 13 & 1)) & ~(uint32_t) 0x1fff);
}
KT_HD double
kt_round_factor (double v, int32_t)
{
  return v;
}
KT_HD uint64_t
kt_round_factor (uint64_t v, int32_t)
{
  return v;
}

/* A factor of a node as a number of type W: integers wrap. */
template <class W>
KT_HD W
kt_factor (double v)
{
  return (W) 0.5 > 0 ? (W) v : (W) (int64_t) v;
}

/* All tiles of P, a struct with
 *
 *   rows, cols, count       of the result, and how many of them
 *   a (n, i, k), b (n, k, j)      factors; they are asked for inside only
 *   round ()                      what becomes of them: KT_ROUND_*
 *   from (n, part), to (n, part)  the part's range of k; parts: how many
 *   put (n, part, i, j, sum)      takes an element
 */
template <class W, class P>
KT_ON_DEVICE void
kt_tiles (const P &p)
{
  KT_SHARED W left[DEPTH][TILE + 1], right[DEPTH][TILE + 1];
  KT_OWN (W, sum, EACH * EACH);
  const int64_t down = (p.rows + TILE - 1) / TILE, across = (p.cols + TILE - 1) / TILE;
  const int64_t tiles = down * across * p.count * p.parts;

  for (int64_t tile = KT_BLOCK_INDEX; tile < tiles; tile += KT_N_BLOCKS)
    {
      const int64_t j0 = tile % across * TILE, i0 = tile / across % down * TILE;
      const int64_t rest = tile / across / down, part = rest % p.parts,
                    n   = rest / p.parts;
      const int64_t end = p.to (part);

      KT_EACH (t)
      {
        for (int e = 0; e < EACH * EACH; e++)
          KT_MINE (sum, t)[e] = 0;
      }
      for (int64_t k0 = p.from (part); k0 < end; k0 += DEPTH)
        {
          KT_EACH (t)
          {
            for (int e = t; e < TILE * DEPTH; e += KT_THREADS)
              {
                const int k = e % DEPTH, i = e / DEPTH;
                left[k][i]
                    = i0 + i < p.rows && k0 + k < end
                          ? kt_round_factor ((W) p.a (n, i0 + i, k0 + k), p.round ())
                          : 0;
              }
            for (int e = t; e < TILE * DEPTH; e += KT_THREADS)
              {
                const int j = e % TILE, k = e / TILE;
                right[k][j]
                    = j0 + j < p.cols && k0 + k < end
                          ? kt_round_factor ((W) p.b (n, k0 + k, j0 + j), p.round ())
                          : 0;
              }
          }
          KT_EACH (t)
          {
            const int i = t / (TILE / EACH), j = t % (TILE / EACH);
            for (int k = 0; k < DEPTH; k++)
              for (int e = 0; e < EACH; e++)
                for (int f = 0; f < EACH; f++)
                  KT_MINE (sum, t)
            [e * EACH + f] = kt_fused (left[k][i + e * (TILE / EACH)],
                                       right[k][j + f * (TILE / EACH)],
                                       KT_MINE (sum, t)[e * EACH + f]);
          }
        }
      KT_EACH (t)
      {
        const int i = t / (TILE / EACH), j = t % (TILE / EACH);
        for (int e = 0; e < EACH; e++)
          for (int f = 0; f < EACH; f++)
            {
              const int64_t row = i0 + i + e * (TILE / EACH),
                            col = j0 + j + f * (TILE / EACH);
              if (row < p.rows && col < p.cols)
                p.put (n, part, row, col, KT_MINE (sum, t)[e * EACH + f]);
            }
      }
    }
}

/* Tiles of P, for the launch. */
#define KT_TILES_OF(ROWS, COLS)                                                          \
  ((((ROWS) + TILE - 1) / TILE) * (((COLS) + TILE - 1) / TILE))
