/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax.h: the family of operators that look at a tensor in slices along one axis: Softmax,
 * LogSoftmax and their gradients.
 */
#pragma once
#include "elementwise.h"
#include "sum.h"

/* A slice has LENGTH elements STEP apart. rows: N slices one after another, step 1. columns:
 * N <= KT_SOFTMAX_COLUMNS slices side by side. B is the second input; y may be a or b. */
#define KT_SOFTMAX_COLUMNS 64
typedef void kt_softmax_loop (const void *a, const void *b, void *y, int64_t n,
                              int64_t length, int64_t step);

typedef struct kt_softmax_loops
{
  kt_softmax_loop *rows_f32, *columns_f32, *rows_f64, *columns_f64;
} kt_softmax_loops;

/* Output 0 is like input 0; the INT attribute axis is in range. */
kt_status kt_softmax_infer (const kt_host *host, kt_infer *infer, void *user);
/* user: the loops. */
kt_status kt_softmax_prepare (const kt_host *host, kt_prep *prep, void *user,
                              void **state);
kt_status kt_softmax_run (const kt_host *host, kt_run *run, void *state);

/* Versions below 13 flatten to a matrix at axis (default 1) and work on its rows. A body that
 * emits the operator named by user. */
kt_status kt_softmax_old (const kt_host *host, kt_graph *g, void *user);

/* ReduceSum or ReduceMax of X along the node's axis, which stays with size 1. */
kt_value kt_softmax_reduced (const kt_host *host, kt_graph *g, const char *op,
                             kt_value x);

/* The largest of N >= 1 elements, NaN if one is: 16 interleaved partial results. */
#define KT_LARGEST(SUFFIX, T)                                                            \
  KT_INLINE T kt_largest_##SUFFIX (const T *x, int64_t n)                                \
  {                                                                                      \
    T lane[KT_LANES], m = x[0];                                                          \
    int64_t i = 1;                                                                       \
                                                                                         \
    if (n >= 2 * KT_LANES)                                                               \
      {                                                                                  \
        for (int l = 0; l < KT_LANES; l++)                                               \
          lane[l] = x[l];                                                                \
        for (i = KT_LANES; i + KT_LANES <= n; i += KT_LANES)                             \
          for (int l = 0; l < KT_LANES; l++)                                             \
            lane[l] = kt_max (lane[l], x[i + l]);                                        \
        for (int l = 0; l < KT_LANES; l++)                                               \
          m = kt_max (m, lane[l]);                                                       \
      }                                                                                  \
    for (; i < n; i++)                                                                   \
      m = kt_max (m, x[i]);                                                              \
    return m;                                                                            \
  }

KT_LARGEST (f32, float)
KT_LARGEST (f64, double)

/* The loops NAME_rows_SUFFIX and NAME_columns_SUFFIX for elements of type T:
 *   m    the largest element of the slice of a where MAX, else 0
 *   sum  of TERM (a, b, m), in E (suffix ES), which y keeps where KEEP
 *   y    = FINAL (a, b, m, WHOLE (sum), y) */
#define KT_SOFTMAX_LOOPS(NAME, SUFFIX, T, ES, E, MAX, KEEP, TERM, WHOLE, FINAL)          \
  KT_VECTOR static void NAME##_rows_##SUFFIX (const void *a_data, const void *b_data,    \
                                              void *y_data, int64_t n, int64_t length,   \
                                              int64_t step)                              \
  {                                                                                      \
    (void) b_data;                                                                       \
    (void) step;                                                                         \
    for (int64_t row = 0; row < n; row++)                                                \
      {                                                                                  \
        const T *const a = (const T *) a_data + row * length;                            \
        const T *const b = b_data ? (const T *) b_data + row * length : a;               \
        T *const y       = (T *) y_data + row * length;                                  \
        const T m        = MAX ? kt_largest_##SUFFIX (a, length) : 0;                    \
        E e[KT_BLOCK];                                                                   \
        double sum = 0;                                                                  \
        (void) b;                                                                        \
        (void) m;                                                                        \
        for (int64_t first = 0, k; first < length; first += k)                           \
          {                                                                              \
            E *const t = KEEP ? (E *) (void *) (y + first) : e;                          \
            k          = length - first < KT_BLOCK ? length - first : KT_BLOCK;          \
            for (int64_t i = 0; i < k; i++)                                              \
              t[i] = TERM (a[first + i], b[first + i], m);                               \
            sum += (double) kt_sum_##ES (t, k);                                          \
          }                                                                              \
        const T s = WHOLE ((T) sum);                                                     \
        KT_LOOP for (int64_t i = 0; i < length; i++)                                     \
        {                                                                                \
          y[i] = FINAL (a[i], b[i], m, s, y[i]);                                         \
        }                                                                                \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void NAME##_columns_##SUFFIX (const void *a_data, const void *b_data, \
                                                 void *y_data, int64_t n,                \
                                                 int64_t length, int64_t step)           \
  {                                                                                      \
    const T *const a = a_data, *const b = b_data ? b_data : a_data;                      \
    T *const y = y_data;                                                                 \
    T m[KT_SOFTMAX_COLUMNS], sum[KT_SOFTMAX_COLUMNS] = { 0 };                            \
                                                                                         \
    (void) b;                                                                            \
    for (int64_t j = 0; j < n; j++)                                                      \
      m[j] = MAX ? a[j] : 0;                                                             \
    for (int64_t i = 1; MAX && i < length; i++)                                          \
      for (int64_t j = 0; j < n; j++)                                                    \
        m[j] = kt_max (m[j], a[i * step + j]);                                           \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        {                                                                                \
          const T t = (T) TERM (a[i * step + j], b[i * step + j], m[j]);                 \
          if (KEEP)                                                                      \
            y[i * step + j] = t;                                                         \
          sum[j] += t;                                                                   \
        }                                                                                \
    for (int64_t j = 0; j < n; j++)                                                      \
      sum[j] = WHOLE (sum[j]);                                                           \
    for (int64_t i = 0; i < length; i++)                                                 \
      KT_LOOP for (int64_t j = 0; j < n; j++)                                            \
      {                                                                                  \
        y[i * step + j]                                                                  \
            = FINAL (a[i * step + j], b[i * step + j], m[j], sum[j], y[i * step + j]);   \
      }                                                                                  \
  }

/* f16 and bf16 go through float, a piece at a time. */
#define KT_SOFTMAX_KERNEL(NAME, ...)                                                     \
  static const kt_softmax_loops NAME##_loops                                             \
      = { NAME##_rows_f32, NAME##_columns_f32, NAME##_rows_f64, NAME##_columns_f64 };    \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = KT_FLOAT_TYPES, .flags = KT_CPU_FLAGS,                   \
            .user    = (void *) &NAME##_loops,                                           \
            .n_alias = sizeof ((const kt_alias[]){ __VA_ARGS__ }) / sizeof (kt_alias),   \
            .alias = (const kt_alias[]){ __VA_ARGS__ }, .prepare = kt_softmax_prepare,   \
            .run = kt_softmax_run },                                                     \
          { 0 } };
