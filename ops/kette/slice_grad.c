/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SliceGrad: zeros of shape `shape`, with dy at the places that Slice would take by
 * starts, ends, axes and steps. The gradient of Slice.
 */
#include "cut.h"
#include "scatter.h"

/* The lists have one entry per axis that is cut, as far as their lengths are known. */
static kt_status
check_lengths (const kt_host *host, kt_infer *infer, int32_t ndim)
{
  static const char *const name[] = { "starts", "ends", "axes", "steps" };
  int64_t n[4];

  for (int32_t i = 0; i < 4; i++)
    {
      n[i] = -1;
      if (kt_in_type (host, infer, 2 + i).kind)
        KT_TRY (kt_length_of (host, infer, 2 + i, &n[i]));
    }
  for (int32_t i = 1; i < 4; i++)
    if (n[0] >= 0 && n[i] >= 0 && n[i] != n[0])
      return kt_fail (host, infer, KT_E_SHAPE, "starts has %lld elements, %s has %lld",
                      (long long) n[0], name[i], (long long) n[i]);
  if (ndim >= 0 && n[0] > ndim)
    return kt_fail (host, infer, KT_E_SHAPE, "starts has %lld elements, dy has rank %d",
                    (long long) n[0], (int) ndim);
  return KT_OK;
}

static kt_status
slice_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type dy = kt_in_type (host, infer, 0);
  const int64_t *shape;
  kt_cut_lists lists;
  int64_t length;
  kt_cut cut;
  bool all;
  size_t n;

  (void) user;
  if (dy.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &shape, &n));
  if (length > KT_MAX_RANK || (length >= 0 && dy.ndim >= 0 && length != dy.ndim))
    return kt_fail (host, infer, KT_E_SHAPE, "shape has %lld dims, dy has %d",
                    (long long) length, (int) dy.ndim);
  KT_TRY (check_lengths (host, infer, dy.ndim));
  if (!shape)
    return kt_set_unknown (host, infer, 0, dy.dtype, (int32_t) length);
  for (size_t d = 0; d < n; d++)
    if (shape[d] < 0 && !KT_IS_DIM (shape[d]))
      return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu",
                      (long long) shape[d], d);
  KT_TRY (kt_cut_known (host, infer, 2, &lists, &all));
  if (all)
    {
      KT_TRY (kt_cut_resolve (host, infer, (int32_t) n, shape, &lists, &cut));
      for (int32_t d = 0; d < dy.ndim; d++)
        if (kt_dim_known (cut.count[d]) && kt_dim_known (dy.dims[d])
            && cut.count[d] != dy.dims[d])
          return kt_fail (host, infer, KT_E_SHAPE, "dim %d of dy is %lld, must be %lld",
                          (int) d, (long long) dy.dims[d], (long long) cut.count[d]);
    }
  return kt_set_out (host, infer, 0, dy.dtype, shape, (int32_t) n);
}

typedef struct
{
  int32_t dtype;
  size_t bytes;
} State;

static kt_status
slice_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dx = kt_out_type (host, prep, 0);
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s        = *state;
  s->dtype = dx.dtype;
  s->bytes = kt_bytes_of (dx.dtype, kt_count (dx.dims, dx.ndim));
  return KT_OK;
}

/* The lists may come from other nodes; they are short and are read at each run. */
static kt_status
slice_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s      = state;
  const kt_tensor *dy = &run->in[0], *dx = &run->out[0];
  int64_t content[4][KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK], first;
  kt_cut_lists lists;
  kt_move move;
  kt_cut cut;

  KT_TRY (kt_cut_at_run (host, run, 2, content, &lists));
  KT_TRY (kt_cut_resolve (host, run, dx->ndim, dx->shape, &lists, &cut));
  for (int32_t d = 0; d < dx->ndim; d++)
    if (cut.count[d] != dy->shape[d])
      return kt_fail (host, run, KT_E_SHAPE, "dim %d of dy is %lld, must be %lld",
                      (int) d, (long long) dy->shape[d], (long long) cut.count[d]);
  first = kt_cut_strides (dx->ndim, dx->shape, &cut, out);
  kt_strides (dy->shape, dy->ndim, in);
  kt_move_plan (&move, s->dtype, dx->ndim, cut.count, in, out);
  if (s->bytes)
    memset (dx->data, 0, s->bytes);
  return kt_move_run (host, run, &move, dy->data, 0, dx->data, first);
}

static const kt_kernel slice_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = slice_grad_prepare,
    .run = slice_grad_run },
  { 0 },
};

/* dE/d(dy): the slice of the gradient. */
static kt_status
slice_grad_gradient (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[5] = { host->g_seed (g, 0) };
  int32_t n      = 1;

  (void) user;
  for (int32_t i = 1; i < 5; i++)
    {
      in[i] = host->g_in (g, i + 1);
      n     = in[i] ? i + 1 : n;
    }
  return host->g_set (g, 0, kt_node (host, g, "Slice", in, n, NULL, 0));
}

/* Slice of 0, 1, 2, ... says where each element of dy came from. */
static kt_status
slice_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value shape = host->g_in (g, 1);
  kt_value in[5]       = { kt_places (host, g, shape) };
  int32_t n            = 1;

  (void) user;
  for (int32_t i = 1; i < 5; i++)
    {
      in[i] = host->g_in (g, i + 1);
      n     = in[i] ? i + 1 : n;
    }
  return host->g_set (g, 0,
                      kt_add_at_places (host, g, host->g_in (g, 0),
                                        kt_node (host, g, "Slice", in, n, NULL, 0),
                                        shape));
}

const kt_operator kette_op_slice_grad = {
  .op     = { KT_OP ("SliceGrad", 1), .flags = KT_OP_PURE, .infer = slice_grad_infer,
              .gradient = slice_grad_gradient, .body = slice_grad_body },
  .kernel = slice_grad_kernel,
};
