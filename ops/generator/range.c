/* SPDX-License-Identifier: Apache-2.0
 *
 * Range: y_i = start + i delta, for as long as limit is not reached.  Source: ONNX Range-11.
 */
#include "convert.h"
#include "half.h"
#include "shape.h"

#define BLOCK 256
#define MAX_KNOWN 256 /* longest content of integers that is followed before the run */

/* Number of integers from START to LIMIT. */
static kt_status
count_ints (const kt_host *host, const void *ctx, int64_t start, int64_t limit,
            int64_t delta, int64_t *n)
{
  const bool up = delta > 0;
  const uint64_t way
      = up ? (uint64_t) limit - (uint64_t) start : (uint64_t) start - (uint64_t) limit;
  const uint64_t step = up ? (uint64_t) delta : -(uint64_t) delta;

  *n = 0;
  if (delta == 0)
    return kt_fail (host, ctx, KT_E_VALUE, "delta is 0");
  if (up ? limit <= start : limit >= start)
    return KT_OK;
  if ((way - 1) / step >= INT64_MAX)
    return kt_fail (host, ctx, KT_E_NOMEM, "from %lld to %lld are beyond counting",
                    (long long) start, (long long) limit);
  *n = (int64_t) ((way - 1) / step) + 1;
  return KT_OK;
}

static kt_status
count_floats (const kt_host *host, const void *ctx, double start, double limit,
              double delta, int64_t *n)
{
  const double steps = (limit - start) / delta;

  *n = 0;
  if (delta == 0 || steps != steps)
    return kt_fail (host, ctx, KT_E_VALUE, "no numbers from %g to %g in steps of %g",
                    start, limit, delta);
  if (steps <= 0)
    return KT_OK;
  if (steps > 0x1p62)
    return kt_fail (host, ctx, KT_E_NOMEM,
                    "from %g to %g in steps of %g are beyond counting", start, limit,
                    delta);
  *n = (int64_t) steps;
  *n += (double) *n < steps;
  return KT_OK;
}

static int64_t
int_of (const kt_tensor *t)
{
  return t->bits == 16 ? *(const int16_t *) t->data : kt_int_at (t, 0);
}

static double
float_of (const kt_tensor *t)
{
  switch (kt_dtype_of (t))
    {
    case KT_F16:
      return kt_f16_to_f32 (*(const uint16_t *) t->data);
    case KT_BF16:
      return kt_bf16_to_f32 (*(const uint16_t *) t->data);
    case KT_F32:
      return *(const float *) t->data;
    default:
      return *(const double *) t->data;
    }
}

static kt_status
count_elements (const kt_host *host, const void *ctx, const kt_tensor in[3], int64_t *n)
{
  return in[0].code == 0 ? count_ints (host, ctx, int_of (&in[0]), int_of (&in[1]),
                                       int_of (&in[2]), n)
                         : count_floats (host, ctx, float_of (&in[0]), float_of (&in[1]),
                                         float_of (&in[2]), n);
}

/* The content, where it is short and holds nothing that looks like a dim's code. */
static kt_status
tell_content (const kt_host *host, kt_infer *infer, int64_t start, int64_t delta,
              int64_t n)
{
  int64_t v[MAX_KNOWN];

  if (n > MAX_KNOWN)
    return KT_OK;
  for (int64_t i = 0; i < n; i++)
    {
      v[i] = (int64_t) ((uint64_t) start + (uint64_t) i * (uint64_t) delta);
      if (KT_IS_DIM (v[i]))
        return KT_OK;
    }
  return host->out_ints (infer, 0, v, (size_t) n);
}

/* Where only parts are known: Range (0, k, 1) has k elements. */
static kt_status
infer_parts (const kt_host *host, kt_infer *infer, int32_t dtype)
{
  int64_t v[3], n = KT_DIM (0);

  for (int32_t i = 0; i < 3; i++)
    {
      const int64_t *known;
      size_t count;
      KT_TRY (host->ints (infer, i, &known, &count));
      v[i] = known && count == 1 ? known[0] : KT_DIM (0);
    }
  if (v[0] == 0 && v[2] == 1)
    n = KT_IS_DIM (v[1]) || v[1] > 0 ? v[1] : 0;
  else if (!KT_IS_DIM (v[0]) && !KT_IS_DIM (v[1]) && !KT_IS_DIM (v[2]))
    KT_TRY (count_ints (host, infer, v[0], v[1], v[2], &n));
  KT_TRY (kt_set_out (host, infer, 0, dtype, &n, 1));
  return KT_IS_DIM (n) ? KT_OK : tell_content (host, infer, v[0], v[2], n);
}

static kt_status
range_infer (const kt_host *host, kt_infer *infer, void *user)
{
  static const char *const names[] = { "start", "limit", "delta" };
  const kt_type t                  = kt_in_type (host, infer, 0);
  const bool whole                 = t.dtype == KT_I32 || t.dtype == KT_I64;
  int64_t n                        = KT_DIM (0);
  bool known                       = true;
  kt_tensor in[3];

  (void) user;
  for (int32_t i = 0; i < 3; i++)
    {
      const kt_type x = kt_in_type (host, infer, i);
      for (int32_t d = 0; x.kind && d < x.ndim; d++)
        if (kt_dim_known (x.dims[d]) && x.dims[d] != 1)
          return kt_fail (host, infer, KT_E_SHAPE, "%s must be a scalar, it has rank %d",
                          names[i], (int) x.ndim);
      KT_TRY (host->constant (infer, i, &in[i]));
      known = known && in[i].data;
    }
  if (t.kind == 0)
    return KT_OK;
  if (whole && !known)
    return infer_parts (host, infer, t.dtype);
  if (known)
    KT_TRY (count_elements (host, infer, in, &n));
  KT_TRY (kt_set_out (host, infer, 0, t.dtype, &n, 1));
  return whole && known ? tell_content (host, infer, int_of (&in[0]), int_of (&in[2]), n)
                        : KT_OK;
}

typedef struct
{
  bool open; /* the shape is not planned */
} State;

static kt_status
range_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);

  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));
  ((State *) *state)->open = y.kind == 0 || y.ndim != 1 || !kt_dim_known (y.dims[0]);
  return KT_OK;
}

/* Blocks are made in 64 bits and converted, which rounds once. */
static void
fill (const kt_tensor in[3], void *y, int64_t n)
{
  const int32_t dtype = kt_dtype_of (&in[0]);
  const bool whole    = in[0].code == 0;
  const int64_t first = whole ? int_of (&in[0]) : 0, by = whole ? int_of (&in[2]) : 0;
  const double start = whole ? 0 : float_of (&in[0]),
               delta = whole ? 0 : float_of (&in[2]);
  union
  {
    double f[BLOCK];
    uint64_t i[BLOCK];
  } block;

  for (int64_t at = 0; at < n; at += BLOCK)
    {
      const int64_t m = n - at < BLOCK ? n - at : BLOCK;
      void *to        = (char *) y + at * (int64_t) kt_size_of (dtype);
      for (int64_t i = 0; i < m; i++)
        if (whole)
          block.i[i] = (uint64_t) first + (uint64_t) (at + i) * (uint64_t) by;
        else
          block.f[i] = start + (double) (at + i) * delta;
      if (whole)
        kt_store_int (dtype, KT_SIGNED, block.i, to, m);
      else
        kt_store_f64 (dtype, block.f, to, m);
    }
}

static kt_status
range_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  kt_tensor y          = run->out[0];
  int64_t n;

  for (int32_t i = 0; i < 3; i++)
    if (kt_count (run->in[i].shape, run->in[i].ndim) != 1)
      return kt_fail (host, run, KT_E_SHAPE, "input %d must be a scalar", (int) i);
  KT_TRY (count_elements (host, run, run->in, &n));
  if (s->open)
    KT_TRY (host->output_sized (run, 0, &n, 1, &y));
  else if (y.shape[0] != n)
    return kt_fail (host, run, KT_E_SHAPE, "%lld elements, where %lld were planned",
                    (long long) n, (long long) y.shape[0]);
  fill (run->in, y.data, n);
  return KT_OK;
}

static const kt_kernel range_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64|f16|bf16|i16|i32|i64", .flags = KT_CPU_FLAGS,
          .prepare = range_prepare, .run = range_run },
        { 0 } };

const kt_operator kette_op_range = {
  .op     = { KT_OP ("Range", 11), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = range_infer },
  .kernel = range_kernel,
};
