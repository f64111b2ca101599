/* SPDX-License-Identifier: Apache-2.0
 *
 * ScatterND: y = data; then the slices that the tuples in the last dim of indices name become,
 * or are combined by `reduction` with, those of updates, in row-major order.
 * Source: ONNX ScatterND-18.
 */
#include "rows.h"
#include "scatter.h"

/* updates has the shape indices[:-1] + data[k:]. */
static kt_status
check_updates (const kt_host *host, kt_infer *infer, const kt_type *x, const kt_type *at,
               const kt_type *u, int32_t k)
{
  const int32_t lead = at->ndim - 1;

  if (u->ndim != lead + x->ndim - k)
    return kt_fail (host, infer, KT_E_SHAPE, "updates has rank %d, must have %d",
                    (int) u->ndim, (int) (lead + x->ndim - k));
  for (int32_t d = 0; d < u->ndim; d++)
    {
      const int64_t needed = d < lead ? at->dims[d] : x->dims[d - lead + k];
      if (kt_dim_known (needed) && kt_dim_known (u->dims[d]) && needed != u->dims[d])
        return kt_fail (host, infer, KT_E_SHAPE,
                        "dim %d of updates is %lld, must be %lld", (int) d,
                        (long long) u->dims[d], (long long) needed);
    }
  return KT_OK;
}

static kt_status
scatter_nd_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1),
                u = kt_in_type (host, infer, 2);
  kt_reduction reduction;
  int32_t k;

  (void) user;
  KT_TRY (kt_reduction_of (host, infer, &reduction));
  KT_TRY (kt_tuples_check (host, infer, &x, &at, 0, &k));
  if (k >= 0 && u.kind && u.ndim >= 0)
    KT_TRY (check_updates (host, infer, &x, &at, &u, k));
  return kt_infer_same (host, infer, NULL);
}

typedef struct
{
  kt_tuples tuples;
  kt_rows rows;
  kt_combine combine;
} State;

static kt_status
scatter_nd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  kt_reduction reduction;
  int32_t k;
  State *s;

  (void) user;
  KT_TRY (kt_reduction_of (host, prep, &reduction));
  KT_TRY (kt_tuples_check (host, prep, &x, &at, 0, &k));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_combine_of (host, prep, x.dtype, reduction, &s->combine));
  kt_tuples_plan (&s->tuples, &x, &at, 0);
  kt_rows_plan (&s->rows, 1, kt_count (x.dims, k), kt_count (x.dims + k, x.ndim - k),
                s->tuples.count, x.dtype);
  return host->want_workspace (prep, (size_t) s->tuples.count * sizeof (int64_t), 0);
}

static kt_status
scatter_nd_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s       = state;
  const kt_tensor list = kt_row_list (host->workspace (run, -1, NULL), &s->tuples.count);

  KT_TRY (kt_tuples_resolve (host, run, &s->tuples, &run->in[1], list.data));
  return kt_rows_write (host, run, &s->rows, &list, &s->combine, run->in[0].data,
                        run->in[2].data, run->out[0].data);
}

static const kt_kernel scatter_nd_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .n_alias = 1,
    .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = scatter_nd_prepare,
    .run = scatter_nd_run },
  { 0 },
};

static const kt_scatter_form scatter_nd_form = { "ScatterND", "GatherND", false };

const kt_operator kette_op_scatter_nd = {
  .op = { KT_OP ("ScatterND", 11), .flags = KT_OP_PURE, .user = (void *) &scatter_nd_form,
          .infer = scatter_nd_infer, .gradient = kt_scatter_gradient },
  .kernel = scatter_nd_kernel,
};
