/* SPDX-License-Identifier: Apache-2.0
 *
 * Elu: y = x where x > 0, else alpha (e^x - 1), element by element.  Source: ONNX Elu-22.
 */
#include "elu.h"

KETTE_MAP (elu, x, x > 0 ? x : p[0] * kt_expm1 (x), "alpha")

static kt_status
elu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return kt_elu_gradient (host, g, kt_attr_float (host, g, "alpha", 0), 1, 1);
}

static kt_status
elu_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0,
                      kt_elu_value (host, g, kt_attr_float (host, g, "alpha", 0), 1, 1));
}

const kt_operator kette_op_elu = {
  .op     = { KT_OP ("Elu", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = elu_gradient, .body = elu_body },
  .kernel = elu_kernel,
};
