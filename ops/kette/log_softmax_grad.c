/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.LogSoftmaxGrad: dx = dy - e^y sum (dy) along an axis, where y = LogSoftmax (x).
 */
#include "softmax.h"

#define TERM(dy, y, unused) (dy)
#define FINAL(dy, y, unused, sum, dx) (dy - kt_exp (y) * sum)
#define LOOPS(SUFFIX, T)                                                                 \
  KT_SOFTMAX_LOOPS (log_softmax_grad, SUFFIX, T, SUFFIX, T, false, false, TERM,          \
                    KT_ITSELF, FINAL)

LOOPS (f32, float)
LOOPS (f64, double)
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
