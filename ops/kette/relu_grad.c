/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ReluGrad: dx = dy where y > 0, else 0; y is Relu (x) or x itself.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_ZIP (relu_grad, dy, y, y > 0 ? dy : 0)

static kt_status
relu_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), zero = kt_scalar_like (host, g, dy, 0);
  const kt_value passes = kt_greater (host, g, host->g_in (g, 1), zero);

  (void) user;
  return host->g_set (g, 0, kt_where (host, g, passes, dy, zero));
}

const kt_operator kette_op_relu_grad = {
  .op     = { KT_OP ("ReluGrad", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .body = relu_grad_body,
              .formula = "$0 \\cdot [$1 > 0]" },
  .kernel = relu_grad_kernel,
};
