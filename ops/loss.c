/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.c: see loss.h.
 */
#include "loss.h"
#include "emit.h"

kt_status
kt_same_dims (const kt_host *host, const void *ctx, int32_t i, const char *name_i,
              int32_t j, const char *name_j)
{
  const kt_type a = kt_in_type (host, ctx, i), b = kt_in_type (host, ctx, j);

  if (a.kind == 0 || b.kind == 0 || a.ndim < 0 || b.ndim < 0)
    return KT_OK;
  if (a.ndim != b.ndim)
    return kt_fail (host, ctx, KT_E_SHAPE, "%s has rank %d, %s rank %d", name_i,
                    (int) a.ndim, name_j, (int) b.ndim);
  for (int32_t d = 0; d < a.ndim; d++)
    if (kt_dim_known (a.dims[d]) && kt_dim_known (b.dims[d]) && a.dims[d] != b.dims[d])
      return kt_fail (host, ctx, KT_E_SHAPE, "dim %d of %s is %lld, of %s %lld", (int) d,
                      name_i, (long long) a.dims[d], name_j, (long long) b.dims[d]);
  return KT_OK;
}

kt_status
kt_check_scalar (const kt_host *host, const void *ctx, int32_t i, const char *name)
{
  const kt_type t = kt_in_type (host, ctx, i);

  return t.kind && t.ndim > 0
             ? kt_fail (host, ctx, KT_E_SHAPE, "%s must be a scalar, it has rank %d",
                        name, (int) t.ndim)
             : KT_OK;
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
