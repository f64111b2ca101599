/* SPDX-License-Identifier: Apache-2.0
 *
 * Tanh: y = tanh x, element by element.  Source: ONNX Tanh-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (tanh, x, kt_tanh (x))

/* dE/dx = dE/dy * (1 - y^2), in one kernel: kette.TanhGrad. */
static kt_status
tanh_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_out (g, 0) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "TanhGrad", in, 2, NULL, 0));
}

const kt_operator kette_op_tanh = {
  .op     = { KT_OP ("Tanh", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = tanh_gradient, .formula = "\\tanh($0)" },
  .kernel = tanh_kernel,
};
