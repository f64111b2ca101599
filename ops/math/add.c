/* SPDX-License-Identifier: Apache-2.0
 *
 * Add: y = a + b, element by element, with broadcasting.  Source: ONNX Add-14.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_ARITHMETIC (add, a, b, a + b)

/* dE/da = dE/dy and dE/db = dE/dy, summed back over broadcast dims. */
static kt_status
add_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);

  (void) user;
  for (int32_t i = 0; i < 2; i++)
    if (host->g_wanted (g, i))
      KT_TRY (host->g_set (g, i, kt_sum_to (host, g, dy, host->g_in (g, i))));
  return KT_OK;
}

const kt_operator kette_op_add = {
  .op     = { KT_OP ("Add", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = add_gradient, .formula = "$0 + $1" },
  .kernel = add_kernel,
  .old    = KT_OLD_BROADCAST ("Add"),
};
