/* SPDX-License-Identifier: Apache-2.0
 *
 * Exp: y = e^x, element by element.  Source: ONNX Exp-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (exp, x, kt_exp (x))

/* dE/dx = dE/dy * y. */
static kt_status
exp_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, dy, host->g_out (g, 0)));
}

const kt_operator kette_op_exp = {
  .op     = { KT_OP ("Exp", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = exp_gradient, .formula = "e^{$0}" },
  .kernel = exp_kernel,
};
