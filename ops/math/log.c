/* SPDX-License-Identifier: Apache-2.0
 *
 * Log: y = ln x, element by element.  Source: ONNX Log-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (log, x, kt_log (x))

/* dE/dx = dE/dy / x. */
static kt_status
log_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);

  (void) user;
  return host->g_set (g, 0, kt_div (host, g, dy, host->g_in (g, 0)));
}

const kt_operator kette_op_log = {
  .op     = { KT_OP ("Log", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = log_gradient, .formula = "\\ln($0)" },
  .kernel = log_kernel,
};
