/* SPDX-License-Identifier: Apache-2.0
 *
 * LeakyRelu: y = x where x >= 0, else alpha x, element by element.
 * Source: ONNX LeakyRelu-16.
 */
#include "slope.h"

KETTE_MAP (leaky_relu, x, x < 0 ? p[0] * x : x, "alpha")

/* dE/dx = dE/dy where x >= 0, else alpha dE/dy: kette.LeakyReluGrad. With alpha > 0 the
 * output has x's sign. */
static kt_status
leaky_relu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr alpha = kt_passed_float (host, g, "alpha");
  const kt_value z    = alpha.f > 0 ? host->g_out (g, 0) : host->g_in (g, 0);

  return kt_set_slope (host, g, user, z, &alpha, 1);
}

static kt_status
leaky_relu_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), zero = kt_scalar_like (host, g, x, 0);
  const kt_value alpha = kt_scalar_like (host, g, x, kt_attr_float (host, g, "alpha", 0));

  (void) user;
  return host->g_set (
      g, 0,
      kt_where (host, g, kt_less (host, g, x, zero), kt_mul (host, g, alpha, x), x));
}

const kt_operator kette_op_leaky_relu = {
  .op     = { KT_OP ("LeakyRelu", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = leaky_relu_gradient,
              .body = leaky_relu_body, .user = (void *) "LeakyReluGrad" },
  .kernel = leaky_relu_kernel,
};
