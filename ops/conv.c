/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.c: the shape rule that Conv, ConvTranspose and their gradients share.
 */
#include "conv.h"

typedef struct
{
  const char *name;
  bool there; /* rank known */
  int32_t ndim;
  const int64_t *dims;
} Side;

static bool
same_or_open (int64_t a, int64_t b)
{
  return !kt_dim_known (a) || !kt_dim_known (b) || a == b;
}

static int64_t
either (int64_t a, int64_t b)
{
  return kt_dim_known (a) || !(kt_dim_known (b) || a == KT_DIM (0)) ? a : b;
}

/* Dim I of a side, KT_DIM (0) if nothing is known. */
static int64_t
dim_of (const Side *side, int32_t i)
{
  return side->there ? side->dims[i] : KT_DIM (0);
}

/* The operand in INPUT; the shape of the output if CONTENT. */
static kt_status
read_side (const kt_host *host, const void *ctx, int32_t input, bool content,
           const char *name, Side *side)
{
  const kt_type t = kt_in_type (host, ctx, input), out = kt_out_type (host, ctx, 0);
  const int64_t *v;
  size_t n;

  *side = (Side){
    .name = name, .there = t.kind && t.ndim >= 0, .ndim = t.ndim, .dims = t.dims
  };
  if (!content)
    return KT_OK;
  side->there = false;
  if (t.kind && t.ndim >= 0 && t.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "input %d has rank %d, must be a vector",
                    (int) input, (int) t.ndim);
  KT_TRY (host->ints (ctx, input, &v, &n));
  if (v)
    *side = (Side){ .name = name, .there = true, .ndim = (int32_t) n, .dims = v };
  else if (out.kind && out.ndim >= 0) /* known from elsewhere */
    *side = (Side){ .name = name, .there = true, .ndim = out.ndim, .dims = out.dims };
  else if (t.kind && t.ndim == 1 && kt_dim_known (t.dims[0]))
    side->ndim = (int32_t) (t.dims[0] <= KT_MAX_RANK ? t.dims[0] : KT_MAX_RANK + 1);
  else
    side->ndim = -1;
  for (size_t d = 0; v && d < n; d++)
    if (v[d] < 0 && !KT_IS_DIM (v[d]))
      return kt_fail (host, ctx, KT_E_VALUE, "the shape of %s has %lld at %zu", name,
                      (long long) v[d], d);
  return KT_OK;
}

/* The rank that all sides have. */
static kt_status
read_rank (const kt_host *host, const void *ctx, const Side side[3], kt_conv *c)
{
  const Side *first = NULL;

  c->rank = -1;
  for (int i = 0; i < 3; i++)
    {
      if (side[i].ndim < 0)
        continue;
      if (side[i].ndim < 3 || side[i].ndim > KT_MAX_RANK)
        return kt_fail (host, ctx, KT_E_SHAPE, "%s has rank %d, must be in 3..%d",
                        side[i].name, (int) side[i].ndim, KT_MAX_RANK);
      if (first && first->ndim != side[i].ndim)
        return kt_fail (host, ctx, KT_E_SHAPE, "%s has rank %d, %s has %d", first->name,
                        (int) first->ndim, side[i].name, (int) side[i].ndim);
      first   = &side[i];
      c->rank = side[i].ndim;
    }
  return KT_OK;
}

/* Channels per group of the side whose channels are ALL, if any is known. */
static kt_status
per_group (const kt_host *host, const void *ctx, const kt_conv *c, const char *what,
           int64_t all, int64_t *out)
{
  *out = KT_DIM (0);
  if (!kt_dim_known (all))
    return KT_OK;
  if (all % c->group)
    return kt_fail (host, ctx, KT_E_SHAPE,
                    "%s has %lld channels, no multiple of group %lld", what,
                    (long long) all, (long long) c->group);
  *out = all / c->group;
  return KT_OK;
}

static kt_status
read_channels (const kt_host *host, const void *ctx, const Side side[3], kt_conv *c)
{
  const Side *const large = &side[0], *const small = &side[1], *const w = &side[2];
  const int64_t all_c = dim_of (large, 1), all_m = dim_of (small, 1);
  int64_t m, k;

  if (!same_or_open (dim_of (large, 0), dim_of (small, 0)))
    return kt_fail (host, ctx, KT_E_SHAPE, "%s has %lld images, %s has %lld", large->name,
                    (long long) dim_of (large, 0), small->name,
                    (long long) dim_of (small, 0));
  c->batch = either (dim_of (large, 0), dim_of (small, 0));
  KT_TRY (per_group (host, ctx, c, large->name, all_c, &k));
  KT_TRY (per_group (host, ctx, c, small->name, all_m, &m));
  if (!same_or_open (k, dim_of (w, 1)))
    return kt_fail (host, ctx, KT_E_SHAPE,
                    "%s has %lld channels, %s is for %lld in each of %lld groups",
                    large->name, (long long) all_c, w->name, (long long) dim_of (w, 1),
                    (long long) c->group);
  if (!same_or_open (all_m, dim_of (w, 0)))
    return kt_fail (host, ctx, KT_E_SHAPE, "%s has %lld channels, %s is for %lld",
                    small->name, (long long) all_m, w->name, (long long) dim_of (w, 0));
  c->c = either (k, dim_of (w, 1));
  KT_TRY (per_group (host, ctx, c, w->name, either (dim_of (w, 0), all_m), &c->m));
  if (kt_dim_known (c->c) && c->c > INT64_MAX / c->group)
    return kt_fail (host, ctx, KT_E_LIMIT, "%lld groups of %lld channels",
                    (long long) c->group, (long long) c->c);
  return KT_OK;
}

/* Spatial dims: of the side that the other follows from, then of that one if it is known. */
static kt_status
read_spatial (const kt_host *host, const void *ctx, const Side side[3], kt_conv *c)
{
  const Side *const from = &side[c->spread ? KT_CONV_SMALL : KT_CONV_LARGE];
  const Side *const to   = &side[c->spread ? KT_CONV_LARGE : KT_CONV_SMALL];
  kt_window *const w     = &c->w;
  int64_t *const source  = c->spread ? w->small : w->large;
  int64_t *const target  = c->spread ? w->large : w->small;

  for (int32_t d = 0; d < w->n; d++)
    source[d] = dim_of (from, d + 2);
  KT_TRY (c->spread ? kt_window_spread (host, ctx, w) : kt_window_slide (host, ctx, w));
  for (int32_t d = 0; d < w->n; d++)
    {
      if (!same_or_open (target[d], dim_of (to, d + 2)))
        return kt_fail (
            host, ctx, KT_E_SHAPE, "%s has %lld elements along axis %d, needs %lld",
            to->name, (long long) dim_of (to, d + 2), (int) d + 2, (long long) target[d]);
      target[d] = either (target[d], dim_of (to, d + 2));
    }
  return KT_OK;
}

static void
output_dims (const Side side[3], kt_conv *c)
{
  const int64_t groups = c->group, n = c->out == KT_CONV_LARGE ? c->c : c->m;
  const int64_t known    = dim_of (&side[c->out], c->out == KT_CONV_WEIGHTS ? 0 : 1);
  const int64_t *spatial = c->out == KT_CONV_LARGE   ? c->w.large
                           : c->out == KT_CONV_SMALL ? c->w.small
                                                     : c->w.kernel;
  const int64_t channels = kt_dim_known (n) ? n * groups
                           : c->out == KT_CONV_SMALL && !kt_dim_known (known)
                               ? dim_of (&side[KT_CONV_WEIGHTS], 0)
                               : known;

  c->dims[0] = c->out == KT_CONV_WEIGHTS ? channels : c->batch;
  c->dims[1] = c->out == KT_CONV_WEIGHTS ? c->c : channels;
  for (int32_t d = 0; d < c->w.n; d++)
    c->dims[d + 2] = spatial[d];
}

kt_status
kt_conv_read (const kt_host *host, const void *ctx, kt_conv_role out, bool spread,
              kt_conv *c)
{
  /* Where the operands stand, by role; 2: the shape that a gradient operator is given. */
  const bool gradient = out == KT_CONV_WEIGHTS || (out == KT_CONV_LARGE && !spread);
  const int at[3]     = { out == KT_CONV_LARGE ? 2 : 0,
                      out == KT_CONV_WEIGHTS ? 1
                          : out == KT_CONV_LARGE ? 0
                                                 : 2,
                      out == KT_CONV_WEIGHTS ? 2 : 1 };
  static const char *const conv[]      = { "X", "Y", "W" };
  static const char *const transpose[] = { "Y", "X", "W" };
  static const char *const grads[]     = { "dX", "dY", "dW" };
  Side side[3];

  c->out    = out;
  c->spread = spread;
  c->dtype  = kt_in_type (host, ctx, 0).dtype;
  c->group  = kt_attr_int (host, ctx, "group", 1);
  if (c->group < 1)
    return kt_fail (host, ctx, KT_E_ATTR, "group is %lld, must be positive",
                    (long long) c->group);
  for (int i = 0; i < 3; i++)
    {
      const char *name = spread ? transpose[i] : conv[i];
      if (gradient && (i == (int) out || i == KT_CONV_SMALL))
        name = grads[i];
      if (i == (int) out && !gradient)
        side[i] = (Side){ .name = name, .ndim = -1 };
      else
        KT_TRY (read_side (host, ctx, at[i], i == (int) out, name, &side[i]));
    }
  KT_TRY (read_rank (host, ctx, side, c));
  c->w.n = c->rank < 0 ? -1 : c->rank - 2;
  for (int32_t d = 0; d < c->w.n; d++)
    c->w.kernel[d] = dim_of (&side[KT_CONV_WEIGHTS], d + 2);
  KT_TRY (kt_window_read (host, ctx, &c->w));
  if (c->w.n < 0)
    return KT_OK;
  c->rank = c->w.n + 2;
  KT_TRY (read_channels (host, ctx, side, c));
  KT_TRY (read_spatial (host, ctx, side, c));
  output_dims (side, c);
  return KT_OK;
}

kt_status
kt_conv_check_bias (const kt_host *host, const void *ctx, int32_t input, int64_t channels)
{
  const kt_type b = kt_in_type (host, ctx, input);

  if (b.kind == 0 || b.ndim < 0)
    return KT_OK;
  if (b.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "B has rank %d, must be a vector",
                    (int) b.ndim);
  if (!same_or_open (b.dims[0], channels))
    return kt_fail (host, ctx, KT_E_SHAPE, "B has %lld elements, needs %lld",
                    (long long) b.dims[0], (long long) channels);
  return KT_OK;
}

kt_status
kt_conv_set (const kt_host *host, kt_infer *infer, const kt_conv *c)
{
  return c->dtype ? kt_set_out (host, infer, 0, c->dtype, c->dims, c->rank) : KT_OK;
}

void
kt_conv_emit (const kt_conv *c, kt_window_attrs *out)
{
  kt_window_emit (&c->w, true, out);
  out->attrs[out->n++] = (kt_attr){ .name = "group", .kind = KT_A_INT, .i = c->group };
}
