/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax: y = e^(x - m) / sum e^(x - m) along an axis, m = max x.  Source: ONNX Softmax-13.
 */
#include "softmax.h"
#include "elementwise.h"
#include "emit.h"
#include "sum.h"

#define SOFTMAX(SUFFIX, T)                                                               \
  KT_VECTOR static void softmax_rows_##SUFFIX (const void *x_data, const void *unused,   \
                                               void *y_data, int64_t n, int64_t length,  \
                                               int64_t step)                             \
  {                                                                                      \
    (void) unused;                                                                       \
    (void) step;                                                                         \
    for (int64_t row = 0; row < n; row++)                                                \
      {                                                                                  \
        const T *const x = (const T *) x_data + row * length;                            \
        T *const y       = (T *) y_data + row * length;                                  \
        T m              = x[0];                                                         \
        for (int64_t i = 1; i < length; i++)                                             \
          m = kt_max (m, x[i]);                                                          \
        for (int64_t i = 0; i < length; i++)                                             \
          y[i] = kt_exp (x[i] - m);                                                      \
        const T sum = kt_sum_##SUFFIX (y, length);                                       \
        for (int64_t i = 0; i < length; i++)                                             \
          y[i] /= sum;                                                                   \
      }                                                                                  \
  }                                                                                      \
  KT_VECTOR static void softmax_columns_##SUFFIX (                                       \
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
        sum[j] += y[i * step + j] = kt_exp (x[i * step + j] - m[j]);                     \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        y[i * step + j] /= sum[j];                                                       \
  }

SOFTMAX (f32, float)
SOFTMAX (f64, double)
KT_SOFTMAX_KERNEL (softmax, { 0, 0, 0, 0 })

/* dE/dx = y (dE/dy - sum (dE/dy y)), in one kernel: kette.SoftmaxGrad. */
static kt_status
softmax_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_out (g, 0) };
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", -1) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "SoftmaxGrad", in, 2, &axis, 1));
}

static kt_status
softmax_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), m = kt_softmax_reduced (host, g, "ReduceMax", x);
  const kt_value e = kt_exp_of (host, g, kt_sub (host, g, x, m));

  (void) user;
  return host->g_set (g, 0,
                      kt_div (host, g, e, kt_softmax_reduced (host, g, "ReduceSum", e)));
}

const kt_operator kette_op_softmax = {
  .op     = { KT_OP ("Softmax", 13), .flags = KT_OP_PURE, .infer = kt_softmax_infer,
              .gradient = softmax_gradient, .body = softmax_body },
  .kernel = softmax_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Softmax", 1, 12), .flags = KT_OP_PURE,
                               .infer = kt_infer_same, .body = kt_softmax_old,
                               .user = (void *) "Softmax" },
                             { 0 } },
};
