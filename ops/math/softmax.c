/* SPDX-License-Identifier: Apache-2.0
 *
 * Softmax: y = e^(x - m) / sum e^(x - m) along an axis, m = max x.  Source: ONNX Softmax-13.
 */
#include "softmax.h"

#define TERM(x, unused, m) kt_exp (x - m)
#define FINAL(x, unused, m, sum, e) (e / sum)
#define LOOPS(SUFFIX, T)                                                                 \
  KT_SOFTMAX_LOOPS (softmax, SUFFIX, T, SUFFIX, T, true, true, TERM, KT_ITSELF, FINAL)

LOOPS (f32, float)
LOOPS (f64, double)
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
