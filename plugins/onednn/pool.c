/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c: MaxPool, AveragePool, GlobalAveragePool, ReduceMean over all places,
 * kette.MaxPoolGrad, kette.AveragePoolGrad.
 */
#include "pool.h"
#include <math.h>
#include <string.h>

#define WORK 32768 /* vectors read that are worth a thread */
#define NEAR                                                                             \
  2048 /* the same where a thread has made half of them: it need not fetch the others */
#define SUMS 2048 /* the same for a sum of all: half of them lie near another thread */

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

/* Forward ---------------------------------------------------------------------------------- */

typedef enum
{
  MAX,
  AVERAGE,
  GLOBAL, /* to one place */
  MEAN    /* the same as a reduction over the axes in input 1 */
} Op;

/* What a kernel is for. */
typedef struct
{
  int block;
  Op op;
} Kind;

typedef struct
{
  Pool pool;
  Global global;
  Op op;
  bool halves; /* of an image's rows, one for each of two threads */
  pool_loop *loop;
  global_loop *global_loop;
} State;

typedef struct
{
  const State *s;
  const float *x;
  float *y;
} Job;

static void
pool_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job = arg;

  (void) worker;
  if (job->s->op >= GLOBAL)
    job->s->global_loop (&job->s->global, job->x, job->y, begin, end);
  else
    job->s->loop (&job->s->pool, job->x, job->y, begin, end);
}

/* Half I of the rows of all planes, as convolutions cut an image. */
static void
pool_halves (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job     = arg;
  const Pool *p      = &job->s->pool;
  const int64_t rows = p->small[0] * p->small[1];

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    for (int64_t plane = 0; plane < p->planes; plane++)
      job->s->loop (p, job->x, job->y, plane * rows + rows * i / 2,
                    plane * rows + rows * (i + 1) / 2);
}

static kt_status
pool_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  const Pool *p  = &s->pool;
  Job job        = { s, run->in[0].data, run->out[0].data };
  const int64_t n
      = s->op >= GLOBAL ? s->global.planes : p->planes * p->small[0] * p->small[1];
  const int64_t grain = s->op >= GLOBAL ? s->global.grain : p->grain;

  if (n > grain)
    return host->parallel_for (run, n, grain, pool_piece, &job);
  if (s->halves)
    return host->parallel_for (run, 2, 1, pool_halves, &job);
  pool_piece (&job, 0, n, 0);
  return KT_OK;
}

/* Are the axes in input 1 those of the places, each of them once? */
static bool
over_places (const kt_host *host, const void *ctx, int32_t ndim)
{
  const int64_t *axes;
  uint64_t seen = 0;
  size_t n;

  if (host->ints (ctx, 1, &axes, &n) != KT_OK || !axes || n != (size_t) (ndim - 2))
    return false;
  for (size_t i = 0; i < n; i++)
    {
      const int64_t axis = axes[i] < 0 && axes[i] >= -ndim ? axes[i] + ndim : axes[i];
      if (axis < 2 || axis >= ndim || seen >> axis & 1)
        return false;
      seen |= (uint64_t) 1 << axis;
    }
  return true;
}

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  const Kind *kind = user;
  const kt_type x  = dnn_type (host, ctx, 0, 0);
  int32_t n_in, n_out;

  if (host->arity (ctx, &n_in, &n_out, NULL) != KT_OK || n_out != 1) /* no Indices */
    return 0;
  if (kind->op >= GLOBAL)
    return x.kind == KT_TENSOR && x.dtype == KT_F32 && x.ndim >= 3
           && window_count (x.dims, x.ndim) > 0
           && (kind->op == GLOBAL || over_places (host, ctx, x.ndim));
  return pool_suits (host, ctx, x, dnn_type (host, ctx, 1, 0), kind->op == MAX);
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind   = user;
  const kt_type x    = dnn_type (host, prep, 0, 0);
  const Loops *loops = loops_get ();
  const int wide     = kind->block == 16;
  kt_status status   = host->keep (prep, sizeof (State), state);
  State *s           = *state;

  if (status != KT_OK)
    return status;
  s->op          = kind->op;
  s->loop        = s->op == MAX ? loops->max[wide] : loops->average[wide];
  s->global_loop = loops->global[wide];
  if (s->op < GLOBAL)
    {
      const kt_type y = dnn_type (host, prep, 1, 0);
      status          = pool_prepare (host, prep, kind->block, x, y, &s->pool);
      s->halves
          = x.dims[0] == 1 && host->processors () > 1
            && (double) (s->pool.planes * s->pool.small[0] * s->pool.small[1]) * WORK
                   >= (double) s->pool.grain * NEAR;
      return status;
    }
  s->global.planes = x.dims[0] * x.dims[1] / kind->block;
  s->global.spots  = window_count (x.dims + 2, x.ndim - 2);
  s->global.grain  = s->global.spots < SUMS ? SUMS / s->global.spots : 1;
  return KT_OK;
}

/* Gradients -------------------------------------------------------------------------------- */

typedef struct
{
  Pool pool;
  pool_grad_loop *loop;
  bool with_x; /* X before dY */
} GradState;

typedef struct
{
  const GradState *s;
  const float *x, *dy;
  float *dx;
} GradJob;

static void
grad_planes (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const GradJob *job = arg;

  (void) worker;
  job->s->loop (&job->s->pool, job->x, job->dy, job->dx, begin, end);
}

static kt_status
grad_run (const kt_host *host, kt_run *run, void *state)
{
  const GradState *s = state;
  GradJob job        = { s, run->in[0].data, run->in[s->with_x].data, run->out[0].data };

  return host->parallel_for (run, s->pool.planes, s->pool.grain, grad_planes, &job);
}

static int32_t
grad_suits (const kt_host *host, const void *ctx, void *user)
{
  const Kind *kind = user;
  const kt_type x  = dnn_type (host, ctx, 1, 0);

  return pool_suits (host, ctx, x, dnn_type (host, ctx, 0, kind->op == MAX),
                     kind->op == MAX)
         && window_count (x.dims + 2, x.ndim - 2) <= INT32_MAX / kind->block;
}

static kt_status
grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind   = user;
  const Loops *loops = loops_get ();
  const int wide     = kind->block == 16;
  kt_status status   = host->keep (prep, sizeof (GradState), state);
  GradState *s       = *state;

  if (status != KT_OK)
    return status;
  s->with_x = kind->op == MAX;
  s->loop   = s->with_x ? loops->max_grad[wide] : loops->average_grad[wide];
  status    = pool_prepare (host, prep, kind->block, dnn_type (host, prep, 1, 0),
                            dnn_type (host, prep, 0, s->with_x), &s->pool);
  /* From rows to planes. */
  const int64_t rows = s->pool.small[0] * s->pool.small[1];
  s->pool.grain      = s->pool.grain > rows ? s->pool.grain / rows : 1;
  return status;
}

#define POOL(DOMAIN, NAME, SINCE, BLOCK, OP, LAYOUT, SUITS, PREPARE, RUN)                \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .device = "cpu",  \
    .types = "T=f32", .since = SINCE, .priority = 100 + BLOCK,                           \
    .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_FOLLOWS,                         \
    .user = (void *) &(const Kind){ BLOCK, OP }, .layout = LAYOUT, .suits = SUITS,       \
    .prepare = PREPARE, .run = RUN                                                       \
  }
#define FORWARD(NAME, BLOCK, OP)                                                         \
  POOL ("", NAME, 1, BLOCK, OP, "c" #BLOCK ">c" #BLOCK, suits, prepare, pool_run)
/* One place may have lost its dims, and is the same memory anyway. Axes are an attribute before
 * version 18. */
#define REDUCTION(NAME, BLOCK, OP)                                                       \
  POOL ("", NAME, 18, BLOCK, OP, "c" #BLOCK ">", suits, prepare, pool_run)
#define BACKWARD(NAME, BLOCK, OP, LAYOUT)                                                \
  POOL ("kette", NAME, 1, BLOCK, OP, LAYOUT, grad_suits, grad_prepare, grad_run)
#define ALL(BLOCK)                                                                       \
  FORWARD ("MaxPool", BLOCK, MAX), FORWARD ("AveragePool", BLOCK, AVERAGE),              \
      FORWARD ("GlobalAveragePool", BLOCK, GLOBAL),                                      \
      REDUCTION ("ReduceMean", BLOCK, MEAN),                                             \
      BACKWARD ("MaxPoolGrad", BLOCK, MAX, "c" #BLOCK ",c" #BLOCK ">c" #BLOCK),          \
      BACKWARD ("AveragePoolGrad", BLOCK, AVERAGE, "c" #BLOCK ",>c" #BLOCK)

const kt_kernel pool_kernels_8[]  = { ALL (8), { 0 } };
const kt_kernel pool_kernels_16[] = { ALL (16), ALL (8), { 0 } };
