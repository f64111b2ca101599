/* SPDX-License-Identifier: Apache-2.0
 *
 * ThresholdedRelu: y = x where x > alpha, else 0, element by element.
 * Source: ONNX ThresholdedRelu-22.
 */
#include "slope.h"

KETTE_MAP (thresholded_relu, x, x > p[0] ? x : 0, "alpha")

/* V where x > alpha, else 0. */
static kt_value
passed (const kt_host *host, kt_graph *g, kt_value v)
{
  const kt_value x     = host->g_in (g, 0);
  const kt_value alpha = kt_scalar_like (host, g, x, kt_attr_float (host, g, "alpha", 0));

  return kt_where (host, g, kt_greater (host, g, x, alpha), v,
                   kt_scalar_like (host, g, x, 0));
}

/* dE/dx = dE/dy where x > alpha, else 0. With alpha >= 0 that is where y > 0. */
static kt_status
thresholded_relu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  if (kt_attr_float (host, g, "alpha", 0) >= 0)
    return kt_slope_of_output (host, g, user);
  return host->g_set (g, 0, passed (host, g, host->g_seed (g, 0)));
}

static kt_status
thresholded_relu_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, passed (host, g, host->g_in (g, 0)));
}

const kt_operator kette_op_thresholded_relu = {
  .op     = { KT_OP ("ThresholdedRelu", 10), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = thresholded_relu_gradient,
              .body = thresholded_relu_body, .user = (void *) "ReluGrad" },
  .kernel = thresholded_relu_kernel,
};
