/* SPDX-License-Identifier: Apache-2.0
 *
 * Mean: y = (x1 + ... + xn) / n, element by element, with broadcasting.
 * Source: ONNX Mean-13.
 */
#include "emit.h"
#include "fold.h"

KETTE_ZIP_LOOP (mean, f32, float, float, float, a, b, a + b)
KETTE_ZIP_LOOP (mean, f64, double, double, double, a, b, a + b)
KETTE_MAP_LOOP (mean_last, f32, float, float, float, x, x / p[0])
KETTE_MAP_LOOP (mean_last, f64, double, double, double, x, x / p[0])

static const kt_fold_loops mean_loops
    = { .loop = { { .in = KT_F32, .loop = mean_f32, .last = mean_last_f32 },
                  { .in = KT_F64, .loop = mean_f64, .last = mean_last_f64 } } };
KT_FOLD_KERNEL (mean, KT_FLOAT_TYPES)

/* dE/dx_i = dE/dy / n, summed back over broadcast dims. */
static kt_status
mean_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  const kt_value share = kt_div (host, g, dy, kt_scalar_like (host, g, dy, n_in));
  for (int32_t i = 0; i < n_in; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, kt_sum_to (host, g, share, host->g_in (g, i))));
  return KT_OK;
}

const kt_operator kette_op_mean = {
  .op     = { KT_OP ("Mean", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = mean_gradient },
  .kernel = mean_kernel,
};
