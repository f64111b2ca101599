/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SoftmaxGrad: dx = y (dy - sum (dy y)) along an axis, where y = Softmax (x).
 */
#include "softmax.h"

#define TERM(dy, y, unused) ((double) dy * (double) y)
#define FINAL(dy, y, unused, sum, dx) (y * (dy - sum))
#define LOOPS(SUFFIX, T)                                                                 \
  KT_SOFTMAX_LOOPS (softmax_grad, SUFFIX, T, f64, double, false, false, TERM, KT_ITSELF, \
                    FINAL)

LOOPS (f32, float)
LOOPS (f64, double)
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
