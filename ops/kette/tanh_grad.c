/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.TanhGrad: dx = dy (1 - y^2), where y = Tanh (x).
 */
#include "elementwise.h"
#include "emit.h"

KETTE_ZIP (tanh_grad, dy, y, dy *(1 - y * y))

static kt_status
tanh_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value y = host->g_in (g, 1), one = kt_scalar_like (host, g, y, 1);

  (void) user;
  return host->g_set (
      g, 0,
      kt_mul (host, g, host->g_in (g, 0), kt_sub (host, g, one, kt_mul (host, g, y, y))));
}

const kt_operator kette_op_tanh_grad = {
  .op     = { KT_OP ("TanhGrad", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .body = tanh_grad_body,
              .formula = "$0 \\cdot (1 - $1^2)" },
  .kernel = tanh_grad_kernel,
};
