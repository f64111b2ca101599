/* SPDX-License-Identifier: Apache-2.0
 *
 * Reciprocal: y = 1 / x, element by element.  Source: ONNX Reciprocal-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (reciprocal, x, 1 / x)

/* dE/dx = -dE/dy * y^2. */
static kt_status
reciprocal_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);
  const kt_value y  = host->g_out (g, 0);

  (void) user;
  return host->g_set (g, 0,
                      kt_neg (host, g, kt_mul (host, g, dy, kt_mul (host, g, y, y))));
}

const kt_operator kette_op_reciprocal = {
  .op     = { KT_OP ("Reciprocal", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = reciprocal_gradient,
              .formula = "\\frac{1}{$0}" },
  .kernel = reciprocal_kernel,
};
