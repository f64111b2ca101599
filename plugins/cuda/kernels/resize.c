/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.c: Resize and its gradient on the GPU: the CPU's tables of weights, and an axis per
 * launch.
 */
#include "resize.h"
#include "convert.h"
#include "kernels.h"

/* The operator and its gradient. */
typedef struct
{
  const char *name;
  int32_t first; /* input that roi is */
  bool transposed;
} Kind;

typedef struct
{
  const Kind *kind;
  int32_t n; /* launches; 0: the result is a copy, or zeros */
  int64_t count;
  size_t bytes, between; /* of the result; of what lies between two launches */
  bool empty;            /* the gradient of nothing */
  void *tables;          /* the device's */
  kt_resize_params *pass;
  kt_nearest_params nearest;
} State;

static void
types_of (const kt_host *host, const void *ctx, const Kind *kind, kt_type *x, kt_type *y)
{
  *x = kind->transposed ? kt_out_type (host, ctx, 0) : kt_in_type (host, ctx, 0);
  *y = kind->transposed ? kt_in_type (host, ctx, 0) : kt_out_type (host, ctx, 0);
}

static bool
copies (const Kind *kind, const kt_resize *r)
{
  return r->mode == KT_RESIZE_NEAREST && !kind->transposed;
}

/* Dims of the result, neighbours that stay merged. FIRST: the tables; NULL: none yet. */
static int32_t
merge (const kt_resize *r, const char *tables, kt_nearest_params *p)
{
  int64_t strides[KT_MAX_RANK];
  bool stayed = false;
  int32_t n   = 0;

  kt_strides (r->in, r->ndim, strides);
  for (int32_t d = 0; d < r->ndim; d++)
    {
      const bool stays = kt_resize_taps (r, d) == 0;
      if (!stays || !stayed)
        n++;
      if (p && n <= KT_GPU_RANK)
        {
          p->out[n - 1]    = (stays && stayed ? p->out[n - 1] : 1) * r->out[d];
          p->stride[n - 1] = strides[d];
          p->first[n - 1]  = stays ? NULL : (const int32_t *) (const void *) tables;
        }
      if (!stays)
        tables += ((size_t) r->out[d] * sizeof (int32_t) + 63) & ~(size_t) 63;
      stayed = stays;
    }
  return n;
}

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  const Kind *const kind = user;
  kt_type x, y;
  kt_resize r;
  bool known;

  types_of (host, ctx, kind, &x, &y);
  if (kt_resize_read (host, ctx, x.ndim, &r) != KT_OK
      || kt_resize_known (host, ctx, &r, kind->first, x.dims, y.dims, &known) != KT_OK
      || !known)
    return 0;
  for (int32_t d = 0; d < r.ndim; d++)
    if (r.out[d] > INT32_MAX) /* tables hold 32 bits */
      return 0;
  return copies (kind, &r)
             ? kt_gpu_moves (x.dtype) && (!r.crops || kt_gpu_computes (x.dtype))
                   && merge (&r, NULL, NULL) <= KT_GPU_RANK
             : kt_gpu_computes (x.dtype);
}

/* Tables ----------------------------------------------------------------------------------- */

static size_t
round_up (size_t n)
{
  return (n + 63) & ~(size_t) 63;
}

/* Which elements of the result may have taken part of each element of A. */
static void
fill_ranges (const kt_resize_axis *a, int32_t *range)
{
  for (int64_t k = 0; k < 2 * a->in; k++)
    range[k] = k % 2 ? 0 : INT32_MAX;
  for (int64_t o = 0; o < a->out; o++)
    for (int64_t t = 0; a->first[o] >= 0 && t < a->taps; t++)
      {
        int32_t *const r = range + 2 * (a->first[o] + t);
        r[0]             = o < r[0] ? (int32_t) o : r[0];
        r[1]             = (int32_t) o + 1;
      }
}

static size_t
axis_bytes (const kt_resize_axis *a, bool wide, bool transposed)
{
  return round_up ((size_t) a->out * sizeof *a->first)
         + round_up ((size_t) (a->out * a->taps) * (wide ? 8 : 4))
         + (transposed ? round_up (2 * (size_t) a->in * sizeof (int32_t)) : 0);
}

/* Writes the tables of A to MEMORY, which P points to then. Returns what is behind them. */
static char *
put_axis (const kt_resize_axis *a, bool transposed, char *memory, kt_resize_params *p)
{
  const size_t first   = (size_t) a->out * sizeof *a->first;
  const size_t weights = (size_t) (a->out * a->taps) * (p->wide ? 8 : 4);

  memcpy (memory, a->first, first);
  p->first = (const int32_t *) (const void *) memory;
  memory += round_up (first);
  memcpy (memory, p->wide ? (const void *) a->weight : a->weight_f32, weights);
  p->weight = memory;
  memory += round_up (weights);
  if (!transposed)
    return memory;
  fill_ranges (a, (int32_t *) (void *) memory);
  p->range = (const int32_t *) (const void *) memory;
  return memory + round_up (2 * (size_t) a->in * sizeof (int32_t));
}

/* Launches ---------------------------------------------------------------------------------- */

/* The axes in the order of the CPU's: innermost first, transposed the other way round. */
static void
order_passes (const kt_resize *r, State *s, const kt_resize_axis **axis)
{
  s->n = 0;
  for (int32_t k = 0; k < r->n_stages; k++)
    for (int half = 0; half < 2; half++)
      {
        const kt_resize_stage *const stage = &r->stage[k];
        kt_resize_params *const p          = &s->pass[s->n];
        if (half == 0 && !stage->w)
          continue;
        axis[s->n++] = half ? stage->h : stage->w;
        p->pre       = stage->pre * (half ? 1 : stage->h->in);
        p->inner     = stage->inner * (half && stage->w ? stage->w->out : 1);
      }
  for (int32_t i = 0; s->kind->transposed && i < s->n / 2; i++)
    {
      const kt_resize_params p      = s->pass[i];
      const kt_resize_axis *const a = axis[i];
      s->pass[i]                    = s->pass[s->n - 1 - i];
      axis[i]                       = axis[s->n - 1 - i];
      s->pass[s->n - 1 - i]         = p;
      axis[s->n - 1 - i]            = a;
    }
}

/* P, a place in MEMORY, in the device's copy of it. */
static const void *
on_device (const void *p, const void *memory, const void *device)
{
  return p ? (const char *) device + ((const char *) p - (const char *) memory) : NULL;
}

static kt_status
prepare_passes (const kt_host *host, kt_prep *prep, const kt_resize *r, int32_t dtype,
                State *s)
{
  const bool wide = dtype != KT_F32, transposed = s->kind->transposed;
  const kt_resize_axis *axis[KT_MAX_RANK];
  size_t bytes = 0;
  void *memory;

  KT_TRY (host->keep (prep, KT_MAX_RANK * sizeof *s->pass, &memory));
  s->pass = memory;
  order_passes (r, s, axis);
  for (int32_t i = 0; i < s->n; i++)
    bytes += axis_bytes (axis[i], wide, transposed);
  KT_TRY (host->keep (prep, bytes, &memory));

  char *to = memory;
  for (int32_t i = 0; i < s->n; i++)
    {
      kt_resize_params *const p = &s->pass[i];
      p->wide                   = wide;
      p->in                     = axis[i]->in;
      p->out                    = axis[i]->out;
      p->taps                   = axis[i]->taps;
      p->from                   = i == 0 ? dtype : wide ? KT_F64 : KT_F32;
      p->to                     = i == s->n - 1 ? dtype : wide ? KT_F64 : KT_F32;
      p->extrapolation          = r->extrapolation;
      to                        = put_axis (axis[i], transposed, to, p);

      const size_t made
          = (size_t) (p->pre * (transposed ? p->in : p->out) * p->inner) * (wide ? 8 : 4);
      if (i < s->n - 1 && made > s->between)
        s->between = round_up (made);
    }
  KT_TRY (kt_gpu_upload (host, prep, memory, bytes, &s->tables));
  for (int32_t i = 0; i < s->n; i++)
    {
      kt_resize_params *const p = &s->pass[i];
      p->first                  = on_device (p->first, memory, s->tables);
      p->weight                 = on_device (p->weight, memory, s->tables);
      p->range                  = on_device (p->range, memory, s->tables);
    }
  return s->n > 1 ? host->want_workspace (prep, 2 * s->between, 0) : KT_OK;
}

static kt_status
prepare_nearest (const kt_host *host, kt_prep *prep, const kt_resize *r, int32_t dtype,
                 State *s)
{
  kt_nearest_params *const p = &s->nearest;
  size_t bytes               = 0;
  void *memory;

  for (int32_t d = 0; d < r->ndim; d++)
    if (kt_resize_taps (r, d))
      bytes += round_up ((size_t) r->out[d] * sizeof (int32_t));
  KT_TRY (host->keep (prep, bytes, &memory));

  char *to = memory;
  for (int32_t d = 0; d < r->ndim; d++)
    if (kt_resize_taps (r, d))
      {
        memcpy (to, r->axis[d].first, (size_t) r->out[d] * sizeof (int32_t));
        to += round_up ((size_t) r->out[d] * sizeof (int32_t));
      }
  KT_TRY (kt_gpu_upload (host, prep, memory, bytes, &s->tables));
  p->count = s->count;
  p->size  = (int32_t) kt_size_of (dtype);
  p->ndim  = merge (r, s->tables, p);
  if (r->crops)
    kt_store_f64 (dtype, &r->extrapolation, p->outside, 1);
  s->n = 1;
  return KT_OK;
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *const kind = user;
  kt_resize r;
  kt_type x, y;
  State *s;

  if (!suits (host, prep, user))
    return KT_GPU_LEAVE (prep, "dims and scales are not known before the run");
  types_of (host, prep, kind, &x, &y);
  KT_TRY (kt_resize_read (host, prep, x.ndim, &r));
  KT_TRY (kt_resize_prepare (host, prep, &r, kind->first, &x, &y));
  KT_TRY (host->keep (prep, sizeof *s, state));

  const kt_type out = kind->transposed ? x : y;
  s                 = *state;
  s->kind           = kind;
  s->count          = kt_count (out.dims, out.ndim);
  s->bytes          = (size_t) s->count * kt_size_of (out.dtype);
  s->empty          = kt_count (y.dims, y.ndim) == 0;
  if (s->count == 0 || s->empty || r.n_stages == 0)
    return KT_OK;
  return copies (kind, &r) ? prepare_nearest (host, prep, &r, x.dtype, s)
                           : prepare_passes (host, prep, &r, x.dtype, s);
}

static void
destroy (void *state)
{
  kt_gpu_give (((const State *) state)->tables);
}

static kt_status
resize_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  void *const stream   = kt_gpu_stream (host, run);
  void *const y        = run->out[0].data;

  if (s->count == 0)
    return KT_OK;
  if (s->empty)
    {
      const kt_fill_params zeros = { .y = y, .count = (int64_t) s->bytes, .size = 1 };
      kt_fill_launch (&zeros, stream);
    }
  else if (s->n == 0)
    return kt_gpu_copy (host, run, y, run->in[0].data, s->bytes);
  else if (!s->pass)
    {
      kt_nearest_params p = s->nearest;
      p.x                 = run->in[0].data;
      p.y                 = y;
      kt_nearest_launch (&p, stream);
    }
  char *const buffer = s->n > 1 ? host->workspace (run, -1, NULL) : NULL;
  const void *from   = run->in[0].data;
  for (int32_t i = 0; s->pass && i < s->n; i++)
    {
      kt_resize_params p = s->pass[i];
      p.x                = from;
      p.y                = i == s->n - 1 ? y : buffer + (size_t) (i % 2) * s->between;
      from               = p.y;
      kt_resize_launch (&p, stream);
    }
  return kt_gpu_launched (host, run, s->kind->name);
}

static const Kind resize = { "Resize", 1, false }, grad = { "ResizeGrad", 2, true };

const kt_kernel cu_resize_kernels[] = {
  { KT_GPU ("", "Resize", 11), .host_in = 2 | 4 | 8, .user = (void *) &resize,
    .suits = suits, .prepare = prepare, .run = resize_run, .destroy = destroy },
  { KT_GPU ("kette", "ResizeGrad", 1), .types = "T=f32|f64|f16|bf16",
    .host_in = 2 | 4 | 8 | 16, .user = (void *) &grad, .suits = suits, .prepare = prepare,
    .run = resize_run, .destroy = destroy },
  { 0 },
};
