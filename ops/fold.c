/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c: running the variadic elementwise operators (fold.h). A block of the output is
 * finished for all inputs before the next one begins; 16-bit floats add up in float and are
 * rounded once.
 */
#include "fold.h"
#include "emit.h"
#include "half.h"

#define BLOCK 1024 /* elements */

typedef struct
{
  kt_zip_loop *loop;
  kt_map_loop *last;
  int32_t half; /* KT_F16, KT_BF16 or 0 */
  double p[4];
  kt_spread spread;
} FoldState;

typedef struct
{
  const kt_run *run;
  const FoldState *state;
} Work;

kt_status
kt_fold_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_fold_loops *loops = user;
  const kt_type x            = kt_in_type (host, prep, 0);
  const bool half            = x.dtype == KT_F16 || x.dtype == KT_BF16;
  void *memory;
  int32_t i = 0;

  while (i < KT_MAX_LOOPS && loops->loop[i].loop
         && loops->loop[i].in != (half ? KT_F32 : x.dtype))
    i++;
  if (i == KT_MAX_LOOPS || !loops->loop[i].loop)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no code for this element type");
  KT_TRY (host->keep (prep, sizeof (FoldState), &memory));

  FoldState *s = memory;
  s->loop      = loops->loop[i].loop;
  s->last      = loops->loop[i].last;
  s->half      = half ? x.dtype : 0;
  KT_TRY (kt_spread_prepare (host, prep, &s->spread));
  s->p[0] = s->spread.n;
  *state  = s;
  return KT_OK;
}

/* Elements OFFSET .. OFFSET + N - 1 of an item of 16-bit floats, N <= BLOCK. */
static void
fold_half (const FoldState *s, const kt_walk *walk, const kt_run *run, int64_t offset,
           int64_t n)
{
  float sum[BLOCK], next[BLOCK];

  for (int32_t i = 0; i < s->spread.n; i++)
    {
      const int64_t step = s->spread.in[i].step;
      const uint16_t *x  = (const uint16_t *) kt_walk_in (walk, run, i) + offset * step;
      kt_widen (s->half, x, i ? next : sum, step ? n : 1);
      if (i == 0 && !step)
        for (int64_t k = 1; k < n; k++)
          sum[k] = sum[0];
      if (i > 0)
        s->loop (sum, 1, next, step, sum, n, s->p);
    }
  if (s->last)
    s->last (sum, sum, n, s->p);
  kt_narrow (s->half, sum, (uint16_t *) kt_walk_out (walk, run) + offset, n);
}

/* Is the output's memory read again after the first sum was written to it: is it input 0's
 * and that of a later input as well? */
static bool
reads_again (const kt_run *run)
{
  for (int32_t i = 2; i < run->n_in; i++)
    if (run->in[i].data == run->out[0].data)
      return true;
  return false;
}

static void
fold_block (const FoldState *s, const kt_walk *walk, const kt_run *run, int64_t offset,
            int64_t n)
{
  const kt_course *in = s->spread.in;
  char *out           = (char *) kt_walk_out (walk, run) + offset * s->spread.out_size;
  const char *x = (const char *) kt_walk_in (walk, run, 0) + offset * in->step * in->size;
  uint64_t block[BLOCK];
  void *y = reads_again (run) ? (void *) block : (void *) out;

  if (s->spread.n == 1 && y != x)
    memcpy (y, x, (size_t) (n * s->spread.out_size));
  for (int32_t i = 1; i < s->spread.n; i++)
    s->loop (i == 1 ? x : y, i == 1 ? in->step : 1,
             (const char *) kt_walk_in (walk, run, i) + offset * in[i].step * in[i].size,
             in[i].step, y, n, s->p);
  if (s->last)
    s->last (y, y, n, s->p);
  if (y != out)
    memcpy (out, y, (size_t) (n * s->spread.out_size));
}

static void
fold_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work   = arg;
  const FoldState *s = work->state;
  kt_walk walk;

  (void) worker;
  for (kt_walk_start (&walk, &s->spread, begin, end); walk.count > 0;
       kt_walk_next (&walk))
    for (int64_t offset = 0; offset < walk.count; offset += BLOCK)
      {
        const int64_t n = walk.count - offset < BLOCK ? walk.count - offset : BLOCK;
        (s->half ? fold_half : fold_block) (s, &walk, work->run, offset, n);
      }
}

kt_status
kt_fold_run (const kt_host *host, kt_run *run, void *state)
{
  const FoldState *s = state;
  Work work          = { run, s };

  return kt_spread_run (host, run, &s->spread, fold_piece, &work);
}

kt_status
kt_fold_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
              int32_t worker)
{
  Work work = { run, state };

  (void) host;
  fold_piece (&work, begin, end, worker);
  return KT_OK;
}

kt_status
kt_extreme_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_seed (g, 0), y = host->g_out (g, 0);
  int32_t n_in, n_out;
  kt_type t     = { 0 };
  kt_value ties = 0, share;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, NULL));
  host->g_type (g, y, &t);
  if (n_in == 1)
    return host->g_set (g, 0, dy);

  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
  for (int32_t i = 0; i < n_in; i++)
    {
      const kt_value equal = kt_equal (host, g, host->g_in (g, i), y);
      const kt_value one   = kt_node (host, g, "Cast", &equal, 1, &to, 1);
      ties                 = ties ? kt_add (host, g, ties, one) : one;
    }
  share = kt_div (host, g, dy, ties);
  for (int32_t i = 0; i < n_in; i++)
    if (host->g_wanted (g, i))
      {
        const kt_value x = host->g_in (g, i);
        const kt_value v = kt_where (host, g, kt_equal (host, g, x, y), share,
                                     kt_scalar_like (host, g, dy, 0));
        KT_TRY (host->g_set (g, i, kt_sum_to (host, g, v, x)));
      }
  return KT_OK;
}
