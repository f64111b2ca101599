/* SPDX-License-Identifier: Apache-2.0
 *
 * GlobalMaxPool: the largest element of each plane; NaN wins.  Source: ONNX
 * GlobalMaxPool-22.
 */
#include "pool-global.h"
#include "reduction/extreme.h"

#define LARGER(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))

KT_REDUCE_FLOATS (largest, float, -INFINITY, KT_ITSELF, LARGER, KT_EXTREME_END)

static const kt_reduce_loops largest_loops[]
    = { KT_REDUCE_FLOAT_ROWS (largest, float), { 0 } };

KT_GLOBAL_KERNEL (largest)

/* dE/dx = dE/dy, shared among the elements that equal y. */
static kt_status
largest_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), y = host->g_out (g, 0), dy = host->g_seed (g, 0);
  const kt_value axes = kt_global_axes (host, g);
  const kt_type t     = kt_in_type (host, g, 0);
  const kt_attr to    = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
  const kt_value same = kt_equal (host, g, x, y);
  const kt_value hits = kt_node (host, g, "Cast", &same, 1, &to, 1);

  (void) user;
  if (!axes)
    return KT_OK;

  const kt_value n
      = kt_node (host, g, "ReduceSum", (const kt_value[]){ hits, axes }, 2, NULL, 0);
  return host->g_set (g, 0, kt_mul (host, g, hits, kt_div (host, g, dy, n)));
}

const kt_operator kette_op_global_max_pool = {
  .op     = { KT_OP ("GlobalMaxPool", 1), .flags = KT_OP_PURE, .infer = kt_global_infer,
              .gradient = largest_gradient },
  .kernel = largest_kernel,
};
