/* SPDX-License-Identifier: Apache-2.0
 *
 * Celu: y = x where x > 0, else alpha (e^(x / alpha) - 1), element by element.
 * Source: ONNX Celu-28.
 */
#include "elu.h"

KETTE_MAP (celu, x, x > 0 ? x : p[0] * kt_expm1 (x / p[0]), "alpha")

static kt_status
celu_infer (const kt_host *host, kt_infer *infer, void *user)
{
  if (kt_attr_float (host, infer, "alpha", 1) == 0)
    return kt_fail (host, infer, KT_E_ATTR, "attribute \"alpha\" is 0, a divisor");
  return kt_infer_same (host, infer, user);
}

static kt_status
celu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const double alpha = kt_attr_float (host, g, "alpha", 0);

  (void) user;
  return kt_elu_gradient (host, g, alpha, 1, alpha);
}

static kt_status
celu_body (const kt_host *host, kt_graph *g, void *user)
{
  const double alpha = kt_attr_float (host, g, "alpha", 0);

  (void) user;
  return host->g_set (g, 0, kt_elu_value (host, g, alpha, 1, alpha));
}

const kt_operator kette_op_celu = {
  .op     = { KT_OP ("Celu", 12), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = celu_infer, .gradient = celu_gradient, .body = celu_body },
  .kernel = celu_kernel,
};
