/* SPDX-License-Identifier: Apache-2.0
 *
 * Gather: y = x at `indices` along `axis`; negative indices count from the end.
 * Source: ONNX Gather-13.
 */
#include "emit.h"
#include "rows.h"

static kt_status
gather_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  int64_t dims[2 * KT_MAX_RANK], picked[256];
  const int64_t *from, *index;
  size_t n_from, n_index;
  int32_t axis = 0, n = 0;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim == 0)
    return kt_fail (host, infer, KT_E_SHAPE, "the input is a scalar");
  if (x.ndim >= 0)
    KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", 0), x.ndim,
                     &axis));
  if (x.ndim < 0 || at.kind == 0 || at.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  if (x.ndim + at.ndim - 1 > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "rank %d exceeds %d",
                    (int) (x.ndim + at.ndim - 1), KT_MAX_RANK);
  for (int32_t d = 0; d < axis; d++)
    dims[n++] = x.dims[d];
  for (int32_t d = 0; d < at.ndim; d++)
    dims[n++] = at.dims[d];
  for (int32_t d = axis + 1; d < x.ndim; d++)
    dims[n++] = x.dims[d];
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, dims, n));

  KT_TRY (host->ints (infer, 0, &from, &n_from));
  KT_TRY (host->ints (infer, 1, &index, &n_index));
  if (x.ndim != 1 || !from || !index || n_index > sizeof picked / sizeof *picked)
    return KT_OK;
  for (size_t i = 0; i < n_index; i++)
    {
      if (KT_IS_DIM (index[i]))
        return KT_OK;
      if (index[i] < -(int64_t) n_from || index[i] >= (int64_t) n_from)
        return kt_fail (host, infer, KT_E_VALUE, "index %lld is not in %lld..%lld",
                        (long long) index[i], -(long long) n_from,
                        (long long) n_from - 1);
      picked[i] = from[index[i] < 0 ? index[i] + (int64_t) n_from : index[i]];
    }
  return host->out_ints (infer, 0, picked, n_index);
}

static kt_status
gather_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  int32_t axis = 0;

  (void) user;
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), x.ndim,
                   &axis));
  KT_TRY (host->keep (prep, sizeof (kt_rows), state));
  kt_rows_plan_axis (*state, &x, axis, kt_count (at.dims, at.ndim));
  return KT_OK;
}

static kt_status
gather_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_rows *rows = state;

  KT_TRY (kt_check_indices (host, run, &run->in[1], rows->n));
  return kt_rows_read (host, run, rows, &run->in[1], run->in[0].data, run->out[0].data);
}

static const kt_kernel gather_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = gather_prepare, .run = gather_run },
  { 0 },
};

/* dE/dx: the rows of dE/dy added up at their indices: kette.GatherGrad. */
static kt_status
gather_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr axis
      = { .name = "axis", .kind = KT_A_INT, .i = kt_attr_int (host, g, "axis", 0) };
  const kt_value in[] = { host->g_seed (g, 0), host->g_in (g, 1),
                          kt_shape_of (host, g, host->g_in (g, 0)) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "GatherGrad", in, 3, &axis, 1));
}

const kt_operator kette_op_gather = {
  .op     = { KT_OP ("Gather", 1), .flags = KT_OP_PURE, .infer = gather_infer,
              .gradient = gather_gradient },
  .kernel = gather_kernel,
};
