/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.HardSigmoidGrad: dx = alpha dy where 0 < y < 1, else 0, where y = HardSigmoid (x).
 */
#include "slope.h"

static kt_status
hard_sigmoid_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), y = host->g_in (g, 1);
  const kt_value zero  = kt_scalar_like (host, g, y, 0),
                 one   = kt_scalar_like (host, g, y, 1);
  const kt_value alpha = kt_scalar_like (host, g, y, kt_attr_float (host, g, "alpha", 0));
  const kt_value inside
      = kt_and (host, g, kt_greater (host, g, y, zero), kt_less (host, g, y, one));

  (void) user;
  return host->g_set (g, 0,
                      kt_where (host, g, inside, kt_mul (host, g, alpha, dy), zero));
}

KETTE_SLOPE (hard_sigmoid_grad, "HardSigmoidGrad", NULL, dy, y,
             ((y > 0) & (y < 1)) ? p[0] * dy : 0, "alpha")
