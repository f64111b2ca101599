/* SPDX-License-Identifier: Apache-2.0
 *
 * HardSwish: y = x max (0, min (1, x / 6 + 1 / 2)), element by element.
 * Source: ONNX HardSwish-22.
 */
#include "slope.h"

#define SIXTH (1.0 / 6.0)

KETTE_MAP (hard_swish, x,
           x *kt_max (kt_min (x *(__typeof__ (x)) SIXTH + (__typeof__ (x)) 0.5, 1), 0))

static kt_status
hard_swish_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), zero = kt_scalar_like (host, g, x, 0),
                 half = kt_scalar_like (host, g, x, 0.5),
                 one  = kt_scalar_like (host, g, x, 1);
  const kt_value line
      = kt_add (host, g, kt_div (host, g, x, kt_scalar_like (host, g, x, 6)), half);
  const kt_value slope = kt_max_of (host, g, kt_min_of (host, g, line, one), zero);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, x, slope));
}

/* dE/dx: kette.HardSwishGrad. */
const kt_operator kette_op_hard_swish = {
  .op     = { KT_OP ("HardSwish", 14), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = kt_slope_of_input, .body = hard_swish_body,
              .user = (void *) "HardSwishGrad" },
  .kernel = hard_swish_kernel,
};
