/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.c: what Resize's attributes and inputs mean: dims, coordinates and weights.
 */
#include "resize.h"
#include "half.h"
#include <math.h>

static const char *const modes[] = { "nearest", "linear", "cubic", NULL };
static const char *const coordinates[]
    = { "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
        "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn", NULL };
static const char *const roundings[]
    = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL };
static const char *const policies[] = { "stretch", "not_larger", "not_smaller", NULL };

/* The place of a STRING attribute in LIST. */
static kt_status
choose (const kt_host *host, const void *ctx, const char *name, const char *const *list,
        int *out)
{
  kt_attr a;

  *out = 0;
  KT_TRY (host->attr (ctx, name, &a));
  if (a.kind != KT_A_STRING)
    return KT_OK;
  for (int i = 0; list[i]; i++)
    if (a.n == strlen (list[i]) && memcmp (a.v, list[i], a.n) == 0)
      {
        *out = i;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_ATTR, "%s is none of %s, %s, ...", name, list[0],
                  list[1]);
}

kt_status
kt_resize_read (const kt_host *host, const void *ctx, int32_t ndim, kt_resize *r)
{
  size_t n;
  const int64_t *axes = kt_attr_ints (host, ctx, "axes", &n);
  uint32_t set;
  int mode;

  *r = (kt_resize){ .ndim = ndim };
  KT_TRY (choose (host, ctx, "mode", modes, &mode));
  KT_TRY (
      choose (host, ctx, "coordinate_transformation_mode", coordinates, &r->coordinates));
  KT_TRY (choose (host, ctx, "nearest_mode", roundings, &r->rounding));
  KT_TRY (choose (host, ctx, "keep_aspect_ratio_policy", policies, &r->policy));
  r->mode            = mode;
  r->crops           = r->coordinates == KT_TF_CROP_AND_RESIZE;
  r->antialias       = kt_attr_int (host, ctx, "antialias", 0) != 0;
  r->exclude_outside = kt_attr_int (host, ctx, "exclude_outside", 0) != 0;
  r->cubic_a         = kt_attr_float (host, ctx, "cubic_coeff_a", -0.75);
  r->extrapolation   = kt_attr_float (host, ctx, "extrapolation_value", 0);
  if (r->antialias && mode == KT_RESIZE_NEAREST)
    return kt_fail (host, ctx, KT_E_ATTR,
                    "antialias is for linear and cubic, not nearest");
  if (ndim < 0)
    return KT_OK;
  if (axes)
    KT_TRY (kt_axis_set (host, ctx, axes, n, ndim, &set));
  r->n_listed = axes ? (int32_t) n : ndim;
  for (int32_t i = 0; i < r->n_listed; i++)
    r->listed[i] = axes ? (int32_t) (axes[i] < 0 ? axes[i] + ndim : axes[i]) : i;
  return KT_OK;
}

/* Inputs ---------------------------------------------------------------------------------- */

static double
float_at (const kt_tensor *t, int64_t i)
{
  return t->bits == 64   ? ((const double *) t->data)[i]
         : t->bits == 16 ? (double) kt_f16_to_f32 (((const uint16_t *) t->data)[i])
                         : (double) ((const float *) t->data)[i];
}

/* Is input I there, with elements? N: how many it must have. *KNOWN FALSE: nobody can tell. */
static kt_status
is_given (const kt_host *host, const void *ctx, int32_t i, const char *name, int64_t n,
          bool *given, bool *known)
{
  int64_t length;

  KT_TRY (kt_length_of (host, ctx, i, &length));
  *given = length != 0;
  *known = length >= 0;
  if (length > 0 && n >= 0 && length != n)
    return kt_fail (host, ctx, KT_E_SHAPE, "%s has %lld elements, must have %lld", name,
                    (long long) length, (long long) n);
  return KT_OK;
}

kt_status
kt_resize_check (const kt_host *host, const void *ctx, const kt_resize *r, int32_t first,
                 bool *sizes, bool *known)
{
  bool scales, known_scales, known_sizes, roi, known_roi;
  const int64_t n = r->ndim < 0 ? -1 : r->n_listed;

  KT_TRY (is_given (host, ctx, first + 1, "scales", n, &scales, &known_scales));
  KT_TRY (is_given (host, ctx, first + 2, "sizes", n, sizes, &known_sizes));
  if (r->crops)
    {
      KT_TRY (is_given (host, ctx, first, "roi", n < 0 ? -1 : 2 * n, &roi, &known_roi));
      if (known_roi && !roi && n != 0)
        return kt_fail (host, ctx, KT_E_SHAPE, "tf_crop_and_resize needs roi");
    }
  *known = known_scales && known_sizes;
  if (!*known || n == 0)
    return KT_OK;
  if (scales == *sizes)
    return kt_fail (host, ctx, KT_E_SHAPE,
                    scales ? "both scales and sizes are given"
                           : "neither scales nor sizes are given");
  return KT_OK;
}

static kt_status
set_roi (const kt_host *host, const void *ctx, kt_resize *r, const kt_tensor *roi)
{
  for (int32_t d = 0; d < r->ndim; d++)
    {
      r->roi[d][0] = 0;
      r->roi[d][1] = 1;
    }
  for (int32_t i = 0; roi && i < r->n_listed; i++)
    for (int k = 0; k < 2; k++)
      {
        const double v = float_at (roi, i + k * r->n_listed);
        if (!isfinite (v))
          return kt_fail (host, ctx, KT_E_VALUE, "roi has %g", v);
        r->roi[r->listed[i]][k] = v;
      }
  return KT_OK;
}

/* floor (in (end - start) scale), in float as shape inference does it everywhere. */
static kt_status
scaled (const kt_host *host, const void *ctx, const kt_resize *r, int32_t d, float scale,
        int64_t in, int64_t *out)
{
  const double v
      = r->crops ? floor ((double) in * (r->roi[d][1] - r->roi[d][0]) * (double) scale)
                 : (double) floorf ((float) in * scale);

  if (!(v < 0x1p62))
    return kt_fail (host, ctx, KT_E_LIMIT, "dim %d becomes %g", (int) d, v);
  *out = v > 0 ? (int64_t) v : 0;
  return KT_OK;
}

/* OUT and scale from scales. */
static kt_status
apply_scales (const kt_host *host, const void *ctx, kt_resize *r, const kt_tensor *scales)
{
  for (int32_t i = 0; i < r->n_listed; i++)
    {
      const int32_t d = r->listed[i];
      const float v   = ((const float *) scales->data)[i];
      if (!(v > 0 && isfinite (v)))
        return kt_fail (host, ctx, KT_E_VALUE, "scale %g of axis %d, must be positive",
                        (double) v, (int) d);
      r->scale[d] = (double) v;
      if (kt_dim_known (r->in[d]))
        KT_TRY (scaled (host, ctx, r, d, v, r->in[d], &r->out[d]));
      else
        r->out[d] = v == 1 && !r->crops ? r->in[d] : KT_DIM (0);
    }
  return KT_OK;
}

/* OUT and scale from sizes, some of which may not be known. */
static kt_status
apply_sizes (const kt_host *host, const void *ctx, kt_resize *r, const int64_t *sizes)
{
  double common = NAN;
  bool known    = true;

  for (int32_t i = 0; i < r->n_listed; i++)
    {
      const int32_t d = r->listed[i];
      if (sizes[i] < 0 && !KT_IS_DIM (sizes[i]))
        return kt_fail (host, ctx, KT_E_VALUE, "size %lld of axis %d",
                        (long long) sizes[i], (int) d);
      r->out[d]   = sizes[i];
      r->scale[d] = (double) sizes[i] / (double) r->in[d];
      known       = known && kt_dim_known (sizes[i]) && kt_dim_known (r->in[d]);
      if (!(r->policy == KT_NOT_LARGER ? common < r->scale[d] : common > r->scale[d]))
        common = r->scale[d];
    }
  for (int32_t i = 0; r->policy != KT_STRETCH && i < r->n_listed; i++)
    {
      const int32_t d = r->listed[i];
      const double v  = floor (common * (double) r->in[d] + 0.5);
      r->scale[d]     = common;
      r->out[d]       = KT_DIM (0);
      if (known && !(v < 0x1p62))
        return kt_fail (host, ctx, KT_E_LIMIT, "dim %d becomes %g", (int) d, v);
      if (known)
        r->out[d] = (int64_t) v;
    }
  return KT_OK;
}

kt_status
kt_resize_apply (const kt_host *host, const void *ctx, kt_resize *r,
                 const kt_resize_inputs *in)
{
  int64_t sizes[KT_MAX_RANK];

  KT_TRY (set_roi (host, ctx, r, r->crops && in->roi.data ? &in->roi : NULL));
  if (in->scales.data)
    return apply_scales (host, ctx, r, &in->scales);
  if (!in->sizes.data)
    return KT_OK;
  for (int32_t i = 0; i < r->n_listed; i++)
    sizes[i] = ((const int64_t *) in->sizes.data)[i];
  return apply_sizes (host, ctx, r, sizes);
}

kt_status
kt_resize_dims (const kt_host *host, const void *ctx, kt_resize *r, int32_t first,
                const int64_t *x, int64_t *y)
{
  kt_tensor roi = { 0 }, scales = { 0 };
  const int64_t *ints;
  bool sizes, known;
  size_t n;

  KT_TRY (kt_resize_check (host, ctx, r, first, &sizes, &known));
  for (int32_t d = 0; d < r->ndim; d++)
    r->in[d] = r->out[d] = x[d];
  for (int32_t i = 0; i < r->n_listed; i++)
    r->out[r->listed[i]] = KT_DIM (0);
  if (known && r->crops)
    KT_TRY (host->constant (ctx, first, &roi));
  if (known && (!r->crops || roi.data))
    KT_TRY (set_roi (host, ctx, r, roi.data ? &roi : NULL));
  if (known && sizes)
    {
      KT_TRY (host->ints (ctx, first + 2, &ints, &n));
      if (ints)
        KT_TRY (apply_sizes (host, ctx, r, ints));
    }
  else if (known && (!r->crops || roi.data) && r->n_listed)
    {
      KT_TRY (host->constant (ctx, first + 1, &scales));
      if (scales.data)
        KT_TRY (apply_scales (host, ctx, r, &scales));
    }
  if (r->ndim)
    memcpy (y, r->out, (size_t) r->ndim * sizeof *y);
  return KT_OK;
}
