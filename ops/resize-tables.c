/* SPDX-License-Identifier: Apache-2.0
 *
 * resize-tables.c: coordinates and weights of Resize, and the tables of a kernel.
 */
#include "resize.h"
#include <math.h>

/* Where element I of the result of axis D lies in the input. */
static double
coordinate (const kt_resize *r, int32_t d, double i)
{
  const double scale = r->scale[d], in = (double) r->in[d], out = scale * in;
  const double start = r->roi[d][0], length = r->roi[d][1] - r->roi[d][0];

  switch (r->coordinates)
    {
    case KT_ALIGN_CORNERS:
      return out == 1 ? 0 : i * (in - 1) / (out - 1);
    case KT_ASYMMETRIC:
      return i / scale;
    case KT_TF_CROP_AND_RESIZE:
      return (out == 1 ? length * (in - 1) / 2 : i * length * (in - 1) / (out - 1))
             + start * (in - 1);
    case KT_PYTORCH_HALF_PIXEL:
      return out == 1 ? -0.5 : (i + 0.5) / scale - 0.5;
    case KT_TF_HALF_PIXEL_FOR_NN:
      return (i + 0.5) / scale;
    case KT_HALF_PIXEL_SYMMETRIC:
      return in / 2 * (1 - (double) r->out[d] / out) + (i + 0.5) / scale - 0.5;
    default:
      return (i + 0.5) / scale - 0.5;
    }
}

static double
cubic (double a, double x)
{
  x = fabs (x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/* The filter's width in elements to both sides; wider where an antialiased result is smaller. */
static double
reach_of (const kt_resize *r, int32_t d)
{
  const double half = r->mode == KT_RESIZE_CUBIC ? 2 : 1;

  return r->antialias && r->scale[d] < 1 ? half / r->scale[d] : half;
}

static int64_t
nearest (const kt_resize *r, double x)
{
  switch (r->rounding)
    {
    case KT_ROUND_FLOOR:
      return (int64_t) floor (x);
    case KT_ROUND_CEIL:
      return (int64_t) ceil (x);
    case KT_PREFER_CEIL:
      return (int64_t) floor (x + 0.5);
    default:
      return (int64_t) ceil (x - 0.5);
    }
}

void
kt_resize_weigh (const kt_resize *r, int32_t d, int64_t i, int64_t taps, int32_t *first,
                 double *weight)
{
  const int64_t in   = r->in[d];
  const double place = coordinate (r, d, (double) i);
  const double reach = reach_of (r, d), unit = r->mode == KT_RESIZE_CUBIC ? 2 : 1;
  double sum = 0;

  if (r->crops && !(place >= 0 && place <= (double) (in - 1)))
    {
      *first = -1;
      return;
    }
  /* Beyond the filter's reach all elements are the same. */
  const double least = -reach - 2, most = (double) in + reach + 2;
  const double x  = !(place >= least) ? least : place > most ? most : place;
  const int64_t n = r->mode == KT_RESIZE_NEAREST ? 1 : 2 * (int64_t) ceil (reach);
  const int64_t base
      = r->mode == KT_RESIZE_NEAREST ? nearest (r, x) : (int64_t) ceil (x) - n / 2;
  const int64_t begin = base < 0 ? 0 : base > in - taps ? in - taps : base;

  *first = (int32_t) begin;
  for (int pass = 0; pass < 2 && sum == 0; pass++)
    for (int64_t k = base; k < base + n; k++)
      {
        const int64_t at = k < 0 ? 0 : k >= in ? in - 1 : k;
        const double far = ((double) k - x) * unit / reach;
        const double w   = r->mode == KT_RESIZE_NEAREST ? 1
                           : r->mode == KT_RESIZE_CUBIC ? cubic (r->cubic_a, far)
                           : fabs (far) < 1             ? 1 - fabs (far)
                                                        : 0;
        /* If all are outside, the nearest ones count all the same. */
        if (r->exclude_outside && pass == 0 && at != k && r->mode != KT_RESIZE_NEAREST)
          continue;
        weight[at - begin] += w;
        sum += w;
      }
  if (r->antialias || r->exclude_outside)
    for (int64_t t = 0; t < taps; t++)
      weight[t] /= sum;
}

static int64_t
taps_of (const kt_resize *r, int32_t d)
{
  const double n = r->mode == KT_RESIZE_NEAREST ? 1 : 2 * ceil (reach_of (r, d));

  return n < (double) r->in[d] ? (int64_t) n : r->in[d];
}

static bool
stays (const kt_resize *r, int32_t d)
{
  return r->in[d] == r->out[d] && fabs (r->scale[d] - 1) < 1e-9 && r->roi[d][0] == 0
         && r->roi[d][1] == 1;
}

/* Bytes of the tables of axis D with TAPS, a multiple of what an axis is aligned to. */
static size_t
bytes_of_axis (const kt_resize *r, int32_t d, int64_t taps)
{
  const size_t out = (size_t) r->out[d];
  size_t n;

  if (__builtin_mul_overflow (out, (size_t) taps + 1, &n) || n > SIZE_MAX / 64)
    return SIZE_MAX / 64;
  return ((out * sizeof (int32_t) + 63) & ~(size_t) 63)
         + ((out * (size_t) taps * (sizeof (double) + sizeof (float)) + 63)
            & ~(size_t) 63);
}

/* Tables in MEMORY, which has room. */
static void
fill_axis (kt_resize *r, int32_t d, char *memory)
{
  kt_resize_axis *a = &r->axis[d];

  *a       = (kt_resize_axis){ r->in[d], r->out[d], taps_of (r, d), NULL, NULL, NULL };
  a->first = (int32_t *) memory;
  a->weight
      = (double *) (memory + (((size_t) a->out * sizeof *a->first + 63) & ~(size_t) 63));
  a->weight_f32 = (float *) (a->weight + a->out * a->taps);
  memset (a->weight, 0, (size_t) (a->out * a->taps) * sizeof *a->weight);
  for (int64_t i = 0; i < a->out; i++)
    kt_resize_weigh (r, d, i, a->taps, &a->first[i], a->weight + i * a->taps);
  for (int64_t i = 0; i < a->out * a->taps; i++)
    a->weight_f32[i] = (float) a->weight[i];
}

/* Axes that do not stay as they are, in pairs of neighbours. */
static void
make_stages (kt_resize *r)
{
  int64_t inner = 1;

  r->n_stages = 0;
  for (int32_t d = r->ndim - 1; d >= 0; d--)
    {
      kt_resize_stage *s = &r->stage[r->n_stages];
      if (r->axis[d].taps == 0)
        {
          inner *= r->in[d];
          continue;
        }
      *s = (kt_resize_stage){ .inner = inner, .h = &r->axis[d] };
      inner *= r->axis[d].out;
      if (d > 0 && r->axis[d - 1].taps > 0)
        {
          s->w = s->h;
          s->h = &r->axis[--d];
          inner *= s->h->out;
        }
      s->pre = kt_count (r->in, d);
      r->n_stages++;
    }
}

/* Scales, dims and roi are known and agree with what was planned. Tables for MEMORY bytes. */
static kt_status
settle (const kt_host *host, const void *ctx, kt_resize *r, const int64_t *wanted,
        const kt_resize_inputs *in)
{
  for (int32_t d = 0; d < r->ndim; d++)
    {
      r->scale[d] = 1;
      r->out[d]   = r->in[d];
    }
  KT_TRY (kt_resize_apply (host, ctx, r, in));
  for (int32_t d = 0; d < r->ndim; d++)
    {
      if (r->out[d] != wanted[d])
        return kt_fail (host, ctx, KT_E_SHAPE, "dim %d becomes %lld, the output has %lld",
                        (int) d, (long long) r->out[d], (long long) wanted[d]);
      if (r->out[d] > 0 && (r->in[d] == 0 || r->in[d] > INT32_MAX) && !stays (r, d))
        return kt_fail (host, ctx, KT_E_VALUE, "axis %d has %lld elements to take from",
                        (int) d, (long long) r->in[d]);
      if (!stays (r, d) && reach_of (r, d) > 4 * (double) r->in[d] + 4)
        return kt_fail (host, ctx, KT_E_VALUE, "scale %g of axis %d is too small",
                        r->scale[d], (int) d);
    }
  return KT_OK;
}

/* Is the operand there, with elements? */
static bool
has_elements (const kt_tensor *t)
{
  return t->device_type != 0 && t->data && t->ndim == 1 && t->shape[0] > 0;
}

kt_status
kt_resize_known (const kt_host *host, const void *ctx, kt_resize *r, int32_t first,
                 const int64_t *x, const int64_t *y, bool *known)
{
  kt_resize_inputs in = { 0 };
  kt_tensor *given[]  = { &in.roi, &in.scales, &in.sizes };
  bool sizes;

  KT_TRY (kt_resize_check (host, ctx, r, first, &sizes, known));
  for (int32_t d = 0; d < r->ndim; d++)
    {
      r->in[d]  = x[d];
      r->out[d] = y[d];
    }
  for (int32_t i = 0; i < 3; i++)
    {
      const kt_type t = kt_in_type (host, ctx, first + i);
      if (kt_is_absent (t) || (t.ndim == 1 && t.dims[0] == 0) || (i == 0 && !r->crops))
        continue;
      KT_TRY (host->constant (ctx, first + i, given[i]));
      *known = *known && given[i]->data;
    }
  return *known ? settle (host, ctx, r, y, &in) : KT_OK;
}

int64_t
kt_resize_taps (const kt_resize *r, int32_t d)
{
  return stays (r, d) ? 0 : taps_of (r, d);
}

kt_status
kt_resize_prepare (const kt_host *host, kt_prep *prep, kt_resize *r, int32_t first,
                   const kt_type *x, const kt_type *y)
{
  bool known;
  char *memory;

  KT_TRY (kt_resize_read (host, prep, x->ndim, r));
  KT_TRY (kt_resize_known (host, prep, r, first, x->dims, y->dims, &known));
  r->late = !known;
  if (kt_count (y->dims, y->ndim) == 0)
    return KT_OK; /* nothing will be done; dims may be as large as can be */
  r->table_bytes = 64;
  for (int32_t d = 0; d < r->ndim; d++)
    {
      int64_t most = r->antialias ? r->in[d] : r->mode == KT_RESIZE_CUBIC ? 4 : 2;
      most         = !r->late ? taps_of (r, d) : most < r->in[d] ? most : r->in[d];
      r->axis[d]   = (kt_resize_axis){ .in = r->in[d], .out = r->out[d], .taps = most };
      if (r->late || !stays (r, d))
        r->table_bytes += bytes_of_axis (r, d, most);
      else
        r->axis[d].taps = 0;
    }
  r->table_bytes = (r->table_bytes + 63) & ~(size_t) 63;
  if (r->late)
    return KT_OK;
  KT_TRY (host->keep (prep, r->table_bytes, (void **) &memory));
  for (int32_t d = 0; d < r->ndim; d++)
    if (!stays (r, d))
      {
        fill_axis (r, d, memory);
        memory += bytes_of_axis (r, d, r->axis[d].taps);
      }
  make_stages (r);
  return KT_OK;
}

kt_status
kt_resize_late (const kt_host *host, kt_run *run, const kt_resize *r, int32_t first,
                void *memory, kt_resize *copy, const kt_resize **out)
{
  kt_resize_inputs in = { 0 };
  kt_tensor *given[]  = { &in.roi, &in.scales, &in.sizes };
  char *at            = memory;

  *out = r;
  if (!r->late)
    return KT_OK;
  *copy = *r;
  for (int32_t i = 0; i < 3; i++)
    if (first + i < run->n_in && has_elements (&run->in[first + i]))
      *given[i] = run->in[first + i];
  KT_TRY (settle (host, run, copy, r->out, &in));
  *out = copy;
  if (r->table_bytes == 0)
    return KT_OK;
  for (int32_t d = 0; d < r->ndim; d++)
    {
      copy->axis[d].taps = 0;
      if (stays (copy, d))
        continue;
      fill_axis (copy, d, at);
      at += bytes_of_axis (copy, d, copy->axis[d].taps);
    }
  make_stages (copy);
  return KT_OK;
}
