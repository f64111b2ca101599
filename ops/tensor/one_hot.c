/* SPDX-License-Identifier: Apache-2.0
 *
 * OneHot: y = values[1] at the place along a new `axis` of length depth that each index names,
 * values[0] elsewhere; negative indices count from the end (before version 11: name nothing),
 * those out of range name nothing.  Source: ONNX OneHot-11.
 */
#include "convert.h"
#include "move.h"

#define BLOCK 512

/* The number in the tensor T of one element, of type DTYPE; floats are truncated. */
static kt_status
depth_of (const kt_host *host, const void *ctx, int32_t dtype, const kt_tensor *t,
          int64_t *out)
{
  uint64_t whole;
  double v;

  if (kt_count (t->shape, t->ndim) != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "depth has %lld elements, must have one",
                    (long long) kt_count (t->shape, t->ndim));
  kt_load_f64 (dtype, t->data, &v, 1);
  if (!(v > -1 && v < 0x1p62))
    return kt_fail (host, ctx, KT_E_VALUE, "depth is %g", v);
  *out = (int64_t) v;
  if (kt_family_of (dtype) != KT_FLOATING)
    {
      kt_load_int (dtype, t->data, &whole, 1);
      *out = (int64_t) whole;
    }
  return KT_OK;
}

static kt_status
one_hot_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type at = kt_in_type (host, infer, 0), depth = kt_in_type (host, infer, 1),
                values = kt_in_type (host, infer, 2);
  int64_t dims[KT_MAX_RANK], length = KT_DIM (0);
  const int64_t *known;
  kt_tensor content;
  int32_t axis = 0;
  size_t n;

  (void) user;
  for (int32_t d = 0; depth.kind && d < depth.ndim; d++)
    if (kt_dim_known (depth.dims[d]) && depth.dims[d] != 1)
      return kt_fail (host, infer, KT_E_SHAPE, "depth has %lld elements, must have one",
                      (long long) depth.dims[d]);
  if (values.kind && values.ndim >= 0
      && (values.ndim != 1 || (kt_dim_known (values.dims[0]) && values.dims[0] != 2)))
    return kt_fail (host, infer, KT_E_SHAPE,
                    "values has rank %d and %lld elements, must be [off, on]",
                    (int) values.ndim,
                    (long long) (values.ndim == 1 ? values.dims[0] : 0));
  if (values.kind == 0)
    return KT_OK;
  if (at.kind == 0 || at.ndim < 0)
    return kt_set_unknown (host, infer, 0, values.dtype, -1);
  if (at.ndim == KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "rank %d exceeds %d", KT_MAX_RANK + 1,
                    KT_MAX_RANK);
  KT_TRY (kt_axis (host, infer, KT_E_ATTR, kt_attr_int (host, infer, "axis", -1),
                   at.ndim + 1, &axis));

  KT_TRY (host->constant (infer, 1, &content));
  KT_TRY (host->ints (infer, 1, &known, &n));
  if (content.data)
    KT_TRY (depth_of (host, infer, depth.dtype, &content, &length));
  else if (known && n == 1 && (KT_IS_DIM (known[0]) || known[0] >= 0))
    length = known[0];
  for (int32_t d = 0; d <= at.ndim; d++)
    dims[d] = d < axis ? at.dims[d] : d == axis ? length : at.dims[d - 1];
  return kt_set_out (host, infer, 0, values.dtype, dims, at.ndim + 1);
}

typedef struct
{
  int32_t from, depth_type; /* element types of indices and depth */
  int64_t count, depth, inner, lowest;
  size_t size;
  kt_move fill;
} State;

static kt_status
one_hot_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type at = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const int64_t all = kt_count (y.dims, y.ndim), still = 0, one = 1;
  int32_t n_in, n_out, version, axis = 0;
  State *s;

  (void) user;
  KT_TRY (host->arity (prep, &n_in, &n_out, &version));
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", -1),
                   at.ndim + 1, &axis));
  KT_TRY (host->keep (prep, sizeof *s, state));
  s             = *state;
  s->from       = at.dtype;
  s->depth_type = kt_in_type (host, prep, 1).dtype;
  s->count      = kt_count (at.dims, at.ndim);
  s->depth      = y.dims[axis];
  s->inner      = kt_count (at.dims + axis, at.ndim - axis);
  s->lowest     = version < 11 ? 0 : -s->depth;
  s->size       = kt_size_of (y.dtype);
  kt_move_plan (&s->fill, y.dtype, 1, &all, &still, &one);
  return KT_OK;
}

/* N indices from the I-th on; what names nothing becomes INT64_MIN. */
static void
load (const State *s, const kt_tensor *at, int64_t i, int64_t n, int64_t *out)
{
  const char *from       = (const char *) at->data + (size_t) i * kt_size_of (s->from);
  const kt_family family = kt_family_of (s->from);
  double v[BLOCK];

  if (family != KT_FLOATING)
    kt_load_int (s->from, from, (uint64_t *) out, n);
  else
    {
      kt_load_f64 (s->from, from, v, n);
      for (int64_t k = 0; k < n; k++)
        out[k] = v[k] > -0x1p62 && v[k] < 0x1p62 ? (int64_t) v[k] : INT64_MIN;
    }
  if (family == KT_UNSIGNED)
    for (int64_t k = 0; k < n; k++)
      out[k] = out[k] < 0 ? INT64_MIN : out[k];
}

typedef struct
{
  const State *s;
  const kt_run *run;
} Job;

static void
put (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;
  const State *s = job->s;
  const char *on = (const char *) job->run->in[2].data + s->size;
  char *y        = job->run->out[0].data;
  int64_t index[BLOCK];

  (void) worker;
  for (int64_t first = begin; first < end; first += BLOCK)
    {
      const int64_t n = end - first < BLOCK ? end - first : BLOCK;
      load (s, &job->run->in[0], first, n, index);
      for (int64_t k = 0; k < n; k++)
        {
          const int64_t outer = (first + k) / s->inner, i = (first + k) % s->inner;
          if (index[k] < s->lowest || index[k] >= s->depth)
            continue;
          const int64_t row = outer * s->depth + index[k] + (index[k] < 0 ? s->depth : 0);
          memcpy (y + (size_t) (row * s->inner + i) * s->size, on, s->size);
        }
    }
}

static kt_status
one_hot_run (const kt_host *host, kt_run *run, void *state)
{
  const int64_t grain = 8192;
  const State *s      = state;
  Job job             = { s, run };
  int64_t depth;

  KT_TRY (depth_of (host, run, s->depth_type, &run->in[1], &depth));
  if (depth != s->depth)
    return kt_fail (host, run, KT_E_SHAPE, "depth is %lld, the output has %lld",
                    (long long) depth, (long long) s->depth);
  KT_TRY (kt_move_run (host, run, &s->fill, run->in[2].data, 0, run->out[0].data, 0));
  if (s->count > grain)
    return host->parallel_for (run, s->count, grain, put, &job);
  put (&job, 0, s->count, 0);
  return KT_OK;
}

static const kt_kernel one_hot_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = one_hot_prepare, .run = one_hot_run },
  { 0 },
};

const kt_operator kette_op_one_hot = {
  .op     = { KT_OP ("OneHot", 9), .flags = KT_OP_PURE | KT_OP_NO_GRADIENT,
              .infer = one_hot_infer },
  .kernel = one_hot_kernel,
};
