/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ErfGrad: dx = dy 2 / sqrt (pi) e^(-x^2).
 */
#include "slope.h"

#define TWO_BY_SQRT_PI 1.1283791670955126

static kt_status
erf_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), x = host->g_in (g, 1);
  const kt_value e      = kt_exp_of (host, g, kt_neg (host, g, kt_mul (host, g, x, x)));
  const kt_value factor = kt_scalar_like (host, g, x, TWO_BY_SQRT_PI);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, kt_mul (host, g, dy, factor), e));
}

KETTE_SLOPE (erf_grad, "ErfGrad", NULL, dy, x,
             dy *(__typeof__ (x)) TWO_BY_SQRT_PI *kt_exp (-(x *x)))
