/* SPDX-License-Identifier: Apache-2.0
 *
 * pool-max.c: the largest elements of the windows of a row, and where they are.
 */
#include "pool.h"

#define ITSELF(x) (x)
#define LARGER(a, b) ((b) > (a) ? (b) : (a))

/* One cell for N outputs: T the plane's elements, A those of BEST. A NaN stays. */
#define MAX_LOOPS(SUFFIX, T, A, LOAD, LOWEST, MAX, IS_NAN)                               \
  KT_INLINE void best_##SUFFIX (const T *restrict x, int64_t step, A *restrict best,     \
                                int64_t n)                                               \
  {                                                                                      \
    for (int64_t q = 0; q < n; q++)                                                      \
      {                                                                                  \
        const A v = LOAD (x[q * step]);                                                  \
        best[q]   = MAX (best[q], v);                                                    \
      }                                                                                  \
  }                                                                                      \
  KT_INLINE void first_##SUFFIX (const T *restrict x, int64_t step, A *restrict best,    \
                                 int32_t *restrict cell, int32_t number, int64_t n)      \
  {                                                                                      \
    for (int64_t q = 0; q < n; q++)                                                      \
      {                                                                                  \
        const A v = LOAD (x[q * step]), b = best[q];                                     \
        const int take = (v > b) | (IS_NAN (v) & !IS_NAN (b)) | (cell[q] < 0);           \
        best[q]        = take ? v : b;                                                   \
        cell[q]        = take ? number : cell[q];                                        \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void row_##SUFFIX (const kt_pool *pool, const void *x_data,           \
                                      int64_t row, void *best_data, int32_t *cell)       \
  {                                                                                      \
    const int32_t last   = pool->w.n - 1;                                                \
    const int64_t stride = pool->w.stride[last], begin = pool->w.begin[last];            \
    A *const best = best_data;                                                           \
    kt_pool_walk walk;                                                                   \
                                                                                         \
    for (int64_t q = 0; q < pool->width; q++)                                            \
      best[q] = LOWEST;                                                                  \
    for (int64_t q = 0; cell && q < pool->width; q++)                                    \
      cell[q] = -1;                                                                      \
    for (bool more = kt_pool_first (pool, row, &walk); more;                             \
         more      = kt_pool_next (pool, &walk))                                         \
      for (int64_t j = 0; j < pool->w.kernel[last]; j++)                            \
        {                                                                           \
               const int64_t q = pool->range[j].first, n = pool->range[j].end - q;       \
               const T *const x = (const T *) x_data + walk.offset + q * stride          \
                                  + j * pool->w.dilation[last] - begin;                  \
               const int32_t number = (int32_t) (walk.cell + j);                         \
               if (n <= 0)                                                               \
            continue;                                                               \
          if (cell && stride == 2)                                                  \
            first_##SUFFIX (x, 2, best + q, cell + q, number, n);                   \
          else if (cell)                                                            \
            first_##SUFFIX (x, stride, best + q, cell + q, number, n);              \
          else if (stride == 1)                                                     \
            best_##SUFFIX (x, 1, best + q, n);                                      \
          else if (stride == 2)                                                     \
            best_##SUFFIX (x, 2, best + q, n);                                      \
          else                                                                      \
            best_##SUFFIX (x, stride, best + q, n);                                 \
        }                                                                           \
  }

#define NEVER(x) 0
#define IS_NAN(x) ((x) != (x))

MAX_LOOPS (f32, float, float, ITSELF, -INFINITY, kt_max_f32, IS_NAN)
MAX_LOOPS (f64, double, double, ITSELF, (double) -INFINITY, kt_max_f64, IS_NAN)
MAX_LOOPS (f16, uint16_t, float, kt_f16_to_f32, -INFINITY, kt_max_f32, IS_NAN)
MAX_LOOPS (bf16, uint16_t, float, kt_bf16_to_f32, -INFINITY, kt_max_f32, IS_NAN)
MAX_LOOPS (i8, int8_t, int8_t, ITSELF, INT8_MIN, LARGER, NEVER)
MAX_LOOPS (u8, uint8_t, uint8_t, ITSELF, 0, LARGER, NEVER)

kt_max_row *
kt_max_row_for (int32_t dtype)
{
  switch (dtype)
    {
    case KT_F32:
      return row_f32;
    case KT_F64:
      return row_f64;
    case KT_F16:
      return row_f16;
    case KT_BF16:
      return row_bf16;
    case KT_I8:
      return row_i8;
    default:
      return row_u8;
    }
}
