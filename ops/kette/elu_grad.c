/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.EluGrad: the gradient of Elu, Selu and Celu: dx = gamma dy where y > 0, else
 * (y + gamma alpha) / beta dy.
 */
#include "slope.h"

static kt_status
elu_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), y = host->g_in (g, 1);
  const kt_value zero  = kt_scalar_like (host, g, y, 0);
  const kt_value alpha = kt_scalar_like (host, g, y, kt_attr_float (host, g, "alpha", 0));
  const kt_value gamma = kt_scalar_like (host, g, y, kt_attr_float (host, g, "gamma", 0));
  const kt_value beta  = kt_scalar_like (host, g, y, kt_attr_float (host, g, "beta", 0));
  const kt_value left
      = kt_div (host, g, kt_add (host, g, y, kt_mul (host, g, gamma, alpha)), beta);
  const kt_value slope = kt_where (host, g, kt_greater (host, g, y, zero), gamma, left);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, dy, slope));
}

KETTE_SLOPE (elu_grad, "EluGrad", NULL, dy, y,
             dy *(y > 0 ? p[1] : (y + p[1] * p[0]) * (1 / p[2])), "alpha", "gamma",
             "beta")
