/* SPDX-License-Identifier: Apache-2.0
 *
 * elu.h: what Elu, Selu and Celu emit alike: y = gamma x where x > 0, else
 * gamma alpha (e^(x / beta) - 1).
 */
#pragma once
#include "slope.h"

/* X divided by BETA. */
static inline kt_value
kt_elu_scaled (const kt_host *host, kt_graph *g, kt_value x, double beta)
{
  return beta == 1 ? x : kt_div (host, g, x, kt_scalar_like (host, g, x, beta));
}

/* V times FACTOR. */
static inline kt_value
kt_elu_times (const kt_host *host, kt_graph *g, kt_value v, double factor)
{
  return factor == 1 ? v : kt_mul (host, g, v, kt_scalar_like (host, g, v, factor));
}

/* In float where x has 16 bits: e^x - 1 would lose most of them. */
static inline kt_value
kt_elu_value (const kt_host *host, kt_graph *g, double alpha, double gamma, double beta)
{
  const int32_t dtype  = kt_in_type (host, g, 0).dtype;
  const bool half      = dtype == KT_F16 || dtype == KT_BF16;
  const kt_attr up     = { .name = "to", .kind = KT_A_INT, .i = KT_F32 },
                down   = { .name = "to", .kind = KT_A_INT, .i = dtype };
  const kt_value in    = host->g_in (g, 0),
                 x     = half ? kt_node (host, g, "Cast", &in, 1, &up, 1) : in,
                 one   = kt_scalar_like (host, g, x, 1);
  const kt_value e     = kt_exp_of (host, g, kt_elu_scaled (host, g, x, beta));
  const kt_value left  = kt_elu_times (host, g, kt_sub (host, g, e, one), alpha);
  const kt_value right = kt_greater (host, g, x, kt_scalar_like (host, g, x, 0));

  const kt_value y = kt_elu_times (host, g, kt_where (host, g, right, x, left), gamma);

  return half ? kt_node (host, g, "Cast", &y, 1, &down, 1) : y;
}

/* kette.EluGrad, of the output. Where that has not x's sign (alpha <= 0 or gamma <= 0), the
 * slope on the left is computed from x: gamma alpha / beta e^(x / beta). */
static inline kt_status
kt_elu_gradient (const kt_host *host, kt_graph *g, double alpha, double gamma,
                 double beta)
{
  if (alpha > 0 && gamma > 0)
    {
      const kt_attr attrs[] = {
        { .name = "alpha", .kind = KT_A_FLOAT, .f = alpha },
        { .name = "gamma", .kind = KT_A_FLOAT, .f = gamma },
        { .name = "beta", .kind = KT_A_FLOAT, .f = beta },
      };
      return kt_set_slope (host, g, "EluGrad", host->g_out (g, 0), attrs, 3);
    }

  const kt_value dy = host->g_seed (g, 0), x = host->g_in (g, 0);
  const kt_value e     = kt_exp_of (host, g, kt_elu_scaled (host, g, x, beta));
  const kt_value left  = kt_elu_times (host, g, kt_elu_scaled (host, g, e, beta), alpha);
  const kt_value right = kt_greater (host, g, x, kt_scalar_like (host, g, x, 0));
  const kt_value slope = kt_where (host, g, right, kt_scalar_like (host, g, x, 1), left);

  return host->g_set (g, 0, kt_mul (host, g, dy, kt_elu_times (host, g, slope, gamma)));
}
