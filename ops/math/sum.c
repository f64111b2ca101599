/* SPDX-License-Identifier: Apache-2.0
 *
 * Sum: y = x0 + x1 + ..., from left to right, element by element, with broadcasting.
 * Source: ONNX Sum-13.
 */
#include "emit.h"
#include "fold.h"

KETTE_ZIP_LOOP (sum, f32, float, float, float, a, b, a + b)
KETTE_ZIP_LOOP (sum, f64, double, double, double, a, b, a + b)

static const kt_fold_loops sum_loops = { .loop = { KT_FOLD_FLOAT_ROWS (sum) } };
KT_FOLD_KERNEL (sum, KT_FLOAT_TYPES)

/* dE/dx_i = dE/dy, summed back over broadcast dims. */
static kt_status
sum_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);
  int32_t n_in, n_out;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  for (int32_t i = 0; i < n_in; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, kt_sum_to (host, g, dy, host->g_in (g, i))));
  return KT_OK;
}

const kt_operator kette_op_sum = {
  .op     = { KT_OP ("Sum", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = sum_gradient },
  .kernel = sum_kernel,
};
