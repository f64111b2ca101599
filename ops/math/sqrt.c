/* SPDX-License-Identifier: Apache-2.0
 *
 * Sqrt: y = x^(1/2), NaN below 0, element by element.  Source: ONNX Sqrt-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (sqrt, x, kt_sqrt (x))

/* dE/dx = dE/dy / 2y. */
static kt_status
sqrt_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);
  const kt_value y  = host->g_out (g, 0);

  (void) user;
  return host->g_set (g, 0, kt_div (host, g, dy, kt_add (host, g, y, y)));
}

const kt_operator kette_op_sqrt = {
  .op     = { KT_OP ("Sqrt", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = sqrt_gradient, .formula = "\\sqrt{$0}" },
  .kernel = sqrt_kernel,
};
