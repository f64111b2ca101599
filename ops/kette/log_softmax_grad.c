/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.LogSoftmaxGrad: dx = dy - e^y sum (dy) along an axis, where y = LogSoftmax (x).
 */
#include "elementwise.h"
#include "emit.h"
#include "softmax.h"
#include "sum.h"

#define LOG_SOFTMAX_GRAD(SUFFIX, T)                                                      \
  KT_VECTOR static void log_softmax_grad_rows_##SUFFIX (                                 \
      const void *dy_data, const void *y_data, void *dx_data, int64_t n, int64_t length, \
      int64_t step)                                                                      \
  {                                                                                      \
    (void) step;                                                                         \
    for (int64_t row = 0; row < n; row++)                                                \
      {                                                                                  \
        const T *const dy = (const T *) dy_data + row * length;                          \
        const T *const y  = (const T *) y_data + row * length;                           \
        T *const dx       = (T *) dx_data + row * length;                                \
        const T sum       = kt_sum_##SUFFIX (dy, length);                                \
        for (int64_t i = 0; i < length; i++)                                             \
          dx[i] = dy[i] - kt_exp (y[i]) * sum;                                           \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void log_softmax_grad_columns_##SUFFIX (                              \
      const void *dy_data, const void *y_data, void *dx_data, int64_t n, int64_t length, \
      int64_t step)                                                                      \
  {                                                                                      \
    const T *const dy = dy_data, *const y = y_data;                                      \
    T *const dx               = dx_data;                                                 \
    T sum[KT_SOFTMAX_COLUMNS] = { 0 };                                                   \
                                                                                         \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        sum[j] += dy[i * step + j];                                                      \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        dx[i * step + j] = dy[i * step + j] - kt_exp (y[i * step + j]) * sum[j];         \
  }

LOG_SOFTMAX_GRAD (f32, float)
LOG_SOFTMAX_GRAD (f64, double)
KT_SOFTMAX_KERNEL (log_softmax_grad, { 0, 0, 0, 0 }, { 1, 0, 0, 0 })

static kt_status
log_softmax_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), e = kt_exp_of (host, g, host->g_in (g, 1));
  const kt_value sum = kt_softmax_reduced (host, g, "ReduceSum", dy);

  (void) user;
  return host->g_set (g, 0, kt_sub (host, g, dy, kt_mul (host, g, e, sum)));
}

const kt_operator kette_op_log_softmax_grad = {
  .op     = { KT_OP ("LogSoftmaxGrad", 1), .flags = KT_OP_PURE, .infer = kt_softmax_infer,
              .body = log_softmax_grad_body },
  .kernel = log_softmax_grad_kernel,
};
