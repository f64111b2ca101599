/* SPDX-License-Identifier: Apache-2.0
 *
 * Pad: x with elements put in front and behind along each axis (negative: cut off): a constant,
 * mirrored ones, the edge, or those of the other end.  Source: ONNX Pad-25.
 */
#include "pad.h"
#include "emit.h"
#include "scatter.h"

/* The vector of integers in input I, if its length is known; *v is not NULL then. */
static kt_status
known_ints (const kt_host *host, const void *ctx, int32_t i, const int64_t **v,
            int64_t *n)
{
  static const int64_t none[1];
  size_t count;

  KT_TRY (kt_length_of (host, ctx, i, n));
  KT_TRY (host->ints (ctx, i, v, &count));
  if (*v)
    *n = (int64_t) count;
  else if (*n == 0)
    *v = none;
  return KT_OK;
}

/* What the inputs pads and axes say, as far as known; *known: they are there. Their lengths
 * are checked even where their content is not known. */
static kt_status
known_pads (const kt_host *host, const void *ctx, int32_t ndim, kt_pads *pads,
            bool *known)
{
  const int64_t *v, *axes = NULL;
  int64_t n, n_axes       = ndim;

  KT_TRY (known_ints (host, ctx, 1, &v, &n));
  *known = v != NULL;
  if (!kt_is_absent (kt_in_type (host, ctx, 3)))
    {
      KT_TRY (known_ints (host, ctx, 3, &axes, &n_axes));
      *known = *known && axes;
      for (int64_t i = 0; *known && i < n_axes; i++)
        *known = !KT_IS_DIM (axes[i]);
    }
  if (n_axes > ndim)
    return kt_fail (host, ctx, KT_E_SHAPE, "axes has %lld elements, the input rank %d",
                    (long long) n_axes, (int) ndim);
  if (n >= 0 && n_axes >= 0 && n != 2 * n_axes)
    return kt_fail (host, ctx, KT_E_SHAPE, "pads has %lld elements, must have %lld",
                    (long long) n, (long long) (2 * n_axes));
  return *known ? kt_pads_resolve (host, ctx, ndim, v, axes, n_axes, pads) : KT_OK;
}

static kt_status
pad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), value = kt_in_type (host, infer, 2);
  int64_t dims[KT_MAX_RANK];
  kt_pad_mode mode;
  kt_pads pads;
  bool known;

  (void) user;
  KT_TRY (kt_pad_mode_of (host, infer, &mode));
  for (int32_t d = 0; value.kind && d < value.ndim; d++)
    if (kt_dim_known (value.dims[d]) && value.dims[d] != 1)
      return kt_fail (host, infer, KT_E_SHAPE,
                      "the constant has %lld elements, must have one",
                      (long long) value.dims[d]);
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  KT_TRY (known_pads (host, infer, x.ndim, &pads, &known));
  if (!known)
    return kt_set_unknown (host, infer, 0, x.dtype, x.ndim);
  KT_TRY (kt_pad_shape (host, infer, mode, x.ndim, x.dims, &pads, dims));
  return kt_set_out (host, infer, 0, x.dtype, dims, x.ndim);
}

typedef struct
{
  kt_pad_mode mode;
  int32_t dtype;
  bool ready;
  kt_pad pad;
} State;

/* Pads X of NDIM dims, of which the output has been given the shape Y. */
static kt_status
plan (const kt_host *host, const void *ctx, State *s, int32_t ndim, const int64_t *x,
      const int64_t *y, const kt_pads *pads)
{
  int64_t dims[KT_MAX_RANK];

  KT_TRY (kt_pad_shape (host, ctx, s->mode, ndim, x, pads, dims));
  for (int32_t d = 0; d < ndim; d++)
    if (dims[d] != y[d])
      return kt_fail (host, ctx, KT_E_SHAPE, "dim %d becomes %lld, the output has %lld",
                      (int) d, (long long) dims[d], (long long) y[d]);
  kt_pad_plan (&s->pad, s->mode, s->dtype, ndim, x, pads);
  return KT_OK;
}

static kt_status
pad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  kt_pads pads;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s        = *state;
  s->dtype = x.dtype;
  KT_TRY (kt_pad_mode_of (host, prep, &s->mode));
  KT_TRY (known_pads (host, prep, x.ndim, &pads, &s->ready));
  return s->ready ? plan (host, prep, s, x.ndim, x.dims, y.dims, &pads) : KT_OK;
}

/* The pads while running, where they were not known before. */
static kt_status
pads_at_run (const kt_host *host, const kt_run *run, kt_pads *pads)
{
  int64_t content[3 * KT_MAX_RANK], n[2] = { 0, 0 }, *to = content;
  bool all = true;

  for (int i = 0; i < 2; i++)
    {
      const kt_tensor *t = 1 + 2 * i < run->n_in ? &run->in[1 + 2 * i] : NULL;
      all                = !t || t->device_type == 0;
      if (all)
        continue;
      n[i] = kt_count (t->shape, t->ndim);
      for (int64_t k = 0; k < n[i]; k++)
        *to++ = kt_int_at (t, k);
    }
  return kt_pads_resolve (host, run, run->in[0].ndim, content,
                          all ? NULL : content + n[0], all ? run->in[0].ndim : n[1],
                          pads);
}

static kt_status
pad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  const kt_tensor *x = &run->in[0], *y = &run->out[0];
  const void *value = run->n_in > 2 && run->in[2].device_type ? run->in[2].data : NULL;
  State now;
  kt_pads pads;

  if (s->ready)
    return kt_pad_run (host, run, &s->pad, value, x->data, y->data);
  now = (State){ .mode = s->mode, .dtype = s->dtype };
  KT_TRY (pads_at_run (host, run, &pads));
  KT_TRY (plan (host, run, &now, x->ndim, x->shape, y->shape, &pads));
  return kt_pad_run (host, run, &now.pad, value, x->data, y->data);
}

static const kt_kernel pad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = pad_prepare, .run = pad_run },
  { 0 },
};

/* A constant around it: dE/dx is what is left of dE/dy when as much is cut off (or put on) again.
 * Copies of elements: the padding of their places says where dE/dy is added. */
static kt_status
pad_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0), x = host->g_in (g, 0);
  kt_value in[] = { dy, host->g_in (g, 1), 0, host->g_in (g, 3) };
  kt_attr mode;

  (void) user;
  if (kt_attr_is (host, g, "mode", "constant"))
    {
      in[1] = kt_neg (host, g, in[1]);
      return host->g_set (g, 0, kt_node (host, g, "Pad", in, in[3] ? 4 : 2, NULL, 0));
    }

  const kt_value shape = kt_shape_of (host, g, x);
  KT_TRY (host->attr (g, "mode", &mode));
  mode  = (kt_attr){ .name = "mode", .kind = KT_A_STRING, .v = mode.v, .n = mode.n };
  in[0] = kt_places (host, g, shape);
  return host->g_set (
      g, 0,
      kt_add_at_places (host, g, dy,
                        kt_node (host, g, "Pad", in, in[3] ? 4 : 2, &mode, 1), shape));
}

/* VALUE in the type of LIKE, which may not be known yet. */
static kt_value
constant (const kt_host *host, kt_graph *g, double value, kt_value like)
{
  const kt_value in[] = { kt_scalar (host, g, KT_F32, value), like };
  kt_type type        = { 0 };

  host->g_type (g, like, &type);
  return type.kind ? kt_scalar (host, g, type.dtype, value)
                   : kt_node (host, g, "CastLike", in, 2, NULL, 0);
}

/* Pad-1 and Pad-2: the pads (`paddings` in 1) and the constant are attributes. */
static kt_status
pad_old_body (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[3] = { host->g_in (g, 0) };
  size_t n;
  const int64_t *pads = kt_attr_ints (host, g, "pads", &n);
  const double value  = kt_attr_float (host, g, "value", 0);
  kt_attr mode;

  (void) user;
  if (!pads)
    pads = kt_attr_ints (host, g, "paddings", &n);
  KT_TRY (host->attr (g, "mode", &mode));
  mode  = (kt_attr){ .name = "mode", .kind = KT_A_STRING, .v = mode.v, .n = mode.n };
  in[1] = kt_ints (host, g, pads, (int64_t) n);
  if (value != 0)
    in[2] = constant (host, g, value, in[0]);
  return host->g_set (g, 0, kt_node (host, g, "Pad", in, in[2] ? 3 : 2, &mode, 1));
}

const kt_operator kette_op_pad = {
  .op     = { KT_OP ("Pad", 11), .flags = KT_OP_PURE, .infer = pad_infer,
              .gradient = pad_gradient },
  .kernel = pad_kernel,
  .old
  = (const kt_op[]){ { KT_OLD ("Pad", 1, 10), .flags = KT_OP_PURE, .body = pad_old_body },
                     { 0 } },
};
