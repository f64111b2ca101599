/* SPDX-License-Identifier: Apache-2.0
 *
 * ConstantOfShape: a tensor of the shape in the input, filled with the one element of
 * `value` (0.0f without it).  Source: ONNX ConstantOfShape-9.
 */
#include "shape.h"

#define MAX_KNOWN 256 /* longest content of integers that is followed before the run */

static const float zero       = 0;
static const kt_tensor absent = { .data        = (void *) (uintptr_t) &zero,
                                  .device_type = KT_CPU,
                                  .code        = 2,
                                  .bits        = 32,
                                  .lanes       = 1 };

/* The attribute's tensor of one element. */
static kt_status
element (const kt_host *host, const void *ctx, kt_tensor *t)
{
  kt_attr a;

  *t = absent;
  KT_TRY (host->attr (ctx, "value", &a));
  if (a.kind != KT_A_TENSOR || a.n != 1)
    return KT_OK;
  *t = *(const kt_tensor *) a.v;
  if (kt_count (t->shape, t->ndim) != 1)
    return kt_fail (host, ctx, KT_E_ATTR, "value has %lld elements, must have 1",
                    (long long) kt_count (t->shape, t->ndim));
  return KT_OK;
}

static kt_status
constant_of_shape_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int64_t length, size, v[MAX_KNOWN];
  const int64_t *shape;
  kt_tensor t;
  size_t n;

  (void) user;
  KT_TRY (element (host, infer, &t));
  KT_TRY (kt_length_of (host, infer, 0, &length));
  KT_TRY (host->ints (infer, 0, &shape, &n));

  const int32_t dtype = kt_dtype_of (&t);
  if (length > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "shape has %lld dims, at most %d are served",
                    (long long) length, KT_MAX_RANK);
  if (!shape && length != 0)
    return kt_set_unknown (host, infer, 0, dtype, (int32_t) length);
  for (size_t d = 0; d < n; d++)
    if (shape[d] < 0 && !KT_IS_DIM (shape[d]))
      return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu",
                      (long long) shape[d], d);
  KT_TRY (kt_set_out (host, infer, 0, dtype, shape, (int32_t) n));
  KT_TRY (kt_product (host, infer, shape, (int32_t) n, &size));
  if ((dtype != KT_I64 && dtype != KT_I32) || !kt_dim_known (size) || size > MAX_KNOWN)
    return KT_OK;
  v[0] = kt_int_at (&t, 0);
  if (KT_IS_DIM (v[0]))
    return KT_OK;
  for (int64_t i = 1; i < size; i++)
    v[i] = v[0];
  return host->out_ints (infer, 0, v, (size_t) size);
}

/* The element, in its own bytes; a sub-byte one repeated through a byte. */
typedef struct
{
  size_t size, bytes;
  bool zero;
  unsigned char element[16];
} Fill;

static kt_status
constant_of_shape_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);
  kt_tensor t;
  Fill *fill;

  (void) user;
  KT_TRY (element (host, prep, &t));
  KT_TRY (host->keep (prep, sizeof *fill, state));
  fill        = *state;
  fill->bytes = kt_bytes_of (y.dtype, kt_count (y.dims, y.ndim));
  fill->size  = kt_bytes_of (y.dtype, 1);
  memcpy (fill->element, (const char *) t.data + t.byte_offset, fill->size);

  const int32_t bits = kt_bits_of (y.dtype);
  if (bits < 8)
    {
      unsigned low = fill->element[0] & ((1u << bits) - 1);
      for (int32_t filled = bits; filled < 8; filled *= 2)
        low |= low << filled;
      fill->element[0] = (unsigned char) low;
    }
  fill->zero = true;
  for (size_t i = 0; i < fill->size; i++)
    fill->zero = fill->zero && fill->element[i] == 0;
  return KT_OK;
}

static kt_status
constant_of_shape_run (const kt_host *host, kt_run *run, void *state)
{
  const Fill *fill = state;
  char *out        = run->out[0].data;

  (void) host;
  if (fill->bytes == 0)
    return KT_OK;
  if (fill->zero || fill->size == 1)
    {
      memset (out, fill->element[0], fill->bytes);
      return KT_OK;
    }
  /* One element, then what is there already, doubling. */
  memcpy (out, fill->element, fill->size);
  for (size_t done = fill->size; done < fill->bytes;)
    {
      const size_t n = done < fill->bytes - done ? done : fill->bytes - done;
      memcpy (out + done, out, n);
      done += n;
    }
  return KT_OK;
}

static const kt_kernel constant_of_shape_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = constant_of_shape_prepare,
    .run = constant_of_shape_run },
  { 0 },
};

const kt_operator kette_op_constant_of_shape = {
  .op     = { KT_OP ("ConstantOfShape", 9), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = constant_of_shape_infer },
  .kernel = constant_of_shape_kernel,
};
