/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.Reorder: the same tensor, laid out in memory in another way. Layout 0 is row-major;
 * layout b has channels (dim 1) in blocks of b: n, c / b, d1, d2, ..., c % b. Plans insert it
 * where a kernel wants blocks; elsewhere its result is row-major by name and blocked by
 * content, which is of use to nobody but tests.
 */
#include "emit.h"
#include "move.h"

#define SPOTS 1024 /* positions (d1, d2, ...) of a block of channels: a piece of work */

typedef uint32_t Eight __attribute__ ((vector_size (32), aligned (4), may_alias));

typedef struct
{
  int64_t blocks, spots, chunks,
      block; /* blocks of channels in all images; block: 8, 16 */
  int64_t grain;
  bool fast, to_blocks;
  kt_move move;
} State;

typedef struct
{
  const State *s;
  const uint32_t *x;
  uint32_t *y;
} Job;

/* Y (8,8) = X (8,8) transposed; rows X_STEP and Y_STEP elements apart. */
static inline __attribute__ ((always_inline)) void
transpose (const uint32_t *x, int64_t x_step, uint32_t *y, int64_t y_step)
{
  Eight a[8], b[8];

  for (int i = 0; i < 8; i++)
    a[i] = *(const Eight *) (x + i * x_step);
  for (int i = 0; i < 8; i += 2)
    {
      b[i]     = __builtin_shufflevector (a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
      b[i + 1] = __builtin_shufflevector (a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; k++)
      {
        a[i + 2 * k]
            = __builtin_shufflevector (b[i + k], b[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        a[i + 2 * k + 1] = __builtin_shufflevector (b[i + k], b[i + k + 2], 2, 3, 10, 11,
                                                    6, 7, 14, 15);
      }
  for (int i = 0; i < 4; i++)
    {
      *(Eight *) (y + i * y_step)
          = __builtin_shufflevector (a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
      *(Eight *) (y + (i + 4) * y_step)
          = __builtin_shufflevector (a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* Positions begin .. end of one block of channels, whose rows have SPOTS elements. */
#define STRIP(NAME, X_STEP, Y_STEP, FROM, TO)                                            \
  KT_CLONES static void NAME (const uint32_t *x, uint32_t *y, int64_t spots,             \
                              int64_t block, int64_t begin, int64_t end)                 \
  {                                                                                      \
    int64_t i = begin;                                                                   \
                                                                                         \
    for (; i + 8 <= end; i += 8)                                                         \
      for (int64_t c = 0; c < block; c += 8)                                             \
        transpose (x + (FROM), X_STEP, y + (TO), Y_STEP);                                \
    for (; i < end; i++)                                                                 \
      for (int64_t c = 0; c < block; c++)                                                \
        y[TO] = x[FROM];                                                                 \
  }

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define KT_CLONES __attribute__ ((target_clones ("avx2", "default")))
#else
#define KT_CLONES
#endif

STRIP (strip_to, spots, block, c *spots + i, i *block + c)
STRIP (strip_from, block, spots, i *block + c, c *spots + i)

static void
reorder_strips (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;
  const State *s = job->s;

  (void) worker;
  for (int64_t item = begin; item < end; item++)
    {
      const int64_t at    = item / s->chunks * s->block * s->spots;
      const int64_t first = item % s->chunks * SPOTS;
      const int64_t last  = s->spots - first < SPOTS ? s->spots : first + SPOTS;
      (s->to_blocks ? strip_to : strip_from) (job->x + at, job->y + at, s->spots,
                                              s->block, first, last);
    }
}

static kt_status
reorder_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  Job job        = { s, run->in[0].data, run->out[0].data };

  if (!s->fast)
    return kt_move_run (host, run, &s->move, run->in[0].data, 0, run->out[0].data, 0);
  if (s->blocks * s->chunks > s->grain)
    return host->parallel_for (run, s->blocks * s->chunks, s->grain, reorder_strips,
                               &job);
  reorder_strips (&job, 0, s->blocks * s->chunks, 0);
  return KT_OK;
}

/* The dims of both layouts, finest first where they share them: n, groups of channels that
 * are whole blocks on both sides, and what lies within. Strides in elements. */
static void
plan_move (State *s, const kt_type *x, int64_t images, int64_t channels, int64_t from,
           int64_t to)
{
  const int64_t spots = s->spots, big = from > to ? from : to;
  int64_t dims[5] = { images, big ? channels / big : channels }, in[5], out[5];

  in[0] = out[0] = channels * spots;
  in[1] = out[1] = (big ? big : 1) * spots;
  if (from == to)
    {
      const int64_t all = images * channels * spots, one = 1;
      kt_move_plan (&s->move, x->dtype, 1, &all, &one, &one);
      return;
    }
  if (from == 0 || to == 0)
    { /* spot, channel of the block; the output's inner dim last */
      const int at_spot = to ? 2 : 3, at_channel = to ? 3 : 2;
      dims[at_spot] = spots, dims[at_channel] = big;
      in[at_spot] = from ? from : 1, in[at_channel] = from ? 1 : spots;
      out[at_spot] = to ? to : 1, out[at_channel] = to ? 1 : spots;
      kt_move_plan (&s->move, x->dtype, 4, dims, in, out);
      return;
    }
  /* 8 and 16: the half of the block of 16, spot, channel of the half */
  const int at_spot = to > from ? 2 : 3, at_half = to > from ? 3 : 2;
  const int64_t small = from < to ? from : to;
  dims[at_spot] = spots, dims[at_half] = big / small, dims[4] = small;
  in[at_spot] = from, in[at_half] = from < to ? small * spots : small, in[4] = 1;
  out[at_spot] = to, out[at_half] = to < from ? small * spots : small, out[4] = 1;
  kt_move_plan (&s->move, x->dtype, 5, dims, in, out);
}

static kt_status
reorder_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x    = kt_in_type (host, prep, 0);
  const int64_t from = kt_attr_int (host, prep, "from", 0);
  const int64_t to   = kt_attr_int (host, prep, "to", 0);
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s            = *state;
  s->block     = from + to;
  s->to_blocks = to != 0;
  s->spots     = x.ndim > 2 ? kt_count (x.dims + 2, x.ndim - 2) : 1;
  s->fast      = kt_size_of (x.dtype) == 4 && (from == 0) != (to == 0) && s->spots > 1;
  plan_move (s, &x, x.ndim > 0 ? x.dims[0] : 1, x.ndim > 1 ? x.dims[1] : 1, from, to);
  if (s->fast)
    {
      const int64_t work = s->block * (s->spots < SPOTS ? s->spots : SPOTS);
      s->blocks          = kt_count (x.dims, x.ndim) / (s->block * s->spots);
      s->chunks          = (s->spots + SPOTS - 1) / SPOTS;
      s->grain           = work < 65536 ? 65536 / work : 1;
    }
  return KT_OK;
}

static const kt_kernel reorder_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = reorder_prepare, .run = reorder_run },
  { 0 },
};

static kt_status
reorder_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x            = kt_in_type (host, infer, 0);
  const char *const names[2] = { "from", "to" };

  for (int i = 0; i < 2; i++)
    {
      const int64_t block = kt_attr_int (host, infer, names[i], 0);
      if (block != 0 && block != 8 && block != 16)
        return kt_fail (host, infer, KT_E_ATTR, "%s is %lld, must be 0, 8 or 16",
                        names[i], (long long) block);
      if (block && x.kind && x.ndim >= 0 && x.ndim < 2)
        return kt_fail (host, infer, KT_E_SHAPE, "x has rank %d, needs 2 for blocks",
                        (int) x.ndim);
      if (block && x.kind && x.ndim >= 2 && kt_dim_known (x.dims[1]) && x.dims[1] % block)
        return kt_fail (host, infer, KT_E_SHAPE,
                        "x has %lld channels, no multiple of %lld", (long long) x.dims[1],
                        (long long) block);
    }
  return kt_infer_same (host, infer, user);
}

/* dE/dx: what was moved is moved back. */
static kt_status
reorder_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_attr attrs[]
      = { { .name = "from", .kind = KT_A_INT, .i = kt_attr_int (host, g, "to", 0) },
          { .name = "to", .kind = KT_A_INT, .i = kt_attr_int (host, g, "from", 0) } };
  const kt_value dy = host->g_seed (g, 0);
  kt_value dx       = 0;

  (void) user;
  KT_TRY (host->g_node (g, "kette", "Reorder", 1, &dy, 1, &dx, 1, attrs, 2));
  return host->g_set (g, 0, dx);
}

const kt_operator kette_op_reorder = {
  .op     = { KT_OP ("Reorder", 1), .flags = KT_OP_PURE, .infer = reorder_infer,
              .gradient = reorder_gradient },
  .kernel = reorder_kernel,
};
