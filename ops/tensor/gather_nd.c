/* SPDX-License-Identifier: Apache-2.0
 *
 * GatherND: the slices of data that the tuples in the last dim of indices name, batch by batch
 * of the first `batch_dims` dims.  Source: ONNX GatherND-13.
 */
#include "rows.h"
#include "scatter.h"

static kt_status
gather_nd_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), at = kt_in_type (host, infer, 1);
  const int64_t batch = kt_attr_int (host, infer, "batch_dims", 0);
  int64_t dims[2 * KT_MAX_RANK];
  int32_t k, n = 0;

  (void) user;
  KT_TRY (kt_tuples_check (host, infer, &x, &at, batch, &k));
  if (x.kind == 0)
    return KT_OK;
  if (k < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  for (int32_t d = 0; d < at.ndim - 1; d++)
    dims[n++] = at.dims[d];
  for (int32_t d = (int32_t) batch + k; d < x.ndim; d++)
    dims[n++] = x.dims[d];
  if (n > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "rank %d exceeds %d", (int) n, KT_MAX_RANK);
  return kt_set_out (host, infer, 0, x.dtype, dims, n);
}

typedef struct
{
  kt_tuples tuples;
  kt_rows rows;
} State;

static kt_status
gather_nd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  const int64_t batch = kt_attr_int (host, prep, "batch_dims", 0);
  int32_t k;
  State *s;

  (void) user;
  KT_TRY (kt_tuples_check (host, prep, &x, &at, batch, &k));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  kt_tuples_plan (&s->tuples, &x, &at, (int32_t) batch);

  const int32_t inner = (int32_t) batch + k;
  kt_rows_plan (&s->rows, 1, kt_count (x.dims, inner),
                kt_count (x.dims + inner, x.ndim - inner), s->tuples.count, x.dtype);
  return host->want_workspace (prep, (size_t) s->tuples.count * sizeof (int64_t), 0);
}

static kt_status
gather_nd_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s       = state;
  const kt_tensor list = kt_row_list (host->workspace (run, -1, NULL), &s->tuples.count);

  KT_TRY (kt_tuples_resolve (host, run, &s->tuples, &run->in[1], list.data));
  return kt_rows_read (host, run, &s->rows, &list, run->in[0].data, run->out[0].data);
}

static const kt_kernel gather_nd_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = gather_nd_prepare,
    .run = gather_nd_run },
  { 0 },
};

/* dE/dx: dE/dy added to zeros where the slices came from. ScatterND has no batch_dims: where
 * there are some, the places of single elements are added to. */
static kt_status
gather_nd_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr batch = { .name = "batch_dims",
                          .kind = KT_A_INT,
                          .i    = kt_attr_int (host, g, "batch_dims", 0) };
  const kt_attr add   = { .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3 };
  const kt_value dy = host->g_seed (g, 0), at = host->g_in (g, 1);
  const kt_value shape = kt_shape_of (host, g, host->g_in (g, 0));

  (void) user;
  if (batch.i == 0)
    {
      const kt_value in[] = { kt_zeros (host, g, dy, shape), at, dy };
      return host->g_set (g, 0, kt_node (host, g, "ScatterND", in, 3, &add, 1));
    }

  const kt_value in[] = { kt_places (host, g, shape), at };
  return host->g_set (g, 0,
                      kt_add_at_places (host, g, dy,
                                        kt_node (host, g, "GatherND", in, 2, &batch, 1),
                                        shape));
}

const kt_operator kette_op_gather_nd = {
  .op     = { KT_OP ("GatherND", 11), .flags = KT_OP_PURE, .infer = gather_nd_infer,
              .gradient = gather_nd_gradient },
  .kernel = gather_nd_kernel,
};
