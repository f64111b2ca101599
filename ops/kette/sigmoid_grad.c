/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SigmoidGrad: dx = dy y (1 - y), where y = Sigmoid (x).
 */
#include "elementwise.h"
#include "emit.h"

KETTE_ZIP (sigmoid_grad, dy, y, dy *y *(1 - y))

static kt_status
sigmoid_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value y = host->g_in (g, 1), one = kt_scalar_like (host, g, y, 1);

  (void) user;
  return host->g_set (
      g, 0,
      kt_mul (host, g, kt_mul (host, g, host->g_in (g, 0), y), kt_sub (host, g, one, y)));
}

const kt_operator kette_op_sigmoid_grad = {
  .op     = { KT_OP ("SigmoidGrad", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .body = sigmoid_grad_body,
              .formula = "$0 \\cdot $1 (1 - $1)" },
  .kernel = sigmoid_grad_kernel,
};
