/* SPDX-License-Identifier: Apache-2.0
 *
 * norm.c: BatchNormalization for inference (a chain may call it tile by tile) and training, and
 * kette.BatchNormGrad. Statistics are taken per plane (an image's block of channels) and joined
 * in the order of the images.
 */
#include "pool.h"
#include <math.h>
#include <string.h>

#define WORK 16384 /* floats of a piece of work */

enum
{
  X,
  SCALE,
  B,
  MEAN,
  VAR
};

typedef enum
{
  INFERENCE,
  TRAINING,
  GRADIENT
} Op;

/* What a kernel is for. */
typedef struct
{
  int block;
  Op op;
} Kind;

typedef struct
{
  Op op;
  int block;
  int64_t images, blocks, spots,
      grain; /* blocks: of channels; grain: planes of a piece */
  double epsilon, momentum;
  moments_loop *moments;
  map_loop *map;
  float *lines; /* per block of channels, where the inputs are constant */
} State;

typedef struct
{
  const State *s;
  const kt_tensor *in, *out;
  double *planes; /* moments per plane */
  float *lines;   /* per block of channels */
} Job;

static double
element (const kt_tensor *t, int64_t i)
{
  return ((const float *) t->data)[i];
}

/* The line of block K of channels: m, a, b. */
static void
line_of (const State *s, const kt_tensor *in, int64_t k, float *line)
{
  for (int i = 0; i < s->block; i++)
    {
      const int64_t c = k * s->block + i;
      line[i]         = (float) element (&in[MEAN], c);
      line[s->block + i]
          = (float) (element (&in[SCALE], c) / sqrt (element (&in[VAR], c) + s->epsilon));
      line[2 * s->block + i] = (float) element (&in[B], c);
    }
}

/* Prepare -------------------------------------------------------------------------------- */

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  const Kind *kind = user;
  const kt_type x  = dnn_type (host, ctx, 0, X);

  if (x.kind != KT_TENSOR || x.dtype != KT_F32 || x.ndim < 3
      || window_count (x.dims, x.ndim) == 0)
    return 0;
  for (int32_t i = SCALE; kind->op != GRADIENT && i <= VAR; i++)
    if (dnn_type (host, ctx, 0, i).dtype != KT_F32)
      return 0;
  return kind->op == GRADIENT
         || (dnn_int (host, ctx, "training_mode", 0) != 0) == (kind->op == TRAINING);
}

static double
real (const kt_host *host, const void *ctx, const char *name, double absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_FLOAT ? a.f : absent;
}

static kt_status
keep_lines (const kt_host *host, kt_prep *prep, State *s)
{
  kt_tensor in[VAR + 1];
  void *memory;

  for (int32_t i = SCALE; i <= VAR; i++)
    if (host->constant (prep, i, &in[i]) != KT_OK || !in[i].data)
      return KT_OK;
  const kt_status status
      = host->keep (prep, (size_t) (s->blocks * 3 * s->block) * sizeof (float), &memory);
  if (status != KT_OK)
    return status;
  s->lines = memory;
  for (int64_t k = 0; k < s->blocks; k++)
    line_of (s, in, k, s->lines + k * 3 * s->block);
  return KT_OK;
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind       = user;
  const kt_type x        = dnn_type (host, prep, 0, X);
  const Loops *loops     = loops_get ();
  const kt_status status = host->keep (prep, sizeof (State), state);
  State *s               = *state;

  if (status != KT_OK)
    return status;
  s->op       = kind->op;
  s->block    = kind->block;
  s->images   = x.dims[0];
  s->blocks   = x.dims[1] / s->block;
  s->spots    = window_count (x.dims + 2, x.ndim - 2);
  s->grain    = s->spots * s->block < WORK ? WORK / (s->spots * s->block) : 1;
  s->epsilon  = real (host, prep, "epsilon", 1e-5);
  s->momentum = real (host, prep, "momentum", 0.9);
  s->moments  = loops->moments[s->block == 16];
  s->map      = loops->map[s->block == 16];
  if (s->op == INFERENCE)
    return keep_lines (host, prep, s);
  return host->want_workspace (prep,
                               (size_t) (s->images * s->blocks * 4 * s->block)
                                       * sizeof (double)
                                   + (size_t) (s->blocks * 4 * s->block) * sizeof (float),
                               0);
}

/* Inference ------------------------------------------------------------------------------- */

/* Of a position that a tile cuts through. */
static float
at_place (const State *s, const float *line, float x, int64_t i)
{
  const float *p = line + i % s->block;

  return (x - p[0]) * p[s->block] + p[2 * s->block];
}

/* Elements FIRST .. END - 1 in memory. */
static void
infer_elements (const State *s, const kt_run *run, int64_t first, int64_t end)
{
  const int64_t plane = s->spots * s->block;
  const float *x      = run->in[X].data;
  float *y            = run->out[0].data;
  float own[3 * 16];

  while (first < end)
    {
      const int64_t p = first / plane, k = p % s->blocks;
      const int64_t next = (p + 1) * plane < end ? (p + 1) * plane : end;
      const float *line  = s->lines ? s->lines + k * 3 * s->block : own;

      if (!s->lines)
        line_of (s, run->in, k, own);
      for (; first < next && first % s->block; first++)
        y[first] = at_place (s, line, x[first], first);
      const int64_t whole = (next - first) / s->block;
      s->map (x + first, NULL, y + first, whole, line);
      for (first += whole * s->block; first < next; first++)
        y[first] = at_place (s, line, x[first], first);
    }
}

typedef struct
{
  const State *s;
  const kt_run *run;
} Inference;

static void
infer_planes (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Inference *job = arg;
  const int64_t plane  = job->s->spots * job->s->block;

  (void) worker;
  infer_elements (job->s, job->run, begin * plane, end * plane);
}

static kt_status
inference_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  Inference job  = { s, run };

  return host->parallel_for (run, s->images * s->blocks, s->grain, infer_planes, &job);
}

static kt_status
inference_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
                int32_t worker)
{
  (void) host, (void) worker;
  infer_elements (state, run, begin, end);
  return KT_OK;
}

/* Statistics of the batch ----------------------------------------------------------------- */

static void
take_moments (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job      = arg;
  const State *s      = job->s;
  const int64_t plane = s->spots * s->block;
  const float *x = job->in[X].data, *dy = s->op == GRADIENT ? job->in[1].data : NULL;

  (void) worker;
  for (int64_t p = begin; p < end; p++)
    s->moments (x + p * plane, dy ? dy + p * plane : NULL, s->spots,
                job->planes + p * 4 * s->block);
}

/* Joins those of channel C (place I of block K) over the images. */
static void
join (const Job *job, int64_t k, int i, double *mean, double *m2, double *sum,
      double *dot)
{
  const State *s = job->s;
  double n       = 0;

  *mean = *m2 = *sum = *dot = 0;
  for (int64_t image = 0; image < s->images; image++)
    {
      const double *p    = job->planes + (image * s->blocks + k) * 4 * s->block + i;
      const double count = (double) s->spots, all = n + count, delta = p[0] - *mean;
      const double joined = *mean + delta * (count / all);
      *m2 += p[s->block] + delta * delta * (n * count / all);
      *dot += (*mean - joined) * *sum + p[3 * s->block]
              + (p[0] - joined) * p[2 * s->block];
      *sum += p[2 * s->block];
      *mean = joined;
      n     = all;
    }
}

static void
put (const Job *job, int32_t n_out, int32_t i, int64_t c, double v)
{
  if (i < n_out && job->out[i].device_type)
    ((float *) job->out[i].data)[c] = (float) v;
}

static void
make_lines (const Job *job, int32_t n_out)
{
  const State *s = job->s;
  const double n = (double) s->images * (double) s->spots;

  for (int64_t c = 0; c < s->blocks * s->block; c++)
    {
      const int i = (int) (c % s->block);
      float *line = job->lines + c / s->block * 4 * s->block + i;
      double mean, m2, sum, dot;

      join (job, c / s->block, i, &mean, &m2, &sum, &dot);
      const double variance = m2 / n, inv = 1 / sqrt (variance + s->epsilon);
      line[0] = (float) mean;
      if (s->op == TRAINING)
        {
          line[s->block]     = (float) (element (&job->in[SCALE], c) * inv);
          line[2 * s->block] = (float) element (&job->in[B], c);
          put (job, n_out, 1, c,
               element (&job->in[MEAN], c) * s->momentum + mean * (1 - s->momentum));
          put (job, n_out, 2, c,
               element (&job->in[VAR], c) * s->momentum + variance * (1 - s->momentum));
          continue;
        }
      const double slope = element (&job->in[2], c) * inv;
      line[s->block]     = (float) (-slope * inv * inv * dot / n);
      line[2 * s->block] = (float) (-slope * sum / n);
      line[3 * s->block] = (float) slope;
      put (job, n_out, 1, c, dot * inv);
      put (job, n_out, 2, c, sum);
    }
}

static void
map_planes (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job      = arg;
  const State *s      = job->s;
  const int64_t plane = s->spots * s->block;
  const float *x = job->in[X].data, *dy = s->op == GRADIENT ? job->in[1].data : NULL;

  (void) worker;
  for (int64_t p = begin; p < end; p++)
    s->map (x + p * plane, dy ? dy + p * plane : NULL,
            (float *) job->out[0].data + p * plane, s->spots,
            job->lines + p % s->blocks * 4 * s->block);
}

static kt_status
batch_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s       = state;
  const int64_t planes = s->images * s->blocks;
  double *memory       = host->workspace (run, -1, NULL);
  Job job = { s, run->in, run->out, memory, (float *) (memory + planes * 4 * s->block) };
  kt_status status = host->parallel_for (run, planes, s->grain, take_moments, &job);

  if (status != KT_OK)
    return status;
  make_lines (&job, run->n_out);
  return host->parallel_for (run, planes, s->grain, map_planes, &job);
}

static const kt_alias in_place[]
    = { { X, 0, 0, 0 }, { MEAN, 1, 0, 0 }, { VAR, 2, 0, 0 } };
static const kt_alias both[] = { { 0, 0, 0, 0 }, { 1, 0, 0, 0 } };

#define NORM(DOMAIN, NAME, BLOCK, OP, SINCE, PRIORITY, LAYOUT, ALIAS, N_ALIAS, FLAGS,    \
             RUN, TILE)                                                                  \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = DOMAIN, .name = NAME, .device = "cpu",  \
    .types = "T=f32", .since = SINCE, .priority = PRIORITY, .n_alias = N_ALIAS,          \
    .alias = ALIAS, .flags = KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_FOLLOWS | FLAGS, \
    .user = (void *) &(const Kind){ BLOCK, OP }, .layout = LAYOUT, .suits = suits,       \
    .prepare = prepare, .run = RUN, .tile = TILE                                         \
  }
#define ALL(BLOCK)                                                                       \
  NORM ("", "BatchNormalization", BLOCK, INFERENCE, 14, 101 + BLOCK,                     \
        "c" #BLOCK ",,,,>c" #BLOCK, in_place, 1, KT_K_TILEABLE, inference_run,           \
        inference_tile),                                                                 \
      NORM ("", "BatchNormalization", BLOCK, TRAINING, 14, 100 + BLOCK,                  \
            "c" #BLOCK ",,,,>c" #BLOCK ",,", in_place, 3, 0, batch_run, NULL),           \
      NORM ("kette", "BatchNormGrad", BLOCK, GRADIENT, 1, 100 + BLOCK,                   \
            "c" #BLOCK ",c" #BLOCK ",>c" #BLOCK ",,", both, 2, 0, batch_run, NULL)

const kt_kernel norm_kernels_8[]  = { ALL (8), { 0 } };
const kt_kernel norm_kernels_16[] = { ALL (16), ALL (8), { 0 } };
