/* SPDX-License-Identifier: Apache-2.0
 *
 * Sub: y = a - b, element by element, with broadcasting; integers wrap.  Source: ONNX Sub-14.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_ARITHMETIC (sub, a, b, a - b)

/* dE/da = dE/dy and dE/db = -dE/dy, summed back over broadcast dims. */
static kt_status
sub_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0);

  (void) user;
  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (g, 0, kt_sum_to (host, g, dy, host->g_in (g, 0))));
  if (host->g_wanted (g, 1))
    KT_TRY (
        host->g_set (g, 1, kt_neg (host, g, kt_sum_to (host, g, dy, host->g_in (g, 1)))));
  return KT_OK;
}

const kt_operator kette_op_sub = {
  .op     = { KT_OP ("Sub", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = sub_gradient, .formula = "$0 - $1" },
  .kernel = sub_kernel,
  .old    = KT_OLD_BROADCAST ("Sub"),
};
