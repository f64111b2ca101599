/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.c: arithmetic on shapes that may be known in part, and the kernel of views.
 */
#include "shape.h"
#include "emit.h"
#include <stdio.h>

int32_t
kt_bits_of (int32_t dtype)
{
  switch (dtype)
    {
    case KT_U4:
    case KT_I4:
    case KT_F4E2M1:
      return 4;
    case KT_U2:
    case KT_I2:
      return 2;
    default:
      return (int32_t) (8 * kt_size_of (dtype));
    }
}

size_t
kt_bytes_of (int32_t dtype, int64_t count)
{
  const int32_t bits = kt_bits_of (dtype);

  return bits >= 8 ? (size_t) count * (size_t) (bits / 8)
                   : ((size_t) count + (size_t) (8 / bits) - 1) / (size_t) (8 / bits);
}

int32_t
kt_dtype_of (const kt_tensor *t)
{
  static const struct
  {
    uint8_t code, bits, dtype;
  } rows[] = {
    { 0, 8, KT_I8 },      { 0, 16, KT_I16 },        { 0, 32, KT_I32 },
    { 0, 64, KT_I64 },    { 0, 4, KT_I4 },          { 0, 2, KT_I2 },
    { 1, 8, KT_U8 },      { 1, 16, KT_U16 },        { 1, 32, KT_U32 },
    { 1, 64, KT_U64 },    { 1, 4, KT_U4 },          { 1, 2, KT_U2 },
    { 2, 16, KT_F16 },    { 2, 32, KT_F32 },        { 2, 64, KT_F64 },
    { 4, 16, KT_BF16 },   { 5, 64, KT_C64 },        { 5, 128, KT_C128 },
    { 6, 8, KT_BOOL },    { 10, 8, KT_F8E4M3FN },   { 11, 8, KT_F8E4M3FNUZ },
    { 12, 8, KT_F8E5M2 }, { 13, 8, KT_F8E5M2FNUZ }, { 14, 8, KT_F8E8M0 },
    { 17, 4, KT_F4E2M1 },
  };

  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].code == t->code && rows[i].bits == t->bits)
      return rows[i].dtype;
  return KT_STRING; /* DLPack has no code for it */
}

const char *
kt_position (const kt_tensor *t, int64_t i, char out[256])
{
  int64_t at[KT_MAX_RANK];
  size_t n = 1;

  for (int32_t d = t->ndim - 1; d >= 0; d--)
    {
      at[d] = i % t->shape[d];
      i /= t->shape[d];
    }
  out[0] = '[';
  for (int32_t d = 0; d < t->ndim && n + 24 < 256; d++)
    n += (size_t) snprintf (out + n, 256 - n, d ? ",%lld" : "%lld", (long long) at[d]);
  out[n]     = ']';
  out[n + 1] = '\0';
  return out;
}

kt_status
kt_product (const kt_host *host, const void *ctx, const int64_t *dims, int32_t n,
            int64_t *out)
{
  int64_t product = 1, symbol = 0;
  int32_t n_symbols = 0;
  bool zero         = false;

  for (int32_t i = 0; i < n; i++)
    zero = zero || dims[i] == 0;
  for (int32_t i = 0; i < n && !zero; i++)
    if (KT_IS_DIM (dims[i]))
      {
        symbol = dims[i];
        n_symbols++;
      }
    else if (__builtin_mul_overflow (product, dims[i], &product))
      return kt_fail (host, ctx, KT_E_LIMIT, "the product of %d dims exceeds 2^63", n);
  if (zero)
    *out = 0;
  else if (n_symbols == 0)
    *out = product;
  else
    *out = n_symbols == 1 && product == 1 ? symbol : KT_DIM (0);
  return KT_OK;
}

static kt_status
length_of (const kt_host *host, const void *ctx, int32_t i, bool or_scalar, int64_t *n)
{
  const kt_type t = kt_in_type (host, ctx, i);
  const int64_t *content;
  size_t n_content;

  *n = kt_is_absent (t) ? 0 : -1;
  if (t.kind == 0 || t.ndim < 0)
    return KT_OK;
  KT_TRY (host->ints (ctx, i, &content, &n_content));
  if (t.ndim == 0 && or_scalar)
    *n = 1;
  else if (t.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "input %d has rank %d, must be a vector",
                    (int) i, (int) t.ndim);
  else if (kt_dim_known (t.dims[0]))
    *n = t.dims[0];
  else if (content) /* partly known, as many as there are */
    *n = (int64_t) n_content;
  return KT_OK;
}

kt_status
kt_length_of (const kt_host *host, const void *ctx, int32_t i, int64_t *n)
{
  return length_of (host, ctx, i, false, n);
}

kt_status
kt_n_axes_of (const kt_host *host, const void *ctx, int32_t i, int64_t *n)
{
  return length_of (host, ctx, i, true, n);
}

kt_status
kt_axis_set (const kt_host *host, const void *ctx, const int64_t *v, size_t n,
             int32_t ndim, uint32_t *set)
{
  *set = 0;
  for (size_t i = 0; i < n; i++)
    {
      int32_t axis = 0;
      KT_TRY (kt_axis (host, ctx, KT_E_VALUE, v[i], ndim, &axis));
      if (*set >> axis & 1)
        return kt_fail (host, ctx, KT_E_VALUE, "axis %d stands twice", (int) axis);
      *set |= (uint32_t) 1 << axis;
    }
  return KT_OK;
}

kt_status
kt_axes_of (const kt_host *host, const void *ctx, int32_t i, int32_t ndim, kt_axes *axes)
{
  int32_t n_in = 0, n_out = 0;
  const int64_t *v;
  size_t n;

  *axes = (kt_axes){ .state = KT_AXES_ABSENT };
  KT_TRY (host->arity (ctx, &n_in, &n_out, NULL));
  if (i >= n_in || kt_is_absent (kt_in_type (host, ctx, i)))
    return KT_OK;
  axes->state = KT_AXES_UNKNOWN;
  KT_TRY (kt_n_axes_of (host, ctx, i, &axes->n));
  KT_TRY (host->ints (ctx, i, &v, &n));
  if (axes->n == 0)
    {
      axes->state = KT_AXES_KNOWN;
      return KT_OK;
    }
  if (!v)
    return KT_OK;
  axes->n = (int64_t) n;
  for (size_t k = 0; k < n; k++)
    if (KT_IS_DIM (v[k]))
      return KT_OK;
  axes->state = KT_AXES_KNOWN;
  return kt_axis_set (host, ctx, v, n, ndim, &axes->set);
}

kt_status
kt_axes_at_run (const kt_host *host, kt_run *run, int32_t i, int32_t ndim, kt_axes *axes)
{
  const kt_tensor *t = i < run->n_in ? &run->in[i] : NULL;
  int64_t v[KT_MAX_RANK];

  *axes = (kt_axes){ .state = KT_AXES_ABSENT };
  if (!t || t->device_type == 0)
    return KT_OK;
  axes->state = KT_AXES_KNOWN;
  axes->n     = kt_count (t->shape, t->ndim);
  if (axes->n > ndim)
    return kt_fail (host, run, KT_E_VALUE, "%lld axes for rank %d", (long long) axes->n,
                    (int) ndim);
  for (int64_t k = 0; k < axes->n; k++)
    v[k] = kt_int_at (t, k);
  return kt_axis_set (host, run, v, (size_t) axes->n, ndim, &axes->set);
}

kt_status
kt_set_unknown (const kt_host *host, kt_infer *infer, int32_t i, int32_t dtype,
                int32_t ndim)
{
  int64_t dims[KT_MAX_RANK];

  if (ndim > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "rank %d exceeds %d", (int) ndim,
                    KT_MAX_RANK);
  for (int32_t d = 0; d < ndim; d++)
    dims[d] = KT_DIM (0);
  return kt_set_out (host, infer, i, dtype, dims, ndim);
}

kt_status
kt_pass_ints (const kt_host *host, kt_infer *infer)
{
  const int64_t *v;
  size_t n;

  KT_TRY (host->ints (infer, 0, &v, &n));
  return v ? host->out_ints (infer, 0, v, n) : KT_OK;
}

kt_status
kt_view_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type t = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  size_t *bytes;

  (void) user;
  if (kt_count (t.dims, t.ndim) != kt_count (y.dims, y.ndim))
    return kt_fail (
        host, prep, KT_E_SHAPE, "the input has %lld elements, the output %lld",
        (long long) kt_count (t.dims, t.ndim), (long long) kt_count (y.dims, y.ndim));
  KT_TRY (host->keep (prep, sizeof *bytes, state));
  bytes  = *state;
  *bytes = kt_bytes_of (t.dtype, kt_count (t.dims, t.ndim));
  return KT_OK;
}

kt_status
kt_view_run (const kt_host *host, kt_run *run, void *state)
{
  const size_t bytes = *(const size_t *) state;

  (void) host;
  if (bytes && run->in[0].data != run->out[0].data)
    memcpy (run->out[0].data, run->in[0].data, bytes);
  return KT_OK;
}

kt_status
kt_old_axes (const kt_host *host, kt_graph *g, void *user)
{
  kt_value in[2]     = { host->g_in (g, 0), 0 };
  const kt_attr keep = { .name = "keepdims",
                         .kind = KT_A_INT,
                         .i    = kt_attr_int (host, g, "keepdims", -1) };
  size_t n;
  const int64_t *axes = kt_attr_ints (host, g, "axes", &n);

  if (axes)
    in[1] = kt_ints (host, g, axes, (int64_t) n);
  return host->g_set (
      g, 0, kt_node (host, g, user, in, axes ? 2 : 1, &keep, keep.i >= 0 ? 1 : 0));
}

kt_value
kt_reshape_as (const kt_host *host, kt_graph *g, kt_value v, kt_value shape)
{
  const kt_attr zero        = { .name = "allowzero", .kind = KT_A_INT, .i = 1 };
  const kt_value operands[] = { v, shape };

  return v && shape ? kt_node (host, g, "Reshape", operands, 2, &zero, 1) : 0;
}

kt_status
kt_view_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0,
                      kt_reshape_as (host, g, host->g_seed (g, 0),
                                     kt_shape_of (host, g, host->g_in (g, 0))));
}
