/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.c: what emit.h leaves out because it is no one-liner.
 */
#include "emit.h"

/* dE/dx of a value x that was broadcast to dy's shape. Where the types say which dims were
 * repeated, a ReduceSum over these; else kette.SumTo, which looks at the shapes when it runs.
 * A dim of x that may or may not be dy's (a symbol against another) counts as unknown. */
kt_value
kt_sum_to (const kt_host *host, kt_graph *g, kt_value dy, kt_value x)
{
  kt_type from = { 0 }, to = { 0 };
  int64_t axes[KT_MAX_RANK];
  int32_t n_axes = 0;

  if (!dy || !x)
    return 0;
  host->g_type (g, dy, &from);
  host->g_type (g, x, &to);

  const int32_t lead = from.ndim - to.ndim;
  bool known
      = from.kind == KT_TENSOR && to.kind == KT_TENSOR && to.ndim >= 0 && lead >= 0;
  for (int32_t d = 0; known && d < from.ndim; d++)
    {
      const int64_t a = from.dims[d], b = d < lead ? 1 : to.dims[d - lead];
      if (d < lead || (b == 1 && a != 1))
        axes[n_axes++] = d;
      else
        known = a == b && a != KT_DIM (0);
    }
  if (!known)
    return kt_own (host, g, "SumTo", (const kt_value[]){ dy, kt_shape_of (host, g, x) },
                   2, NULL, 0);
  if (n_axes == 0)
    return dy;

  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = n_axes > lead };
  const kt_value sum
      = kt_node (host, g, "ReduceSum",
                 (const kt_value[]){ dy, kt_ints (host, g, axes, n_axes) }, 2, &keep, 1);
  if (lead == 0 || n_axes == lead)
    return sum;
  return kt_node (host, g, "Squeeze",
                  (const kt_value[]){ sum, kt_ints (host, g, axes, lead) }, 2, NULL, 0);
}
