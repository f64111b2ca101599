/* SPDX-License-Identifier: Apache-2.0
 *
 * Selu: y = gamma x where x > 0, else gamma alpha (e^x - 1), element by element.
 * Source: ONNX Selu-22.
 */
#include "elu.h"

KETTE_MAP (selu, x, p[1] * (x > 0 ? x : p[0] * kt_expm1 (x)), "alpha", "gamma")

static kt_status
selu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return kt_elu_gradient (host, g, kt_attr_float (host, g, "alpha", 0),
                          kt_attr_float (host, g, "gamma", 0), 1);
}

static kt_status
selu_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0,
                      kt_elu_value (host, g, kt_attr_float (host, g, "alpha", 0),
                                    kt_attr_float (host, g, "gamma", 0), 1));
}

const kt_operator kette_op_selu = {
  .op     = { KT_OP ("Selu", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = selu_gradient, .body = selu_body },
  .kernel = selu_kernel,
};
