/* SPDX-License-Identifier: Apache-2.0
 *
 * NonZero: y[:, k] = the indices of the k-th element that is not zero, in row-major order;
 * shape (rank, count), of a scalar (0, count).  Source: ONNX NonZero-13.
 */
#include "operator.h"

/* Is the element at P (BYTES wide) other than zero? Floats: -0 is zero, NaN is not. */
static bool
is_set (const uint8_t *p, int32_t dtype, size_t bytes)
{
  float f;
  double d;

  switch (dtype)
    {
    case KT_F32:
      memcpy (&f, p, sizeof f);
      return f != 0;
    case KT_F64:
      memcpy (&d, p, sizeof d);
      return d != 0;
    case KT_F16:
    case KT_BF16: /* all bits but the sign */
      return (p[0] | (p[1] & 0x7f)) != 0;
    case KT_STRING:
      return ((const kt_str *) (const void *) p)->n != 0;
    default:
      for (size_t i = 0; i < bytes; i++)
        if (p[i])
          return true;
      return false;
    }
}

/* The output; where the file declares its shape it was given one before the run. */
static kt_status
make_output (const kt_host *host, kt_run *run, const int64_t dims[2], kt_tensor *y)
{
  *y = run->out[0];
  if (y->device_type == 0)
    return host->output_sized (run, 0, dims, 2, y);
  if (y->ndim == 2 && y->shape[0] == dims[0] && y->shape[1] == dims[1])
    return KT_OK;
  return kt_fail (host, run, KT_E_SHAPE,
                  "%lld elements are not zero, the output has room for %lld",
                  (long long) dims[1], (long long) (y->ndim == 2 ? y->shape[1] : 0));
}

static kt_status
non_zero_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_tensor *x  = &run->in[0];
  const int32_t dtype = kt_in_type (host, run, 0).dtype;
  const size_t bytes  = kt_size_of (dtype);
  const int64_t n     = kt_count (x->shape, x->ndim);
  const uint8_t *data = x->data;
  int64_t count = 0, at = 0;
  kt_tensor y;

  (void) state;
  for (int64_t i = 0; i < n; i++)
    count += is_set (data + (size_t) i * bytes, dtype, bytes);

  const int64_t dims[] = { x->ndim, count };
  KT_TRY (make_output (host, run, dims, &y));
  int64_t *index = y.data;
  for (int64_t i = 0; i < n; i++)
    if (is_set (data + (size_t) i * bytes, dtype, bytes))
      {
        int64_t rest = i;
        for (int32_t d = x->ndim; d-- > 0; rest /= x->shape[d])
          index[(int64_t) d * count + at] = rest % x->shape[d];
        at++;
      }
  return KT_OK;
}

static kt_status
non_zero_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  const int64_t dims[]
      = { x.kind != KT_TENSOR || x.ndim < 0 ? KT_DIM (0) : x.ndim, KT_DIM (0) };

  (void) user;
  return kt_set_out (host, infer, 0, KT_I64, dims, 2);
}

static const kt_kernel non_zero_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .run = non_zero_run }, { 0 } };

const kt_operator kette_op_non_zero = {
  .op     = { KT_OP ("NonZero", 9), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = non_zero_infer },
  .kernel = non_zero_kernel,
};
