/* SPDX-License-Identifier: Apache-2.0
 *
 * LogSoftmax: y = (x - m) - ln sum e^(x - m) along an axis, m = max x.  Source: ONNX
 * LogSoftmax-13.
 */
#include "elementwise.h"
#include "emit.h"
#include "softmax.h"
#include "sum.h"

#define LOG_SOFTMAX(SUFFIX, T)                                                           \
  KT_VECTOR static void log_softmax_rows_##SUFFIX (                                      \
      const void *x_data, const void *unused, void *y_data, int64_t n, int64_t length,   \
      int64_t step)                                                                      \
  {                                                                                      \
    (void) unused;                                                                       \
    (void) step;                                                                         \
    for (int64_t row = 0; row < n; row++)                                                \
      {                                                                                  \
        const T *const x = (const T *) x_data + row * length;                            \
        T *const y       = (T *) y_data + row * length;                                  \
        T m              = x[0], e[KT_BLOCK], log;                                       \
        double sum       = 0;                                                            \
        for (int64_t i = 1; i < length; i++)                                             \
          m = kt_max (m, x[i]);                                                          \
        for (int64_t first = 0, k; first < length; first += k)                           \
          {                                                                              \
            k = length - first < KT_BLOCK ? length - first : KT_BLOCK;                   \
            for (int64_t i = 0; i < k; i++)                                              \
              e[i] = kt_exp (x[first + i] - m);                                          \
            sum += (double) kt_sum_##SUFFIX (e, k);                                      \
          }                                                                              \
        log = kt_log ((T) sum);                                                          \
        for (int64_t i = 0; i < length; i++)                                             \
          y[i] = (x[i] - m) - log;                                                       \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void log_softmax_columns_##SUFFIX (                                   \
      const void *x_data, const void *unused, void *y_data, int64_t n, int64_t length,   \
      int64_t step)                                                                      \
  {                                                                                      \
    const T *const x = x_data;                                                           \
    T *const y       = y_data;                                                           \
    T m[KT_SOFTMAX_COLUMNS], sum[KT_SOFTMAX_COLUMNS] = { 0 };                            \
                                                                                         \
    (void) unused;                                                                       \
    for (int64_t j = 0; j < n; j++)                                                      \
      m[j] = x[j];                                                                       \
    for (int64_t i = 1; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        m[j] = kt_max (m[j], x[i * step + j]);                                           \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        sum[j] += kt_exp (x[i * step + j] - m[j]);                                       \
    for (int64_t j = 0; j < n; j++)                                                      \
      sum[j] = kt_log (sum[j]);                                                          \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        y[i * step + j] = (x[i * step + j] - m[j]) - sum[j];                             \
  }

LOG_SOFTMAX (f32, float)
LOG_SOFTMAX (f64, double)
KT_SOFTMAX_KERNEL (log_softmax, { 0, 0, 0, 0 })

/* dE/dx = dE/dy - e^y sum (dE/dy), in one kernel: kette.LogSoftmaxGrad. */
static kt_status
log_softmax_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_out (g, 0) };
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", -1) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "LogSoftmaxGrad", in, 2, &axis, 1));
}

static kt_status
log_softmax_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), m = kt_softmax_reduced (host, g, "ReduceMax", x);
  const kt_value d   = kt_sub (host, g, x, m);
  const kt_value sum = kt_softmax_reduced (host, g, "ReduceSum", kt_exp_of (host, g, d));

  (void) user;
  return host->g_set (g, 0, kt_sub (host, g, d, kt_log_of (host, g, sum)));
}

const kt_operator kette_op_log_softmax = {
  .op     = { KT_OP ("LogSoftmax", 13), .flags = KT_OP_PURE, .infer = kt_softmax_infer,
              .gradient = log_softmax_gradient, .body = log_softmax_body },
  .kernel = log_softmax_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("LogSoftmax", 1, 12), .flags = KT_OP_PURE,
                               .infer = kt_infer_same, .body = kt_softmax_old,
                               .user = (void *) "LogSoftmax" },
                             { 0 } },
};
