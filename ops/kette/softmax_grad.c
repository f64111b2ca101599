/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SoftmaxGrad: dx = y (dy - sum (dy y)) along an axis, where y = Softmax (x).
 */
#include "elementwise.h"
#include "emit.h"
#include "softmax.h"

#define LANES 16 /* partial sums of a row */

#define SOFTMAX_GRAD(SUFFIX, T)                                                          \
  KT_VECTOR static void softmax_grad_rows_##SUFFIX (                                     \
      const void *dy_data, const void *y_data, void *dx_data, int64_t n, int64_t length, \
      int64_t step)                                                                      \
  {                                                                                      \
    (void) step;                                                                         \
    for (int64_t row = 0; row < n; row++)                                                \
      {                                                                                  \
        const T *const dy  = (const T *) dy_data + row * length;                         \
        const T *const y   = (const T *) y_data + row * length;                          \
        T *const dx        = (T *) dx_data + row * length;                               \
        double lane[LANES] = { 0 };                                                      \
        int64_t i          = 0;                                                          \
        for (; i + LANES <= length; i += LANES)                                          \
          for (int l = 0; l < LANES; l++)                                                \
            lane[l] += (double) dy[i + l] * (double) y[i + l];                           \
        for (int l = 0; i + l < length; l++)                                             \
          lane[l] += (double) dy[i + l] * (double) y[i + l];                             \
        for (int half = LANES / 2; half > 0; half /= 2)                                  \
          for (int l = 0; l < half; l++)                                                 \
            lane[l] += lane[l + half];                                                   \
        const T sum = (T) lane[0];                                                       \
        for (i = 0; i < length; i++)                                                     \
          dx[i] = y[i] * (dy[i] - sum);                                                  \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void softmax_grad_columns_##SUFFIX (                                  \
      const void *dy_data, const void *y_data, void *dx_data, int64_t n, int64_t length, \
      int64_t step)                                                                      \
  {                                                                                      \
    const T *const dy = dy_data, *const y = y_data;                                      \
    T *const dx               = dx_data;                                                 \
    T sum[KT_SOFTMAX_COLUMNS] = { 0 };                                                   \
                                                                                         \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        sum[j] += dy[i * step + j] * y[i * step + j];                                    \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        dx[i * step + j] = y[i * step + j] * (dy[i * step + j] - sum[j]);                \
  }

SOFTMAX_GRAD (f32, float)
SOFTMAX_GRAD (f64, double)
KT_SOFTMAX_KERNEL (softmax_grad, { 0, 0, 0, 0 }, { 1, 0, 0, 0 })

static kt_status
softmax_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), y = host->g_in (g, 1);
  const kt_value sum = kt_softmax_reduced (host, g, "ReduceSum", kt_mul (host, g, dy, y));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, y, kt_sub (host, g, dy, sum)));
}

const kt_operator kette_op_softmax_grad = {
  .op     = { KT_OP ("SoftmaxGrad", 1), .flags = KT_OP_PURE, .infer = kt_softmax_infer,
              .body = softmax_grad_body },
  .kernel = softmax_grad_kernel,
};
