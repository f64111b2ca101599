/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c: MaxPool, AveragePool and GlobalAveragePool.
 */
#include "pool.h"
#include <math.h>
#include <string.h>

#define WORK 32768 /* vectors read that are worth a thread */

/* Cells of dim D of the window at Q inside the plane, and those that an average counts. */
static Reach
reach_at (const Window *w, int d, int64_t q, int64_t pads_end, bool include_pad)
{
  const int64_t first = q * w->stride[d] - w->begin[d], step = w->dilation[d];
  const int64_t from = first < 0 ? (-first + step - 1) / step : 0;
  int64_t to         = first < w->large[d] ? (w->large[d] - first + step - 1) / step : 0;
  int64_t all        = (w->large[d] + pads_end - first + step - 1) / step;
  Reach r            = { .first = first };

  to      = to < w->kernel[d] ? to : w->kernel[d];
  all     = all < w->kernel[d] ? all : w->kernel[d];
  r.to    = (int32_t) to;
  r.from  = (int32_t) (from < to ? from : to);
  r.cells = (double) (include_pad ? all : r.to - r.from);
  if (r.cells < 1)
    r.cells = 1;
  return r;
}

/* What ceil_mode adds beyond the padding does not count as padding. */
static int64_t
pads_end (const kt_host *host, const void *ctx, const Window *w, int d)
{
  kt_attr pads, automatic;

  if (host->attr (ctx, "auto_pad", &automatic) == KT_OK && automatic.kind == KT_A_STRING
      && automatic.n > 4 && memcmp (automatic.v, "SAME", 4) == 0)
    return w->end[d] > 0 ? w->end[d] : 0;
  return host->attr (ctx, "pads", &pads) == KT_OK && pads.kind == KT_A_INTS
                 && pads.n == (size_t) (2 * w->n)
             ? ((const int64_t *) pads.v)[w->n + d]
             : 0;
}

bool
pool_suits (const kt_host *host, const void *ctx, kt_type large, kt_type small, bool full)
{
  Window w;

  if (large.kind != KT_TENSOR || large.dtype != KT_F32
      || !window_read (host, ctx, &large, &small, NULL, &w) || large.dims[0] < 1
      || large.dims[1] < 1)
    return false;
  for (int d = 0; d < w.n; d++)
    for (int64_t q = 0; q < w.small[d]; q++)
      {
        const Reach r = reach_at (&w, d, q, 0, false);
        if (w.kernel[d] > INT32_MAX || (full && r.from == r.to))
          return false;
      }
  return true;
}

kt_status
pool_prepare (const kt_host *host, kt_prep *prep, int block, kt_type large, kt_type small,
              Pool *p)
{
  const bool include = dnn_int (host, prep, "count_include_pad", 0) != 0;
  double work        = 1;
  Window w;

  if (!window_read (host, prep, &large, &small, NULL, &w))
    return dnn_fail (host, prep, KT_E_UNSUPPORTED, "a shape that is not served");
  p->block  = block;
  p->planes = large.dims[0] * large.dims[1] / block;
  for (int i = 0; i < 3; i++)
    {
      const int d     = i - (3 - w.n);
      const int64_t n = d < 0 ? 1 : w.small[d];
      void *memory;
      const kt_status status = host->keep (prep, (size_t) n * sizeof (Reach), &memory);
      if (status != KT_OK)
        return status;
      p->reach[i]    = memory;
      p->large[i]    = d < 0 ? 1 : w.large[d];
      p->small[i]    = n;
      p->dilation[i] = d < 0 ? 1 : w.dilation[d];
      for (int64_t q = 0; q < n; q++)
        p->reach[i][q] = d < 0
                             ? (Reach){ 0, 1, 0, 1 }
                             : reach_at (&w, d, q, pads_end (host, prep, &w, d), include);
      work *= d < 0 ? 1 : (double) w.kernel[d];
    }
  work *= (double) p->small[2];
  p->grain = work < WORK ? (int64_t) (WORK / work) : 1;
  return KT_OK;
}

/* Loops -------------------------------------------------------------------------------------- */

/* Calls CELL (pointer to the vector of a cell, its number in the window) in order. */
#define EACH_CELL(P, Z, Y, X, PLANE, CELL)                                               \
  for (int64_t a = (Z)->from; a < (Z)->to; a++)                                          \
    for (int64_t b = (Y)->from; b < (Y)->to; b++)                                        \
      {                                                                                  \
        const float *at = (PLANE)                                                        \
                          + ((((Z)->first + a * (P)->dilation[0]) * (P)->large[1]        \
                              + (Y)->first + b * (P)->dilation[1])                       \
                                 * (P)->large[2]                                         \
                             + (X)->first + (X)->from * (P)->dilation[2])                \
                                * block;                                                 \
        for (int64_t c = (X)->from; c < (X)->to; c++, at += (P)->dilation[2] * block)    \
          CELL;                                                                          \
      }

/* One row of places. A NaN stays. */
INLINE void
max_row (const Pool *p, const float *plane, float *y, const Reach *z, const Reach *row,
         int block)
{
  for (int64_t q = 0; q < p->small[2]; q++, y += block)
    {
      const Reach *x = &p->reach[2][q];
      float best[16];

      for (int i = 0; i < block; i++)
        best[i] = -INFINITY;
      EACH_CELL (p, z, row, x, plane,
                 for (int i = 0; i < block; i++) best[i]
                 = (at[i] > best[i]) | (at[i] != at[i]) ? at[i] : best[i]);
      for (int i = 0; i < block; i++)
        y[i] = best[i];
    }
}

INLINE void
average_row (const Pool *p, const float *plane, float *y, const Reach *z,
             const Reach *row, int block)
{
  for (int64_t q = 0; q < p->small[2]; q++, y += block)
    {
      const Reach *x     = &p->reach[2][q];
      const double cells = z->cells * row->cells * x->cells;
      double sum[16]     = { 0 };

      EACH_CELL (p, z, row, x, plane, for (int i = 0; i < block; i++) sum[i] += at[i]);
      for (int i = 0; i < block; i++)
        y[i] = (float) (sum[i] / cells);
    }
}

/* Rows BEGIN .. END - 1 of all planes. */
#define ROWS(NAME, ROW)                                                                  \
  INLINE void NAME##_rows (const Pool *p, const float *x, float *y, int64_t begin,       \
                           int64_t end, int block)                                       \
  {                                                                                      \
    const int64_t large = p->large[0] * p->large[1] * p->large[2] * block;               \
                                                                                         \
    for (int64_t i = begin; i < end; i++)                                                \
      {                                                                                  \
        const int64_t rows = p->small[0] * p->small[1], row = i % rows;                  \
        ROW (p, x + i / rows * large, y + i * p->small[2] * block,                       \
             &p->reach[0][row / p->small[1]], &p->reach[1][row % p->small[1]], block);   \
      }                                                                                  \
  }                                                                                      \
  CLONES static void NAME##_8 (const Pool *p, const float *x, float *y, int64_t begin,   \
                               int64_t end)                                              \
  {                                                                                      \
    NAME##_rows (p, x, y, begin, end, 8);                                                \
  }                                                                                      \
  CLONES static void NAME##_16 (const Pool *p, const float *x, float *y, int64_t begin,  \
                                int64_t end)                                             \
  {                                                                                      \
    NAME##_rows (p, x, y, begin, end, 16);                                               \
  }

ROWS (max, max_row)
ROWS (average, average_row)

typedef void rows_loop (const Pool *p, const float *x, float *y, int64_t begin,
                        int64_t end);

typedef struct
{
  Pool pool;
  rows_loop *loop;
} State;

typedef struct
{
  const State *s;
  const float *x;
  float *y;
} Job;

static void
pool_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;

  (void) worker;
  job->s->loop (&job->s->pool, job->x, job->y, begin, end);
}

static kt_status
pool_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  Job job            = { s, run->in[0].data, run->out[0].data };
  const int64_t rows = s->pool.planes * s->pool.small[0] * s->pool.small[1];

  if (rows > s->pool.grain)
    return host->parallel_for (run, rows, s->pool.grain, pool_rows, &job);
  pool_rows (&job, 0, rows, 0);
  return KT_OK;
}

/* What a kernel is for. */
typedef struct
{
  int block;
  bool full;
  rows_loop *loop;
} Kind;

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  const Kind *kind = user;
  int32_t n_in, n_out;

  return host->arity (ctx, &n_in, &n_out, NULL) == KT_OK && n_out == 1 /* no Indices */
         && pool_suits (host, ctx, dnn_type (host, ctx, 0, 0), dnn_type (host, ctx, 1, 0),
                        kind->full);
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind       = user;
  const kt_status status = host->keep (prep, sizeof (State), state);

  if (status != KT_OK)
    return status;
  ((State *) *state)->loop = kind->loop;
  return pool_prepare (host, prep, kind->block, dnn_type (host, prep, 0, 0),
                       dnn_type (host, prep, 1, 0), &((State *) *state)->pool);
}

/* Global average -------------------------------------------------------------------------- */

typedef struct
{
  int block;
  int64_t planes, spots, grain;
} Global;

INLINE void
global_planes (const Global *g, const float *x, float *y, int64_t begin, int64_t end,
               int block)
{
  for (int64_t p = begin; p < end; p++)
    {
      double sum[16] = { 0 };
      for (int64_t s = 0; s < g->spots; s++)
        for (int i = 0; i < block; i++)
          sum[i] += x[(p * g->spots + s) * block + i];
      for (int i = 0; i < block; i++)
        y[p * block + i] = (float) (sum[i] / (double) g->spots);
    }
}

CLONES static void
global_8 (const Global *g, const float *x, float *y, int64_t begin, int64_t end)
{
  global_planes (g, x, y, begin, end, 8);
}

CLONES static void
global_16 (const Global *g, const float *x, float *y, int64_t begin, int64_t end)
{
  global_planes (g, x, y, begin, end, 16);
}

typedef struct
{
  const Global *g;
  const float *x;
  float *y;
} GlobalJob;

static void
global_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const GlobalJob *job = arg;

  (void) worker;
  (job->g->block == 16 ? global_16 : global_8) (job->g, job->x, job->y, begin, end);
}

static kt_status
global_run (const kt_host *host, kt_run *run, void *state)
{
  const Global *g = state;
  GlobalJob job   = { g, run->in[0].data, run->out[0].data };

  return host->parallel_for (run, g->planes, g->grain, global_piece, &job);
}

static int32_t
global_suits (const kt_host *host, const void *ctx, void *user)
{
  const kt_type x = dnn_type (host, ctx, 0, 0);

  (void) user;
  return x.kind == KT_TENSOR && x.dtype == KT_F32 && x.ndim >= 3
         && window_count (x.dims, x.ndim) > 0;
}

static kt_status
global_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x        = dnn_type (host, prep, 0, 0);
  const kt_status status = host->keep (prep, sizeof (Global), state);
  Global *g              = *state;

  if (status != KT_OK)
    return status;
  g->block  = ((const Kind *) user)->block;
  g->planes = x.dims[0] * x.dims[1] / g->block;
  g->spots  = window_count (x.dims + 2, x.ndim - 2);
  g->grain  = g->spots < WORK ? WORK / g->spots : 1;
  return KT_OK;
}

#define POOL(NAME, SINCE, BLOCK, LOOP, FULL)                                             \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = "", .name = NAME, .device = "cpu",      \
    .types = "T=f32", .since = SINCE, .priority = 110,                                   \
    .flags  = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_FOLLOWS,                        \
    .user   = (void *) &(const Kind){ BLOCK, FULL, LOOP##_##BLOCK },                     \
    .layout = "c" #BLOCK ">c" #BLOCK, .suits = suits, .prepare = prepare,                \
    .run = pool_run                                                                      \
  }

#define GLOBAL(BLOCK)                                                                    \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = "", .name = "GlobalAveragePool",        \
    .device = "cpu", .types = "T=f32", .since = 1, .priority = 110,                      \
    .flags  = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_FOLLOWS,                        \
    .user   = (void *) &(const Kind){ BLOCK, false, NULL },                              \
    .layout = "c" #BLOCK ">c" #BLOCK, .suits = global_suits, .prepare = global_prepare,  \
    .run = global_run                                                                    \
  }

const kt_kernel pool_kernels_8[] = {
  POOL ("MaxPool", 1, 8, max, true),
  POOL ("AveragePool", 1, 8, average, false),
  GLOBAL (8),
  { 0 },
};
const kt_kernel pool_kernels_16[] = {
  POOL ("MaxPool", 1, 16, max, true),
  POOL ("AveragePool", 1, 16, average, false),
  GLOBAL (16),
  { 0 },
};
