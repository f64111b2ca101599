/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.c: preparing and running the loops of the elementwise family (elementwise.h):
 * choice by element type, cutting into pieces, broadcasting, and the 16-bit floats, which
 * are computed in float, a block at a time.
 */
#include "elementwise.h"
#include "half.h"
#include "shape.h"
#include <stdatomic.h>

#define BLOCK 512 /* 16-bit floats that are widened at a time */

typedef struct
{
  kt_map_loop *loop;
  int64_t n;
  int32_t in_size, out_size;
  int32_t half;     /* KT_F16 or KT_BF16 where the loop is float's, else 0 */
  bool half_output; /* the output is of that type, too */
  double p[4];
} MapState;

typedef struct
{
  kt_zip_loop *loop;
  kt_zip_check *check;
  const char *const *fault;
  kt_spread spread;
  int32_t half;
  bool half_output;
  bool straight; /* one run, and nothing but the loop to do */
  double p[4];
} ZipState;

/* A node's run and the first place (times 2, plus the text) that a check refused. */
typedef struct
{
  const kt_run *run;
  const void *state;
  _Atomic int64_t refused;
} Work;

static void
read_attrs (const kt_host *host, const void *ctx, const char *const attrs[4], double p[4])
{
  for (int32_t i = 0; i < 4; i++)
    p[i] = attrs[i] ? kt_attr_float (host, ctx, attrs[i], 0) : 0;
}

/* Maps ------------------------------------------------------------------------------------ */

kt_status
kt_map_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_map_loops *loops = user;
  const kt_type x           = kt_in_type (host, prep, 0);
  const bool half           = x.dtype == KT_F16 || x.dtype == KT_BF16;
  void *memory;
  int32_t i = 0;

  while (i < KT_MAX_LOOPS && loops->loop[i].loop
         && loops->loop[i].in != (half ? KT_F32 : x.dtype))
    i++;
  if (i == KT_MAX_LOOPS || !loops->loop[i].loop)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no code for this element type");
  KT_TRY (host->keep (prep, sizeof (MapState), &memory));

  MapState *s    = memory;
  s->loop        = loops->loop[i].loop;
  s->n           = kt_count (x.dims, x.ndim);
  s->half        = half ? x.dtype : 0;
  s->half_output = half && loops->loop[i].out == KT_F32;
  s->in_size     = (int32_t) kt_size_of (x.dtype);
  s->out_size    = s->half_output ? 2 : (int32_t) kt_size_of (loops->loop[i].out);
  read_attrs (host, prep, loops->attrs, s->p);
  *state = s;
  return KT_OK;
}

static void
map_half (const MapState *s, const char *x, char *y, int64_t n)
{
  float in[BLOCK], out[BLOCK];

  for (int64_t i = 0; i < n; i += BLOCK)
    {
      const int64_t m = n - i < BLOCK ? n - i : BLOCK;
      kt_widen (s->half, (const uint16_t *) (const void *) x + i, in, m);
      s->loop (in, s->half_output ? (void *) out : (void *) (y + i * s->out_size), m,
               s->p);
      if (s->half_output)
        kt_narrow (s->half, out, (uint16_t *) (void *) y + i, m);
    }
}

static void
map_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work  = arg;
  const MapState *s = work->state;
  const char *x     = (const char *) work->run->in[0].data + begin * s->in_size;
  char *y           = (char *) work->run->out[0].data + begin * s->out_size;

  (void) worker;
  if (s->half)
    map_half (s, x, y, end - begin);
  else
    s->loop (x, y, end - begin, s->p);
}

kt_status
kt_map_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
             int32_t worker)
{
  Work work = { run, state, -1 };

  (void) host;
  map_piece (&work, begin, end, worker);
  return KT_OK;
}

kt_status
kt_map_run (const kt_host *host, kt_run *run, void *state)
{
  const MapState *s = state;
  Work work         = { run, s, -1 };

  if (s->n > KT_PIECE)
    return host->parallel_for (run, s->n, KT_PIECE, map_piece, &work);
  map_piece (&work, 0, s->n, 0);
  return KT_OK;
}

/* Zips ----------------------------------------------------------------------------------- */

kt_status
kt_zip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_zip_loops *loops = user;
  const kt_type x           = kt_in_type (host, prep, 0);
  const bool half           = x.dtype == KT_F16 || x.dtype == KT_BF16;
  void *memory;
  int32_t i = 0;

  while (i < KT_MAX_LOOPS && loops->loop[i].loop
         && loops->loop[i].in != (half ? KT_F32 : x.dtype))
    i++;
  if (i == KT_MAX_LOOPS || !loops->loop[i].loop)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no code for this element type");
  KT_TRY (host->keep (prep, sizeof (ZipState), &memory));

  ZipState *s    = memory;
  s->loop        = loops->loop[i].loop;
  s->check       = loops->loop[i].check;
  s->fault       = loops->fault;
  s->half        = half ? x.dtype : 0;
  s->half_output = half && loops->loop[i].out == KT_F32;
  read_attrs (host, prep, loops->attrs, s->p);
  *state = s;
  KT_TRY (kt_spread_prepare (host, prep, &s->spread));
  s->straight = s->spread.ndim == 0 && !s->half && !s->check;
  return KT_OK;
}

static void
zip_half (const ZipState *s, const uint16_t *a, int64_t a_step, const uint16_t *b,
          int64_t b_step, char *y, int64_t n)
{
  float left[BLOCK], right[BLOCK], out[BLOCK];

  for (int64_t i = 0; i < n; i += BLOCK)
    {
      const int64_t m = n - i < BLOCK ? n - i : BLOCK;
      kt_widen (s->half, a + i * a_step, left, a_step ? m : 1);
      kt_widen (s->half, b + i * b_step, right, b_step ? m : 1);
      s->loop (left, a_step, right, b_step,
               s->half_output ? (void *) out : (void *) (y + i * s->spread.out_size), m,
               s->p);
      if (s->half_output)
        kt_narrow (s->half, out, (uint16_t *) (void *) y + i, m);
    }
}

/* Keeps the smallest refused place, whichever thread finds it. */
static void
refuse (Work *work, int64_t place)
{
  int64_t seen = atomic_load (&work->refused);

  while ((seen < 0 || place < seen)
         && !atomic_compare_exchange_weak (&work->refused, &seen, place))
    ;
}

static void
zip_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *work          = arg;
  const ZipState *s   = work->state;
  const kt_run *run   = work->run;
  const kt_course *in = s->spread.in;
  kt_walk walk;

  (void) worker;
  if (s->straight)
    {
      s->loop (
          (const char *) run->in[0].data + begin * in[0].step * in[0].size, in[0].step,
          (const char *) run->in[1].data + begin * in[1].step * in[1].size, in[1].step,
          (char *) run->out[0].data + begin * s->spread.out_size, end - begin, s->p);
      return;
    }
  for (kt_walk_start (&walk, &s->spread, begin, end); walk.count > 0;
       kt_walk_next (&walk))
    {
      const void *a = kt_walk_in (&walk, run, 0), *b = kt_walk_in (&walk, run, 1);
      const int64_t a_step = in[0].step, b_step = in[1].step;
      void *y = kt_walk_out (&walk, run);
      int64_t bad;

      if (s->check && (bad = s->check (a, a_step, b, b_step, walk.count)) >= 0)
        refuse (work, walk.index * 2 + bad);
      else if (s->half)
        zip_half (s, a, a_step, b, b_step, y, walk.count);
      else
        s->loop (a, a_step, b, b_step, y, walk.count, s->p);
    }
}

/* "a division by 0 at position [1,2]" */
static kt_status
report_refused (const kt_host *host, const kt_run *run, const char *const *fault,
                int64_t place)
{
  char text[256];

  return kt_fail (host, run, KT_E_VALUE, "%s at position %s", fault[place & 1],
                  kt_position (&run->out[0], place / 2, text));
}

kt_status
kt_zip_run (const kt_host *host, kt_run *run, void *state)
{
  const ZipState *s = state;
  Work work         = { run, s, -1 };

  KT_TRY (kt_spread_run (host, run, &s->spread, zip_piece, &work));
  return work.refused < 0 ? KT_OK : report_refused (host, run, s->fault, work.refused);
}

kt_status
kt_zip_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
             int32_t worker)
{
  const ZipState *s = state;
  Work work         = { run, s, -1 };

  zip_piece (&work, begin, end, worker);
  return work.refused < 0 ? KT_OK : report_refused (host, run, s->fault, work.refused);
}
