/* SPDX-License-Identifier: Apache-2.0
 *
 * ScatterElements: y = data; then y[.., indices[i], ..] (along `axis`) becomes, or is combined
 * by `reduction` with, updates[i], in row-major order.  Source: ONNX ScatterElements-18.
 */
#include "combine.h"
#include "elements.h"
#include "move.h"
#include "scatter.h"

static kt_status
scatter_elements_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1),
                u = kt_in_type (host, infer, 2);
  kt_reduction reduction;
  int32_t axis;

  (void) user;
  KT_TRY (kt_reduction_of (host, infer, &reduction));
  KT_TRY (kt_elements_check (host, infer, &x, &at, &axis));
  if (at.kind && u.kind && at.ndim >= 0 && u.ndim >= 0)
    {
      if (u.ndim != at.ndim)
        return kt_fail (host, infer, KT_E_SHAPE, "indices have rank %d, updates %d",
                        (int) at.ndim, (int) u.ndim);
      for (int32_t d = 0; d < at.ndim; d++)
        if (kt_dim_known (at.dims[d]) && kt_dim_known (u.dims[d])
            && at.dims[d] != u.dims[d])
          return kt_fail (host, infer, KT_E_SHAPE,
                          "dim %d of indices is %lld, of updates %lld", (int) d,
                          (long long) at.dims[d], (long long) u.dims[d]);
    }
  return kt_infer_same (host, infer, NULL);
}

typedef struct
{
  kt_elements elements;
  kt_combine combine;
  kt_move copy;
} State;

static kt_status
scatter_elements_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  const int64_t all = kt_count (x.dims, x.ndim), one = 1;
  kt_reduction reduction;
  int32_t axis;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_reduction_of (host, prep, &reduction));
  KT_TRY (kt_elements_check (host, prep, &x, &at, &axis));
  KT_TRY (kt_combine_of (host, prep, x.dtype, reduction, &s->combine));
  kt_elements_plan (&s->elements, &x, &at, axis, true);
  kt_move_plan (&s->copy, x.dtype, 1, &all, &one, &one);
  return KT_OK;
}

static kt_status
scatter_elements_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  void *y        = run->out[0].data;

  if (y != run->in[0].data)
    KT_TRY (kt_move_run (host, run, &s->copy, run->in[0].data, 0, y, 0));
  return kt_elements_run (host, run, &s->elements, &run->in[1], s->combine.at, y,
                          run->in[2].data, s->combine.size);
}

static const kt_kernel scatter_elements_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .n_alias = 1,
    .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = scatter_elements_prepare,
    .run = scatter_elements_run },
  { 0 },
};

static const kt_scatter_form scatter_elements_form
    = { "ScatterElements", "GatherElements", true };

const kt_operator kette_op_scatter_elements = {
  .op     = { KT_OP ("ScatterElements", 11), .flags = KT_OP_PURE,
              .user = (void *) &scatter_elements_form, .infer = scatter_elements_infer,
              .gradient = kt_scatter_gradient },
  .kernel = scatter_elements_kernel,
};
