/* SPDX-License-Identifier: Apache-2.0
 *
 * sum.h: sums in the fixed order of reduce.h, for reductions and losses.
 *
 *   KETTE_SUM_LOOPS (name)   name_loops: sums of f32, f64, f16, bf16 (in float) and integers
 *                            (modulo 2^n)
 *   kt_sum_f32, kt_sum_f64   the sum of an array
 */
#pragma once
#include "reduce.h"

#define KT_PLUS(a, b) ((a) + (b))
#define KT_SUM_END(a, n) (a)

#define KETTE_SUM_LOOPS(NAME)                                                            \
  KT_REDUCE_FLOATS (NAME, float, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)                      \
  KT_REDUCE_WHOLE (NAME, u32, uint32_t, uint32_t, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)     \
  KT_REDUCE_WHOLE (NAME, u64, uint64_t, uint64_t, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)     \
  static const kt_reduce_loops NAME##_loops[] = {                                        \
    KT_REDUCE_FLOAT_ROWS (NAME, float),                                                  \
    KT_REDUCE_ROW (NAME, u32, KT_I32, uint32_t),                                         \
    KT_REDUCE_ROW (NAME, u32, KT_U32, uint32_t),                                         \
    KT_REDUCE_ROW (NAME, u64, KT_I64, uint64_t),                                         \
    KT_REDUCE_ROW (NAME, u64, KT_U64, uint64_t),                                         \
    { 0 },                                                                               \
  };

/* The sum of up to KT_BLOCK elements: 16 interleaved partial sums, joined in a tree. */
#define KT_SUM_BLOCK(SUFFIX, T)                                                          \
  static inline T kt_sum_block_##SUFFIX (const T *x, int64_t n)                          \
  {                                                                                      \
    T lane[KT_LANES] = { 0 };                                                            \
    int64_t i        = 0;                                                                \
                                                                                         \
    for (; i + KT_LANES <= n; i += KT_LANES)                                             \
      for (int l = 0; l < KT_LANES; l++)                                                 \
        lane[l] += x[i + l];                                                             \
    for (int l = 0; i + l < n; l++)                                                      \
      lane[l] += x[i + l];                                                               \
    for (int half = KT_LANES / 2; half > 0; half /= 2)                                   \
      for (int l = 0; l < half; l++)                                                     \
        lane[l] += lane[l + half];                                                       \
    return lane[0];                                                                      \
  }                                                                                      \
                                                                                         \
  /* The sum of N elements: blocks summed pairwise, the pairs as in a binary counter. */ \
  static inline T kt_sum_##SUFFIX (const T *x, int64_t n)                                \
  {                                                                                      \
    T level[64];                                                                         \
    int64_t done = 0;                                                                    \
                                                                                         \
    if (n <= KT_BLOCK)                                                                   \
      return kt_sum_block_##SUFFIX (x, n);                                               \
    for (int64_t at = 0; at < n; at += KT_BLOCK, done++)                                 \
      {                                                                                  \
        T sum = kt_sum_block_##SUFFIX (x + at, n - at < KT_BLOCK ? n - at : KT_BLOCK);   \
        int l = 0;                                                                       \
        for (; done >> l & 1; l++)                                                       \
          sum = level[l] + sum;                                                          \
        level[l] = sum;                                                                  \
      }                                                                                  \
                                                                                         \
    T total    = 0;                                                                      \
    bool first = true;                                                                   \
    for (int l = 0; done >> l; l++)                                                      \
      if (done >> l & 1)                                                                 \
        {                                                                                \
          total = first ? level[l] : level[l] + total;                                   \
          first = false;                                                                 \
        }                                                                                \
    return total;                                                                        \
  }

KT_SUM_BLOCK (f32, float)
KT_SUM_BLOCK (f64, double)
