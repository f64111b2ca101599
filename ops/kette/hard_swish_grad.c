/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.HardSwishGrad: dx = dy (x / 3 + 1 / 2) where -3 < x < 3, dy where x >= 3, else 0.
 */
#include "slope.h"

static kt_status
hard_swish_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), x = host->g_in (g, 1);
  const kt_value zero  = kt_scalar_like (host, g, x, 0),
                 one   = kt_scalar_like (host, g, x, 1),
                 three = kt_scalar_like (host, g, x, 3),
                 half  = kt_scalar_like (host, g, x, 0.5);
  const kt_value line  = kt_add (host, g, kt_div (host, g, x, three), half);
  const kt_value left
      = kt_where (host, g, kt_greater (host, g, x, kt_neg (host, g, three)), line, zero);
  const kt_value slope = kt_where (host, g, kt_less (host, g, x, three), left, one);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, dy, slope));
}

KETTE_SLOPE (
    hard_swish_grad, "HardSwishGrad", NULL, dy, x,
    dy *(x < 3 ? x > -3 ? x *(__typeof__ (x)) (1.0 / 3.0) + (__typeof__ (x)) 0.5 : 0 : 1))
