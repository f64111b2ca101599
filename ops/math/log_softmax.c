/* SPDX-License-Identifier: Apache-2.0
 *
 * LogSoftmax: y = (x - m) - ln sum e^(x - m) along an axis, m = max x.  Source: ONNX
 * LogSoftmax-13.
 */
#include "softmax.h"

#define TERM(x, unused, m) kt_exp (x - m)
#define FINAL(x, unused, m, log, y) ((x - m) - log)
#define LOOPS(SUFFIX, T)                                                                 \
  KT_SOFTMAX_LOOPS (log_softmax, SUFFIX, T, SUFFIX, T, true, false, TERM, kt_log, FINAL)

LOOPS (f32, float)
LOOPS (f64, double)
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
