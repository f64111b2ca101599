/* SPDX-License-Identifier: Apache-2.0
 *
 * Sigmoid: y = 1 / (1 + e^-x), element by element.  Source: ONNX Sigmoid-13.
 */
#include "elementwise.h"
#include "emit.h"

KETTE_MAP (sigmoid, x, kt_sigmoid_of (x))

/* dE/dx = dE/dy * y * (1 - y), in one kernel: kette.SigmoidGrad. */
static kt_status
sigmoid_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_out (g, 0) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "SigmoidGrad", in, 2, NULL, 0));
}

const kt_operator kette_op_sigmoid = {
  .op
  = { KT_OP ("Sigmoid", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
      .infer = kt_infer_same, .gradient = sigmoid_gradient, .formula = "\\sigma($0)" },
  .kernel = sigmoid_kernel,
};
