/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c: see loss.h.
 */
#include "loss.h"
#include "emit.h"

kt_status
kt_loss_check (const kt_host *host, const void *ctx, int32_t first)
{
  const kt_type y = kt_in_type (host, ctx, first), t = kt_in_type (host, ctx, first + 1);

  if (y.kind == 0 || t.kind == 0 || y.ndim < 0 || t.ndim < 0)
    return KT_OK;
  if (y.ndim != t.ndim)
    return kt_fail (host, ctx, KT_E_SHAPE, "the prediction has rank %d, the target %d",
                    (int) y.ndim, (int) t.ndim);
  for (int32_t d = 0; d < y.ndim; d++)
    if (kt_dim_known (y.dims[d]) && kt_dim_known (t.dims[d]) && y.dims[d] != t.dims[d])
      return kt_fail (host, ctx, KT_E_SHAPE,
                      "dim %d of the prediction is %lld, of the target %lld", (int) d,
                      (long long) y.dims[d], (long long) t.dims[d]);
  return KT_OK;
}

void
kt_loss_sizes (const kt_host *host, const void *ctx, int32_t i, int64_t *n,
               int64_t *batch)
{
  const kt_type t = kt_in_type (host, ctx, i);

  *n     = kt_count (t.dims, t.ndim);
  *batch = t.ndim > 0 ? t.dims[0] : 1;
}

kt_value
kt_loss_batch (const kt_host *host, kt_graph *g, kt_value v)
{
  kt_type t = { 0 };

  host->g_type (g, v, &t);
  if (t.ndim == 0)
    return kt_scalar_like (host, g, v, 1);

  const kt_attr first[] = { { .name = "start", .kind = KT_A_INT, .i = 0 },
                            { .name = "end", .kind = KT_A_INT, .i = 1 } };
  const kt_attr to      = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
  const kt_value size   = kt_node (host, g, "Shape", &v, 1, first, 2);
  return kt_node (host, g, "Cast", &size, 1, &to, 1);
}
