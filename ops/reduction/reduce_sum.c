/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceSum: the sum over `axes`.  Source: ONNX ReduceSum-13.
 */
#include "sum.h"

KETTE_SUM_LOOPS (reduce_sum)
KT_REDUCE_KERNEL (reduce_sum, NULL, false)

/* dE/dx = dE/dy, repeated along the axes. */
static kt_status
reduce_sum_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = kt_reduce_keep (host, g, host->g_seed (g, 0));

  (void) user;
  return host->g_set (g, 0,
                      kt_expand (host, g, dy, kt_shape_of (host, g, host->g_in (g, 0))));
}

const kt_operator kette_op_reduce_sum = {
  .op     = { KT_OP ("ReduceSum", 13), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
              .gradient = reduce_sum_gradient, .formula = "\\sum $0" },
  .kernel = reduce_sum_kernel,
  .old    = KT_OLD_REDUCE ("ReduceSum", 12),
};
