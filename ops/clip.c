/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.c: prepare, run and shape rule of Clip and its gradient (clip.h).
 */
#include "clip.h"
#include "half.h"

#define GRAIN 32768 /* elements in a piece of work: about 10 us */
#define BLOCK 512   /* 16-bit floats that are widened at a time */

typedef struct
{
  kt_clip_loop *loop;
  int64_t n, size;
  int32_t half, x; /* half: KT_F16, KT_BF16 or 0 */
} ClipState;

typedef struct
{
  const kt_run *run;
  const ClipState *state;
} Work;

kt_status
kt_clip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_clip_loops *loops = user;
  const kt_type t            = kt_in_type (host, prep, loops->x);
  const bool half            = t.dtype == KT_F16 || t.dtype == KT_BF16;
  void *memory;
  int32_t i = 0;

  while (i < KT_CLIP_TYPES && loops->loop[i].loop
         && loops->loop[i].dtype != (half ? KT_F32 : t.dtype))
    i++;
  if (i == KT_CLIP_TYPES || !loops->loop[i].loop)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no code for this element type");
  KT_TRY (host->keep (prep, sizeof (ClipState), &memory));

  ClipState *s = memory;
  s->loop      = loops->loop[i].loop;
  s->n         = kt_count (t.dims, t.ndim);
  s->size      = (int64_t) kt_size_of (t.dtype);
  s->half      = half ? t.dtype : 0;
  s->x         = loops->x;
  *state       = s;
  return KT_OK;
}

static const void *
bound (const kt_run *run, int32_t i)
{
  return i < run->n_in && run->in[i].device_type ? run->in[i].data : NULL;
}

static void
clip_half (const ClipState *s, const uint16_t *x, const uint16_t *dy, uint16_t *y,
           int64_t n, const uint16_t *low, const uint16_t *high)
{
  float in[BLOCK], slope[BLOCK], out[BLOCK], bounds[2];

  if (low)
    kt_widen (s->half, low, &bounds[0], 1);
  if (high)
    kt_widen (s->half, high, &bounds[1], 1);
  for (int64_t i = 0; i < n; i += BLOCK)
    {
      const int64_t m = n - i < BLOCK ? n - i : BLOCK;
      kt_widen (s->half, x + i, in, m);
      if (dy)
        kt_widen (s->half, dy + i, slope, m);
      s->loop (in, slope, out, m, low ? &bounds[0] : NULL, high ? &bounds[1] : NULL);
      kt_narrow (s->half, out, y + i, m);
    }
}

static void
clip_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work   = arg;
  const ClipState *s = work->state;
  const kt_run *run  = work->run;
  const void *low = bound (run, s->x + 1), *high = bound (run, s->x + 2);
  const char *x  = (const char *) run->in[s->x].data + begin * s->size;
  const char *dy = s->x ? (const char *) run->in[0].data + begin * s->size : NULL;
  char *y        = (char *) run->out[0].data + begin * s->size;

  (void) worker;
  if (s->half)
    clip_half (s, (const void *) x, (const void *) dy, (void *) y, end - begin, low,
               high);
  else
    s->loop (x, dy, y, end - begin, low, high);
}

kt_status
kt_clip_run (const kt_host *host, kt_run *run, void *state)
{
  const ClipState *s = state;
  Work work          = { run, s };

  if (s->n > GRAIN)
    return host->parallel_for (run, s->n, GRAIN, clip_piece, &work);
  clip_piece (&work, 0, s->n, 0);
  return KT_OK;
}

kt_status
kt_clip_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
              int32_t worker)
{
  Work work = { run, state };

  (void) host;
  clip_piece (&work, begin, end, worker);
  return KT_OK;
}

kt_status
kt_clip_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const int32_t x = (int32_t) (intptr_t) user;
  const kt_type t = kt_in_type (host, infer, x);
  int32_t n_in, n_out;

  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  for (int32_t i = x + 1; i < n_in; i++)
    {
      const kt_type b = kt_in_type (host, infer, i);
      for (int32_t d = 0; b.kind == KT_TENSOR && d < b.ndim; d++)
        if (kt_dim_known (b.dims[d]) && b.dims[d] != 1)
          return kt_fail (host, infer, KT_E_SHAPE,
                          "the %s bound has %lld elements along axis %d, it must be one "
                          "number",
                          i == x + 1 ? "lower" : "upper", (long long) b.dims[d], (int) d);
    }
  return t.kind == 0 ? KT_OK : host->out_type (infer, 0, &t);
}
