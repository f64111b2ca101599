/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-depthwise.c: the loops of conv-depthwise.h, with the ranges of pool.h: along a row no
 * bounds are looked at. 16-bit planes are made float ones first.
 */
#include "conv-depthwise.h"
#include "pool.h"
#include "sum.h"
#include <stdatomic.h>

#define MOST_PER_CHANNEL 4 /* outputs per channel; with more, products pay */
#define LANES 16           /* partial sums of a weight's gradient */

typedef struct
{
  kt_conv conv;
  kt_pool pool; /* the windows */
  bool half, has_bias;
  int64_t cells, size, element; /* bytes: of what is computed with, of the tensors' */
  int64_t first, end;           /* outputs of a row whose windows lie inside along it */
  int64_t pieces, grain;
  int64_t small_at, sums_at; /* in a worker's scratch memory, behind a large plane */
} State;

bool
kt_conv_is_depthwise (const kt_conv *c)
{
  return c->c == 1 && c->m <= MOST_PER_CHANNEL && c->m > 0 && c->group > 1;
}

/* Three neighbouring cells at a time where the whole window lies inside the row. */
#define DEPTHWISE(SUFFIX, T)                                                                \
  KT_INLINE void three_##SUFFIX (const T *restrict x, int64_t step, int64_t dilation,       \
                                 const T *w, T *restrict y, int64_t n)                      \
  {                                                                                         \
    const T *const x1 = x + dilation, *const x2 = x1 + dilation;                            \
                                                                                            \
    for (int64_t q = 0; q < n; q++)                                                         \
      y[q] += w[0] * x[q * step] + w[1] * x1[q * step] + w[2] * x2[q * step];               \
  }                                                                                         \
  KT_INLINE void one_##SUFFIX (const T *restrict x, int64_t step, T w, T *restrict y,       \
                               int64_t n)                                                   \
  {                                                                                         \
    for (int64_t q = 0; q < n; q++)                                                         \
      y[q] += w * x[q * step];                                                              \
  }                                                                                         \
  KT_INLINE void back_##SUFFIX (const T *restrict y, int64_t step, T w, T *restrict x,      \
                                int64_t n)                                                  \
  {                                                                                         \
    for (int64_t q = 0; q < n; q++)                                                         \
      x[q * step] += w * y[q];                                                              \
  }                                                                                         \
  KT_INLINE void dot_##SUFFIX (const T *restrict x, int64_t step, const T *restrict y,      \
                               int64_t n, T *restrict lane)                                 \
  {                                                                                         \
    int64_t q = 0;                                                                          \
                                                                                            \
    for (; q + LANES <= n; q += LANES)                                                      \
      for (int l = 0; l < LANES; l++)                                                       \
        lane[l] += y[q + l] * x[(q + l) * step];                                            \
    for (int l = 0; q + l < n; l++)                                                         \
      lane[l] += y[q + l] * x[(q + l) * step];                                              \
  }                                                                                         \
  KT_VECTOR static void forward_##SUFFIX (const State *s, const void *x_data,               \
                                          const void *w_data, int64_t row, void *y_data)    \
  {                                                                                         \
    const kt_pool *const p = &s->pool;                                                      \
    const int32_t last     = p->w.n - 1;                                                    \
    const int64_t n = p->w.kernel[last], step = p->w.stride[last];                          \
    const int64_t dilation = p->w.dilation[last], a = s->first, b = s->end;                 \
    T *const y = y_data;                                                                    \
    kt_pool_walk walk;                                                                      \
                                                                                            \
    for (bool more = kt_pool_first (p, row, &walk); more;                                   \
         more      = kt_pool_next (p, &walk))                                               \
      {                                                                                \
             const T *const x = (const T *) x_data + walk.offset;                           \
             const T *const w = (const T *) w_data + walk.cell;                             \
             for (int64_t j = 0; j < n; j++)                                                \
          {                                                                            \
                 const kt_pool_range r = p->range[j];                                       \
                 const int64_t at      = j * dilation - p->w.begin[last];                   \
                 for (int64_t q = r.first; q < r.end && q < a; q++)                         \
              y[q] += w[j] * x[q * step + at];                                         \
            for (int64_t q = r.first > b ? r.first : b; q < r.end; q++)                \
              y[q] += w[j] * x[q * step + at];                                         \
          }                                                                            \
             for (int64_t j = 0, of; j < n && a < b; j += of)                               \
          {                                                                            \
                 const T *const from = x + a * step + j * dilation - p->w.begin[last];      \
                 of                  = n - j >= 3 ? 3 : 1;                                  \
                 if (of == 3 && step == 1)                                                  \
              three_##SUFFIX (from, 1, dilation, w + j, y + a, b - a);                 \
            else if (of == 3 && step == 2)                                             \
              three_##SUFFIX (from, 2, dilation, w + j, y + a, b - a);                 \
            else if (of == 3)                                                          \
              three_##SUFFIX (from, step, dilation, w + j, y + a, b - a);              \
            else if (step == 1)                                                        \
              one_##SUFFIX (from, 1, w[j], y + a, b - a);                              \
            else                                                                       \
              one_##SUFFIX (from, step, w[j], y + a, b - a);                           \
          }                                                                            \
      }                                                                                \
  }                                                                                         \
  KT_VECTOR static void backward_##SUFFIX (                                                 \
      const State *s, const void *y_data, const void *w_data, int64_t row, void *x_data)    \
  {                                                                                         \
    const kt_pool *const p = &s->pool;                                                      \
    const int32_t last     = p->w.n - 1;                                                    \
    const int64_t step     = p->w.stride[last];                                             \
    kt_pool_walk walk;                                                                      \
                                                                                            \
    for (bool more = kt_pool_first (p, row, &walk); more;                                   \
         more      = kt_pool_next (p, &walk))                                               \
      for (int64_t j = 0; j < p->w.kernel[last]; j++)                                  \
        {                                                                              \
               const int64_t q = p->range[j].first, n = p->range[j].end - q;                \
               if (n <= 0)                                                                  \
            continue;                                                                  \
          const T w  = ((const T *) w_data)[walk.cell + j];                            \
               T *const x = (T *) x_data + walk.offset + q * step + j * p->w.dilation[last] \
                            - p->w.begin[last];                                             \
               if (step == 1)                                                               \
            back_##SUFFIX ((const T *) y_data + q, 1, w, x, n);                        \
          else                                                                         \
            back_##SUFFIX ((const T *) y_data + q, step, w, x, n);                     \
        }                                                                              \
  }                                                                                         \
  KT_VECTOR static void weights_##SUFFIX (const State *s, const void *x_data,               \
                                          const void *y_data, int64_t row, void *lanes)     \
  {                                                                                         \
    const kt_pool *const p = &s->pool;                                                      \
    const int32_t last     = p->w.n - 1;                                                    \
    const int64_t step     = p->w.stride[last];                                             \
    kt_pool_walk walk;                                                                      \
                                                                                            \
    for (bool more = kt_pool_first (p, row, &walk); more;                                   \
         more      = kt_pool_next (p, &walk))                                               \
      for (int64_t j = 0; j < p->w.kernel[last]; j++)                                  \
        {                                                                              \
               const int64_t q = p->range[j].first, n = p->range[j].end - q;                \
               if (n <= 0)                                                                  \
            continue;                                                                  \
          const T *const x = (const T *) x_data + walk.offset + q * step               \
                                  + j * p->w.dilation[last] - p->w.begin[last];             \
               T *const lane = (T *) lanes + (walk.cell + j) * LANES;                       \
               if (step == 1)                                                               \
            dot_##SUFFIX (x, 1, (const T *) y_data + q, n, lane);                      \
          else                                                                         \
            dot_##SUFFIX (x, step, (const T *) y_data + q, n, lane);                   \
        }                                                                              \
  }                                                                                         \
  static void join_##SUFFIX (T *lanes, int64_t cells, T *out)                               \
  {                                                                                         \
    for (int64_t k = 0; k < cells; k++)                                                     \
      {                                                                                     \
        T *const lane = lanes + k * LANES;                                                  \
        for (int half = LANES / 2; half > 0; half /= 2)                                     \
          for (int l = 0; l < half; l++)                                                    \
            lane[l] += lane[l + half];                                                      \
        out[k] = lane[0];                                                                   \
      }                                                                                     \
  }                                                                                         \
  static void fill_##SUFFIX (T *y, int64_t n, T v)                                          \
  {                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                         \
      y[i] = v;                                                                             \
  }

DEPTHWISE (f32, float)
DEPTHWISE (f64, double)

static int64_t
aligned (int64_t n)
{
  return (n + 63) / 64 * 64;
}

kt_status
kt_depthwise_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c, void **state)
{
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s               = *state;
  s->conv         = *c;
  s->pool.w       = c->w;
  s->pool.dims[0] = c->batch;
  s->pool.dims[1] = c->group;
  s->half         = c->dtype == KT_F16 || c->dtype == KT_BF16;
  s->element      = (int64_t) kt_size_of (c->dtype);
  s->size         = c->dtype == KT_F64 ? 8 : 4;
  s->cells        = kt_count (c->w.kernel, c->w.n);
  s->has_bias
      = (c->out == KT_CONV_SMALL || c->spread) && kt_in_type (host, prep, 2).kind != 0;
  KT_TRY (kt_pool_plan (host, prep, &s->pool, false));
  s->end = s->pool.width;
  for (int64_t j = 0; s->pool.range && j < c->w.kernel[c->w.n - 1]; j++)
    {
      const kt_pool_range r = s->pool.range[j];
      s->first              = r.first > s->first ? r.first : s->first;
      s->end                = r.end < s->end ? r.end : s->end;
    }
  s->first = s->first < s->end ? s->first : s->end;

  const int64_t planes = c->batch * c->group;
  const int64_t rows   = s->pool.grain > 0 ? s->pool.grain : 1;
  const int64_t each   = s->pool.rows * c->m > 0 ? s->pool.rows * c->m : 1;
  s->pieces            = c->out == KT_CONV_SMALL   ? planes * c->m * s->pool.rows
                         : c->out == KT_CONV_LARGE ? planes
                                                   : c->group * c->m;
  s->grain = c->out == KT_CONV_SMALL ? rows : rows / each > 0 ? rows / each : 1;
  if (s->half && c->out == KT_CONV_SMALL) /* a plane is made float once per piece */
    s->grain = s->pool.rows > s->grain ? s->pool.rows : s->grain;
  s->small_at = s->half ? aligned (s->pool.area * s->size) : 0;
  s->sums_at  = s->small_at + (s->half ? aligned (s->pool.places * s->size) : 0);
  return host->want_workspace (
      prep, (size_t) (s->sums_at + aligned (s->cells * (LANES + 1) * s->size)), 1);
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const State *s;
  _Atomic kt_status status; /* of what follows */
} Job;

/* N elements FIRST ... of input INPUT as what is computed with: there, or in SCRATCH. */
static const void *
widened (const Job *job, int32_t input, int64_t first, int64_t n, char *scratch)
{
  const char *const x = (const char *) job->run->in[input].data + first * job->s->element;

  if (!job->s->half)
    return x;
  kt_widen (job->s->conv.dtype, (const uint16_t *) (const void *) x,
            (float *) (void *) scratch, n);
  return scratch;
}

static double
number_at (const Job *job, int32_t input, int64_t i)
{
  const void *const x = job->run->in[input].data;

  switch (job->s->conv.dtype)
    {
    case KT_F32:
      return (double) ((const float *) x)[i];
    case KT_F64:
      return ((const double *) x)[i];
    case KT_F16:
      return (double) kt_f16_to_f32 (((const uint16_t *) x)[i]);
    default:
      return (double) kt_bf16_to_f32 (((const uint16_t *) x)[i]);
    }
}

static void
forward (Job *job, int64_t begin, int64_t end, char *scratch, int32_t worker)
{
  const State *const s   = job->s;
  const kt_pool *const p = &s->pool;
  const int64_t m        = s->conv.m;
  char *const w          = scratch + s->sums_at;
  const void *x = NULL, *weights = NULL;
  kt_status status;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t plane = i / p->rows, row = i % p->rows;
      const int64_t channel = plane % (s->conv.group * m);
      const double bias     = s->has_bias ? number_at (job, 2, channel) : 0;
      void *const out       = (char *) job->run->out[0].data + i * p->width * s->element;
      void *const y         = s->half ? scratch + s->small_at : out;
      if (row == 0 || !x)
        {
          x       = widened (job, 0, plane / m * p->area, p->area, scratch);
          weights = widened (job, 1, channel * s->cells, s->cells, w);
        }
      if (s->size == 4)
        {
          fill_f32 (y, p->width, (float) bias);
          forward_f32 (s, x, weights, row, y);
        }
      else
        {
          fill_f64 (y, p->width, bias);
          forward_f64 (s, x, weights, row, y);
        }
      if (s->half)
        kt_narrow (s->conv.dtype, y, out, p->width);
    }
  status = job->host->epilogue (job->run, begin * p->width, end * p->width, worker);
  if (status != KT_OK)
    atomic_store (&job->status, status);
}

static void
backward (Job *job, int64_t begin, int64_t end, char *scratch, int32_t worker)
{
  const State *const s   = job->s;
  const kt_pool *const p = &s->pool;
  const int64_t m        = s->conv.m;
  kt_status status;

  for (int64_t i = begin; i < end; i++)
    {
      const double bias = s->has_bias ? number_at (job, 2, i % s->conv.group) : 0;
      char *const out   = (char *) job->run->out[0].data + i * p->area * s->element;
      void *const x     = s->half ? scratch : out;
      if (s->size == 4)
        fill_f32 (x, p->area, (float) bias);
      else
        fill_f64 (x, p->area, bias);
      for (int64_t k = 0; k < m; k++)
        {
          const char *const y = widened (job, 0, (i * m + k) * p->places, p->places,
                                         scratch + s->small_at);
          const void *const w = widened (job, 1, (i % s->conv.group * m + k) * s->cells,
                                         s->cells, scratch + s->sums_at);
          for (int64_t row = 0; row < p->rows; row++)
            if (s->size == 4)
              backward_f32 (s, y + row * p->width * 4, w, row, x);
            else
              backward_f64 (s, y + row * p->width * 8, w, row, x);
        }
      if (s->half)
        kt_narrow (s->conv.dtype, x, (uint16_t *) (void *) out, p->area);
    }
  status = job->host->epilogue (job->run, begin * p->area, end * p->area, worker);
  if (status != KT_OK)
    atomic_store (&job->status, status);
}

static void
weights (Job *job, int64_t begin, int64_t end, char *scratch, int32_t worker)
{
  const State *const s   = job->s;
  const kt_pool *const p = &s->pool;
  const int64_t m = s->conv.m, channels = s->conv.group * m;
  char *const lanes = scratch + s->sums_at;
  kt_status status;

  for (int64_t i = begin; i < end; i++)
    {
      char *const out = (char *) job->run->out[0].data + i * s->cells * s->element;
      char *const sum = lanes + s->cells * LANES * s->size;
      double bias     = 0;
      memset (lanes, 0, (size_t) (s->cells * LANES * s->size));
      for (int64_t image = 0; image < s->conv.batch; image++)
        {
          const char *const x = widened (
              job, 0, (image * s->conv.group + i / m) * p->area, p->area, scratch);
          const char *const y = widened (job, 1, (image * channels + i) * p->places,
                                         p->places, scratch + s->small_at);
          for (int64_t row = 0; row < p->rows; row++)
            if (s->size == 4)
              weights_f32 (s, x, y + row * p->width * 4, row, lanes);
            else
              weights_f64 (s, x, y + row * p->width * 8, row, lanes);
          bias += s->size == 4
                      ? (double) kt_sum_f32 ((const float *) (const void *) y, p->places)
                      : kt_sum_f64 ((const double *) (const void *) y, p->places);
        }
      if (s->size == 4)
        join_f32 ((float *) (void *) lanes, s->cells,
                  (float *) (void *) (s->half ? sum : out));
      else
        join_f64 ((double *) (void *) lanes, s->cells, (double *) (void *) out);
      if (s->half)
        kt_narrow (s->conv.dtype, (const float *) (const void *) sum,
                   (uint16_t *) (void *) out, s->cells);
      if (job->run->n_out > 1 && job->run->out[1].device_type)
        {
          const float narrow = (float) bias;
          void *const to     = (char *) job->run->out[1].data + i * s->element;
          if (s->half)
            kt_narrow (s->conv.dtype, &narrow, to, 1);
          else if (s->size == 4)
            memcpy (to, &narrow, sizeof narrow);
          else
            memcpy (to, &bias, sizeof bias);
        }
    }
  status = job->host->epilogue (job->run, begin * s->cells, end * s->cells, worker);
  if (status != KT_OK)
    atomic_store (&job->status, status);
}

static void
compute_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Job *const job      = arg;
  char *const scratch = job->host->workspace (job->run, worker, NULL);

  if (job->s->conv.out == KT_CONV_SMALL)
    forward (job, begin, end, scratch, worker);
  else if (job->s->conv.out == KT_CONV_LARGE)
    backward (job, begin, end, scratch, worker);
  else
    weights (job, begin, end, scratch, worker);
}

kt_status
kt_depthwise_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  Job job              = { .host = host, .run = run, .s = s };

  if (s->pieces > s->grain)
    KT_TRY (host->parallel_for (run, s->pieces, s->grain, compute_pieces, &job));
  else if (s->pieces > 0)
    compute_pieces (&job, 0, s->pieces, 0);
  return atomic_load (&job.status);
}
