/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.LeakyReluGrad: dx = dy where z >= 0, else alpha dy; z has the sign of x.
 */
#include "slope.h"

static kt_status
leaky_relu_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), zero = kt_scalar_like (host, g, dy, 0);
  const kt_value alpha
      = kt_scalar_like (host, g, dy, kt_attr_float (host, g, "alpha", 0));

  (void) user;
  return host->g_set (g, 0,
                      kt_where (host, g, kt_less (host, g, host->g_in (g, 1), zero),
                                kt_mul (host, g, alpha, dy), dy));
}

KETTE_SLOPE (leaky_relu_grad, "LeakyReluGrad", NULL, dy, z, z < 0 ? p[0] * dy : dy,
             "alpha")
