/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ResizeGrad: the gradient of Resize: each element of dy goes to the elements that it was
 * made of, times their weights. Inputs behind dy: the shape of x, and Resize's.
 */
#include "emit.h"
#include "resize.h"

static kt_status
resize_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type dy = kt_in_type (host, infer, 0);
  const int64_t *shape;
  int64_t length, dims[KT_MAX_RANK];
  kt_resize r;
  size_t n;

  (void) user;
  if (dy.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &shape, &n));
  if (length > KT_MAX_RANK || (length >= 0 && dy.ndim >= 0 && length != dy.ndim))
    return kt_fail (host, infer, KT_E_SHAPE, "shape has %lld dims, dY has %d",
                    (long long) length, (int) dy.ndim);
  if (!shape)
    return kt_set_unknown (host, infer, 0, dy.dtype, (int32_t) length);
  KT_TRY (kt_resize_read (host, infer, (int32_t) n, &r));
  KT_TRY (kt_resize_dims (host, infer, &r, 2, shape, dims));
  for (size_t d = 0; d < n; d++)
    {
      if (shape[d] < 0 && !KT_IS_DIM (shape[d]))
        return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu",
                        (long long) shape[d], d);
      if (dy.ndim >= 0 && kt_dim_known (dims[d]) && kt_dim_known (dy.dims[d])
          && dims[d] != dy.dims[d])
        return kt_fail (host, infer, KT_E_SHAPE, "dim %zu of dY is %lld, must be %lld", d,
                        (long long) dy.dims[d], (long long) dims[d]);
    }
  return kt_set_out (host, infer, 0, dy.dtype, shape, (int32_t) n);
}

typedef struct
{
  kt_resize resize;
  int32_t dtype;
  size_t bytes;
} State;

static kt_status
resize_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dy = kt_in_type (host, prep, 0), dx = kt_out_type (host, prep, 0);
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s        = *state;
  s->dtype = dy.dtype;
  s->bytes = kt_bytes_of (dx.dtype, kt_count (dx.dims, dx.ndim));
  KT_TRY (kt_resize_prepare (host, prep, &s->resize, 2, &dx, &dy));
  return host->want_workspace (prep, kt_resize_bytes (&s->resize, s->dtype, true), 1);
}

static kt_status
resize_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s      = state;
  const kt_tensor *dx = &run->out[0];
  const kt_resize *r;
  kt_resize copy;

  for (int32_t d = 0; d < dx->ndim; d++)
    if (kt_int_at (&run->in[1], d) != dx->shape[d])
      return kt_fail (host, run, KT_E_SHAPE, "dim %d of shape is %lld, of dX %lld",
                      (int) d, (long long) kt_int_at (&run->in[1], d),
                      (long long) dx->shape[d]);
  KT_TRY (kt_resize_late (host, run, &s->resize, 2,
                          s->resize.late ? host->workspace (run, 0, NULL) : NULL, &copy,
                          &r));
  if (kt_count (r->out, r->ndim) == 0)
    {
      if (s->bytes)
        memset (dx->data, 0, s->bytes);
      return KT_OK;
    }
  if (r->n_stages == 0)
    {
      memcpy (dx->data, run->in[0].data, s->bytes);
      return KT_OK;
    }
  return kt_resize_run (host, run, r, s->dtype, true, run->in[0].data, dx->data);
}

static const kt_kernel resize_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16",
    .prepare = resize_grad_prepare, .run = resize_grad_run },
  { 0 },
};

enum
{
  MOST_OUT  = 4096, /* elements of an axis, and of its filter, that a body serves */
  MOST_TAPS = 64
};

static kt_value
vector (const kt_host *host, kt_graph *g, int32_t dtype, const double *v, int64_t n)
{
  const kt_attr to  = { .name = "to", .kind = KT_A_INT, .i = dtype };
  const kt_tensor t = { .data        = (void *) (uintptr_t) v,
                        .device_type = KT_CPU,
                        .ndim        = 2,
                        .code        = 2,
                        .bits        = 64,
                        .lanes       = 1,
                        .shape       = (const int64_t[]){ n, 1 } };
  kt_value out      = 0;

  host->g_constant (g, &t, &out);
  return dtype == KT_F64 ? out : kt_node (host, g, "Cast", &out, 1, &to, 1);
}

/* The weights of axis D as a matrix, [out, in]: for each tap a row of zeros with a one per element
 * of the result, times its weight. */
static kt_value
matrix_of (const kt_host *host, kt_graph *g, const kt_resize *r, int32_t d, int64_t taps,
           int32_t dtype)
{
  static const double zero_one[] = { 0, 1 };
  const int32_t type             = dtype == KT_F64 ? KT_F64 : KT_F32;
  const kt_attr to               = { .name = "to", .kind = KT_A_INT, .i = dtype };
  const int64_t two = 2, flat = -1;
  const kt_value values = kt_reshape (host, g, vector (host, g, type, zero_one, two),
                                      kt_ints (host, g, &flat, 1));
  int64_t places[MOST_OUT];
  double weights[MOST_OUT];
  kt_value sum = 0;

  for (int64_t t = 0; t < taps; t++)
    {
      for (int64_t i = 0; i < r->out[d]; i++)
        {
          double all[MOST_TAPS] = { 0 };
          int32_t first;
          kt_resize_weigh (r, d, i, taps, &first, all);
          places[i]  = first < 0 ? 0 : first + t;
          weights[i] = all[t];
        }
      const kt_value hot[] = { kt_ints (host, g, places, r->out[d]),
                               kt_scalar (host, g, KT_I64, (double) r->in[d]), values };
      const kt_value term = kt_mul (host, g, kt_node (host, g, "OneHot", hot, 3, NULL, 0),
                                    vector (host, g, type, weights, r->out[d]));
      sum                 = sum ? kt_add (host, g, sum, term) : term;
    }
  return type == dtype ? sum : kt_node (host, g, "Cast", &sum, 1, &to, 1);
}

/* V [.., out, ..] times the matrix along axis D. */
static kt_value
product (const kt_host *host, kt_graph *g, kt_value v, kt_value matrix, int32_t d,
         int32_t ndim)
{
  int64_t there[KT_MAX_RANK];
  const kt_attr perm
      = { .name = "perm", .kind = KT_A_INTS, .v = there, .n = (size_t) ndim };

  /* The axis and the last one change places. */
  for (int32_t k = 0; k < ndim; k++)
    there[k] = k == d ? ndim - 1 : k == ndim - 1 ? d : k;
  if (d == ndim - 1)
    return kt_matmul (host, g, v, matrix);
  v = kt_matmul (host, g, kt_node (host, g, "Transpose", &v, 1, &perm, 1), matrix);
  return kt_node (host, g, "Transpose", &v, 1, &perm, 1);
}

/* A product per axis with the matrix of its weights; for that, all must be known. */
static kt_status
resize_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  kt_value v = host->g_in (g, 0);
  const int64_t *shape;
  kt_resize r;
  kt_type dy;
  bool known;
  size_t n;

  (void) user;
  KT_TRY (host->ints (g, 1, &shape, &n));
  KT_TRY (host->g_type (g, v, &dy));
  known = shape && dy.ndim == (int32_t) n;
  for (int32_t d = 0; known && d < dy.ndim; d++)
    known = kt_dim_known (shape[d]) && kt_dim_known (dy.dims[d]) && shape[d] >= 0;
  if (known)
    {
      KT_TRY (kt_resize_read (host, g, dy.ndim, &r));
      KT_TRY (kt_resize_known (host, g, &r, 2, shape, dy.dims, &known));
    }
  if (!known)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know dims and scales");
  for (int32_t d = 0; d < dy.ndim; d++)
    {
      const int64_t taps = kt_resize_taps (&r, d);
      if (taps == 0)
        continue;
      if (r.out[d] > MOST_OUT || taps > MOST_TAPS)
        return kt_fail (
            host, g, KT_E_UNSUPPORTED,
            "axis %d has %lld elements of %lld each, its body serves %d of %d", (int) d,
            (long long) r.out[d], (long long) taps, MOST_OUT, MOST_TAPS);
      v = product (host, g, v, matrix_of (host, g, &r, d, taps, dy.dtype), d, dy.ndim);
    }
  return host->g_set (g, 0, v == host->g_in (g, 0) ? kt_identity (host, g, v) : v);
}

const kt_operator kette_op_resize_grad = {
  .op     = { KT_OP ("ResizeGrad", 1), .flags = KT_OP_PURE, .infer = resize_grad_infer,
              .body = resize_grad_body },
  .kernel = resize_grad_kernel,
};
