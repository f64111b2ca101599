/* SPDX-License-Identifier: Apache-2.0
 *
 * norm-nodes.c: what norm.h declares, for shape rules, gradients and bodies.
 */
#include "emit.h"
#include "norm.h"

kt_status
kt_norm_check_vector (const kt_host *host, const void *ctx, int32_t i, const char *name,
                      int64_t channels)
{
  const kt_type t = kt_in_type (host, ctx, i);

  if (t.kind == 0 || t.ndim < 0)
    return KT_OK;
  if (t.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "%s has rank %d, must have rank 1", name,
                    (int) t.ndim);
  if (kt_dim_known (t.dims[0]) && kt_dim_known (channels) && t.dims[0] != channels)
    return kt_fail (host, ctx, KT_E_SHAPE,
                    "%s has %lld elements, the input %lld channels", name,
                    (long long) t.dims[0], (long long) channels);
  return KT_OK;
}

kt_value
kt_norm_along (const kt_host *host, kt_graph *g, kt_value v, int32_t ndim)
{
  int64_t axes[KT_MAX_RANK];

  if (ndim < 3 || !v)
    return v;
  for (int32_t d = 1; d < ndim - 1; d++)
    axes[d - 1] = d;
  return kt_node (host, g, "Unsqueeze",
                  (const kt_value[]){ v, kt_ints (host, g, axes, ndim - 2) }, 2, NULL, 0);
}

kt_value
kt_norm_axes (const kt_host *host, kt_graph *g, int32_t ndim)
{
  int64_t axes[KT_MAX_RANK];
  int32_t n = 0;

  for (int32_t d = 0; d < ndim; d++)
    if (d != 1)
      axes[n++] = d;
  return kt_ints (host, g, axes, n);
}

kt_value
kt_norm_reduced (const kt_host *host, kt_graph *g, const char *op, kt_value v,
                 kt_value axes, int64_t keepdims)
{
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = keepdims };

  return kt_node (host, g, op, (const kt_value[]){ v, axes }, 2, &keep, 1);
}

kt_value
kt_norm_sum (const kt_host *host, kt_graph *g, kt_value v, int32_t ndim)
{
  return kt_norm_reduced (host, g, "ReduceSum", v, kt_norm_axes (host, g, ndim),
                          ndim < 2);
}
