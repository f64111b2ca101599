/* SPDX-License-Identifier: Apache-2.0
 *
 * Tile: x repeated repeats[d] times along each axis d.  Source: ONNX Tile-13.
 */
#include "emit.h"
#include "move.h"

static kt_status
tile_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  const int64_t *repeats;
  int64_t length, dims[KT_MAX_RANK];
  size_t n;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &repeats, &n));
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype,
                           length > KT_MAX_RANK ? -1 : (int32_t) length);
  if (length >= 0 && length != x.ndim)
    return kt_fail (host, infer, KT_E_SHAPE,
                    "repeats has %lld elements, the input rank %d", (long long) length,
                    (int) x.ndim);
  if (!repeats)
    return kt_set_unknown (host, infer, 0, x.dtype, x.ndim);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      const int64_t times = repeats[d];
      if (times < 0 && !KT_IS_DIM (times))
        return kt_fail (host, infer, KT_E_VALUE, "repeats has %lld at %d",
                        (long long) times, (int) d);
      KT_TRY (
          kt_product (host, infer, (const int64_t[]){ x.dims[d], times }, 2, &dims[d]));
    }
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

typedef struct
{
  int32_t ndim;
  int64_t times[KT_MAX_RANK]; /* that each dim is repeated; 0: it is empty */
  kt_move move;
} State;

/* Output dim d is walked as (repeat, element of x), at most 2 * 32 dims; repeats of 1 and
 * whole inner parts merge, so that a rank that cannot be walked is rare. */
static kt_status
tile_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  int64_t dims[2 * KT_MAX_RANK], in[2 * KT_MAX_RANK], out[2 * KT_MAX_RANK];
  int64_t x_step[KT_MAX_RANK], y_step[KT_MAX_RANK];
  bool is_empty = false;
  int32_t n     = 0;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s       = *state;
  s->ndim = x.ndim;
  kt_strides (x.dims, x.ndim, x_step);
  kt_strides (y.dims, y.ndim, y_step);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      const int64_t times = x.dims[d] ? y.dims[d] / x.dims[d] : 0;
      if (times * x.dims[d] != y.dims[d])
        return kt_fail (host, prep, KT_E_SHAPE,
                        "%lld elements along axis %d are no multiple of %lld",
                        (long long) y.dims[d], (int) d, (long long) x.dims[d]);
      s->times[d] = times;
      is_empty |= y.dims[d] == 0;
      if (times != 1)
        {
          dims[n]  = times;
          in[n]    = 0;
          out[n++] = y_step[d] * x.dims[d];
        }
      if (x.dims[d] != 1)
        {
          dims[n]  = x.dims[d];
          in[n]    = x_step[d];
          out[n++] = y_step[d];
        }
    }
  if (is_empty) /* of any rank: nothing is moved */
    {
      n       = 1;
      dims[0] = 0;
    }
  if (n > KT_MAX_RANK)
    return kt_fail (host, prep, KT_E_UNSUPPORTED,
                    "%d dims and repeats, at most %d are served", (int) n, KT_MAX_RANK);
  kt_move_plan (&s->move, x.dtype, n, dims, in, out);
  return KT_OK;
}

/* Where the repeats come from other nodes, the output may have been declared otherwise. */
static kt_status
tile_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;

  for (int32_t d = 0; d < s->ndim; d++)
    if (kt_int_at (&run->in[1], d) != s->times[d] && run->in[0].shape[d] != 0)
      return kt_fail (host, run, KT_E_SHAPE,
                      "axis %d is repeated %lld times, the output has room for %lld",
                      (int) d, (long long) kt_int_at (&run->in[1], d),
                      (long long) s->times[d]);
  return kt_move_run (host, run, &s->move, run->in[0].data, 0, run->out[0].data, 0);
}

static const kt_kernel tile_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = tile_prepare, .run = tile_run },
  { 0 },
};

/* dE/dx: dE/dy in the shape (repeats[0], dim 0, repeats[1], dim 1, ..), summed over the
 * repeats. */
static kt_status
tile_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), repeats = host->g_in (g, 1);
  const int64_t one = 1, flat = -1;
  int64_t axes[KT_MAX_RANK];
  kt_type t;

  (void) user;
  KT_TRY (host->g_type (g, x, &t));
  if (t.ndim == 0)
    return host->g_set (g, 0, host->g_seed (g, 0));
  if (t.ndim < 0 || t.ndim > KT_MAX_RANK / 2)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "the gradient serves ranks 0 to %d, this is %d", KT_MAX_RANK / 2,
                    (int) t.ndim);
  for (int32_t d = 0; d < t.ndim; d++)
    axes[d] = 2 * d;

  const kt_value column  = kt_ints (host, g, &one, 1);
  const kt_value times[] = { repeats, column },
                 dims[]  = { kt_shape_of (host, g, x), column };
  const kt_attr axis     = { .name = "axis", .kind = KT_A_INT, .i = 1 };
  const kt_attr keep     = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  const kt_value pair[]  = { kt_node (host, g, "Unsqueeze", times, 2, NULL, 0),
                             kt_node (host, g, "Unsqueeze", dims, 2, NULL, 0) };
  const kt_value pairs   = kt_node (host, g, "Concat", pair, 2, &axis, 1);
  const kt_value shape   = kt_reshape (host, g, pairs, kt_ints (host, g, &flat, 1));
  const kt_value sum[]   = { kt_reshape_as (host, g, host->g_seed (g, 0), shape),
                             kt_ints (host, g, axes, t.ndim) };

  return host->g_set (g, 0, kt_node (host, g, "ReduceSum", sum, 2, &keep, 1));
}

/* Tile-1: `tiles` times along `axis`, both scalars of x's type. */
static kt_status
tile_1_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr to   = { .name = "to", .kind = KT_A_INT, .i = KT_I64 };
  const int64_t flat = 1;
  kt_value scalar[2];
  int64_t places[KT_MAX_RANK];
  kt_type t;

  (void) user;
  KT_TRY (host->g_type (g, host->g_in (g, 0), &t));
  if (t.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "Tile-1 needs an input of known rank");
  for (int32_t i = 0; i < 2; i++)
    {
      const kt_value v = host->g_in (g, i + 1);
      scalar[i]        = kt_reshape (host, g, kt_node (host, g, "Cast", &v, 1, &to, 1),
                                     kt_ints (host, g, &flat, 1));
    }
  for (int32_t d = 0; d < t.ndim; d++)
    places[d] = d;

  const kt_value here = kt_equal (host, g, kt_ints (host, g, places, t.ndim), scalar[1]);
  const kt_value in[] = { host->g_in (g, 0), kt_where (host, g, here, scalar[0],
                                                       kt_scalar (host, g, KT_I64, 1)) };
  return host->g_set (g, 0, kt_node (host, g, "Tile", in, 2, NULL, 0));
}

const kt_operator kette_op_tile = {
  .op     = { KT_OP ("Tile", 6), .flags = KT_OP_PURE, .infer = tile_infer,
              .gradient = tile_gradient },
  .kernel = tile_kernel,
  .old
  = (const kt_op[]){ { KT_OLD ("Tile", 1, 5), .flags = KT_OP_PURE, .body = tile_1_body },
                     { 0 } },
};
