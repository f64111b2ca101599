/* SPDX-License-Identifier: Apache-2.0
 *
 * HardSigmoid: y = max (0, min (1, alpha x + beta)), element by element.
 * Source: ONNX HardSigmoid-22.
 */
#include "slope.h"

KETTE_MAP (hard_sigmoid, x, kt_max (kt_min (p[0] * x + p[1], 1), 0), "alpha", "beta")

/* dE/dx = alpha dE/dy where 0 < y < 1, else 0: kette.HardSigmoidGrad. */
static kt_status
hard_sigmoid_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr alpha = kt_passed_float (host, g, "alpha");

  return kt_set_slope (host, g, user, host->g_out (g, 0), &alpha, 1);
}

static kt_status
hard_sigmoid_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), zero = kt_scalar_like (host, g, x, 0),
                 one   = kt_scalar_like (host, g, x, 1);
  const kt_value alpha = kt_scalar_like (host, g, x, kt_attr_float (host, g, "alpha", 0));
  const kt_value beta  = kt_scalar_like (host, g, x, kt_attr_float (host, g, "beta", 0));
  const kt_value line  = kt_add (host, g, kt_mul (host, g, alpha, x), beta);

  (void) user;
  return host->g_set (g, 0, kt_max_of (host, g, kt_min_of (host, g, line, one), zero));
}

const kt_operator kette_op_hard_sigmoid = {
  .op     = { KT_OP ("HardSigmoid", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = hard_sigmoid_gradient,
              .body = hard_sigmoid_body, .user = (void *) "HardSigmoidGrad" },
  .kernel = hard_sigmoid_kernel,
};
