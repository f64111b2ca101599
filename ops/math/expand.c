/* SPDX-License-Identifier: Apache-2.0
 *
 * Expand: x broadcast together with `shape`; dims of x may stay larger.  Source: ONNX
 * Expand-13.
 */
#include "broadcast.h"
#include "emit.h"
#include "move.h"

static kt_status
expand_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t length, dims[KT_MAX_RANK];
  const int64_t *shape;
  size_t n;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &shape, &n));
  if (length > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "shape has %lld dims, at most %d are served",
                    (long long) length, KT_MAX_RANK);
  if (x.ndim < 0 || length < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  for (int64_t d = 0; d < length; d++)
    {
      dims[d] = shape ? shape[d] : KT_DIM (0);
      if (dims[d] < 0 && !KT_IS_DIM (dims[d]))
        return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %d",
                        (long long) dims[d], (int) d);
    }

  int32_t ndim = (int32_t) length;
  KT_TRY (kt_broadcast (host, infer, dims, &ndim, &x));
  return kt_set_out (host, infer, 0, x.dtype, dims, ndim);
}

static kt_status
expand_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  int64_t strides[KT_MAX_RANK], in[KT_MAX_RANK]   = { 0 }, out[KT_MAX_RANK];
  const int32_t lead = y.ndim - x.ndim;

  (void) user;
  for (int32_t d = 0; d < x.ndim; d++)
    if (lead < 0 || (x.dims[d] != 1 && x.dims[d] != y.dims[lead + d]))
      return kt_fail (
          host, prep, KT_E_SHAPE, "dim %d of the input is %lld, the output's is %lld",
          (int) d, (long long) x.dims[d], (long long) (lead < 0 ? 0 : y.dims[lead + d]));
  KT_TRY (host->keep (prep, sizeof (kt_move), state));
  kt_strides (x.dims, x.ndim, strides);
  kt_strides (y.dims, y.ndim, out);
  for (int32_t d = 0; d < x.ndim; d++)
    in[lead + d] = x.dims[d] == 1 ? 0 : strides[d];
  kt_move_plan (*state, x.dtype, y.ndim, y.dims, in, out);
  return KT_OK;
}

/* Where the shape comes from other nodes, the output may have been declared otherwise. */
static kt_status
expand_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_tensor *x = &run->in[0], *shape = &run->in[1], *y = &run->out[0];

  for (int32_t d = 0; d < y->ndim; d++)
    {
      const int64_t i    = d - y->ndim + kt_count (shape->shape, shape->ndim);
      const int32_t k    = d - y->ndim + x->ndim;
      const int64_t from = k >= 0 ? x->shape[k] : 1,
                    to   = i >= 0 ? kt_int_at (shape, i) : 1;
      if ((to == 1 ? from : to) != y->shape[d])
        return kt_fail (host, run, KT_E_SHAPE, "dim %d becomes %lld, the output has %lld",
                        (int) d, (long long) (to == 1 ? from : to),
                        (long long) y->shape[d]);
    }
  return kt_move_run (host, run, state, run->in[0].data, 0, run->out[0].data, 0);
}

static const kt_kernel expand_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = expand_prepare, .run = expand_run },
  { 0 },
};

/* dE/dx = dE/dy, summed over the repetitions. */
static kt_status
expand_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, kt_sum_to (host, g, host->g_seed (g, 0), host->g_in (g, 0)));
}

const kt_operator kette_op_expand = {
  .op     = { KT_OP ("Expand", 8), .flags = KT_OP_PURE, .infer = expand_infer,
              .gradient = expand_gradient },
  .kernel = expand_kernel,
};
