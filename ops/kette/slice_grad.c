/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SliceGrad: zeros of shape `shape`, with dy at the places that Slice would take by
 * starts, ends, axes and steps. The gradient of Slice.
 */
#include "cut.h"
#include "scatter.h"

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

/* -- the body: one axis after the other; Slice of 0, 1, 2, ... says which rows were taken -- */

typedef struct
{
  int32_t axis;
  kt_value start, end, step; /* of shape [1], int64; step may be absent */
} Part;

static kt_value
as_int64 (const kt_host *host, kt_graph *g, kt_value v)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = KT_I64 };

  return v ? kt_node (host, g, "Cast", &v, 1, &to, 1) : 0;
}

/* Entry K of the lists. */
static Part
entry (const kt_host *host, kt_graph *g, int64_t k, int32_t axis)
{
  return (Part){ axis, as_int64 (host, g, kt_part (host, g, host->g_in (g, 2), k, k + 1)),
                 as_int64 (host, g, kt_part (host, g, host->g_in (g, 3), k, k + 1)),
                 as_int64 (host, g, kt_part (host, g, host->g_in (g, 5), k, k + 1)) };
}

/* The element of LIST where HIT is true, ELSE_VALUE where it is nowhere. */
static kt_value
pick (const kt_host *host, kt_graph *g, kt_value hit, kt_value is_there, kt_value list,
      int64_t else_value)
{
  const kt_value zero = kt_scalar (host, g, KT_I64, 0);
  const kt_value kept = kt_where (host, g, hit, as_int64 (host, g, list), zero);

  return list ? kt_where (host, g, is_there,
                          kt_node (host, g, "ReduceSum", &kept, 1, NULL, 0),
                          kt_ints (host, g, &else_value, 1))
              : 0;
}

/* What the lists say of AXIS where the axes are known only at run time. */
static Part
search (const kt_host *host, kt_graph *g, int32_t axis, int32_t rank)
{
  const kt_value axes = as_int64 (host, g, host->g_in (g, 4));
  const kt_value zero = kt_scalar (host, g, KT_I64, 0);
  const kt_value hits[]
      = { kt_equal (host, g, axes, kt_scalar (host, g, KT_I64, axis)),
          kt_equal (host, g, axes, kt_scalar (host, g, KT_I64, axis - rank)) };
  const kt_value hit  = kt_node (host, g, "Or", hits, 2, NULL, 0);
  const kt_value ones = as_int64 (host, g, hit);
  const kt_value is_there
      = kt_greater (host, g, kt_node (host, g, "ReduceSum", &ones, 1, NULL, 0), zero);

  return (Part){ axis, pick (host, g, hit, is_there, host->g_in (g, 2), 0),
                 pick (host, g, hit, is_there, host->g_in (g, 3), INT64_MAX),
                 pick (host, g, hit, is_there, host->g_in (g, 5), 1) };
}

/* DX with the rows of one axis where they were, zeros in between. */
static kt_value
widen (const kt_host *host, kt_graph *g, kt_value dx, const Part *part, int32_t rank)
{
  const kt_attr first = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  const int32_t axis  = part->axis;
  const kt_value size = kt_part (host, g, host->g_in (g, 1), axis, axis + 1);
  const kt_value old  = kt_shape_of (host, g, dx);
  const kt_value dims[]
      = { kt_part (host, g, old, 0, axis), size, kt_part (host, g, old, axis + 1, rank) };
  const kt_value in[]
      = { kt_count_up (host, g, size), part->start, part->end, 0, part->step };
  const kt_value taken = kt_node (host, g, "Slice", in, part->step ? 5 : 3, NULL, 0);

  return kt_add_slices (host, g, dx, taken, 1,
                        kt_node (host, g, "Concat", dims, 3, &first, 1), axis);
}

static kt_status
slice_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  kt_value dx         = host->g_in (g, 0);
  const int64_t *axes = NULL;
  int64_t rank, n;
  size_t n_axes;

  (void) user;
  KT_TRY (kt_length_of (host, g, 1, &rank));
  KT_TRY (kt_length_of (host, g, 2, &n));
  KT_TRY (host->ints (g, 4, &axes, &n_axes));
  for (size_t k = 0; axes && k < n_axes; k++)
    axes = KT_IS_DIM (axes[k]) ? NULL : axes;
  const bool search_them = host->g_in (g, 4) && !axes;
  if (rank < 0 || rank > KT_MAX_RANK || (n < 0 && !search_them))
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the ranks");
  if (n > rank)
    return kt_fail (host, g, KT_E_SHAPE, "starts has %lld elements, dy has rank %lld",
                    (long long) n, (long long) rank);
  if (axes && (int64_t) n_axes != n)
    return kt_fail (host, g, KT_E_SHAPE, "starts has %lld elements, axes has %zu",
                    (long long) n, n_axes);
  for (int64_t k = 0; k < (search_them ? rank : n); k++)
    {
      int32_t axis = (int32_t) k;
      if (axes)
        KT_TRY (kt_axis (host, g, KT_E_VALUE, axes[k], (int32_t) rank, &axis));
      const Part part = search_them ? search (host, g, axis, (int32_t) rank)
                                    : entry (host, g, k, axis);
      dx              = widen (host, g, dx, &part, (int32_t) rank);
    }
  return host->g_set (g, 0, dx == host->g_in (g, 0) ? kt_identity (host, g, dx) : dx);
}

const kt_operator kette_op_slice_grad = {
  .op     = { KT_OP ("SliceGrad", 1), .flags = KT_OP_PURE, .infer = slice_grad_infer,
              .gradient = slice_grad_gradient, .body = slice_grad_body },
  .kernel = slice_grad_kernel,
};
