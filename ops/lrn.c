/* SPDX-License-Identifier: Apache-2.0
 *
 * lrn.c: what lrn.h declares.
 */
#include "lrn.h"
#include "elementwise.h"
#include "half.h"
#include <math.h>

#define WIDTH 256   /* positions of a block */
#define PIECE 16384 /* elements that a thread takes at a time */

kt_status
kt_lrn_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x    = kt_in_type (host, infer, 0);
  const int64_t size = kt_attr_int (host, infer, "size", 1);

  (void) user;
  if (size < 1)
    return kt_fail (host, infer, KT_E_ATTR, "size is %lld, must be positive",
                    (long long) size);
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim >= 0 && x.ndim < 2)
    return kt_fail (host, infer, KT_E_SHAPE, "X has rank %d, needs samples and channels",
                    (int) x.ndim);
  return host->out_type (infer, 0, &x);
}

kt_status
kt_lrn_prepare (const kt_host *host, kt_prep *prep, bool gradient, kt_lrn *s)
{
  const kt_type x    = kt_in_type (host, prep, 0);
  const int64_t size = kt_attr_int (host, prep, "size", 1);

  s->dtype    = x.dtype;
  s->n        = x.dims[0];
  s->channels = x.dims[1];
  s->inner    = kt_count (x.dims + 2, x.ndim - 2);
  s->lead     = (size - 1) / 2;
  s->trail    = size - 1 - s->lead;
  s->bias     = kt_attr_float (host, prep, "bias", 1);
  s->alpha    = kt_attr_float (host, prep, "alpha", 1e-4) / (double) size;
  s->beta     = kt_attr_float (host, prep, "beta", 0.75);
  s->width    = s->inner < WIDTH ? s->inner : WIDTH;
  s->blocks   = s->width ? (s->inner + s->width - 1) / s->width : 0;
  if (!gradient || kt_count (x.dims, x.ndim) == 0)
    return KT_OK;
  return host->want_workspace (
      prep, 2 * (size_t) (s->channels * s->width) * (s->dtype == KT_F64 ? 8 : 4), 1);
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_lrn *s;
  const void *x, *dy;
  void *y;
} Job;

/* s^-beta; without logarithms for the common exponents. Where S may be negative, as C has it. */
#define LOOPS(SUFFIX, T, POW, SQRT)                                                      \
  KT_VECTOR static void add_squares_##SUFFIX (const T *x, int64_t n, T *sum)             \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      sum[i] += x[i] * x[i];                                                             \
  }                                                                                      \
  KT_VECTOR static void power_##SUFFIX (const kt_lrn *s, int64_t n, T *sum)              \
  {                                                                                      \
    const T bias = (T) s->bias, alpha = (T) s->alpha, beta = (T) s->beta;                \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      sum[i] = bias + alpha * sum[i];                                                    \
    if (s->bias < 0 || s->alpha < 0)                                                     \
      for (int64_t i = 0; i < n; i++)                                                    \
        sum[i] = POW (sum[i], -beta);                                                    \
    else if (s->beta == 0.75)                                                            \
      for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                \
          const T root = SQRT (sum[i]);                                                  \
          sum[i]       = 1 / (root * SQRT (root));                                       \
        }                                                                                \
    else                                                                                 \
      for (int64_t i = 0; i < n; i++)                                                    \
        sum[i] = kt_exp (-beta * kt_log (sum[i]));                                       \
  }                                                                                      \
  KT_VECTOR static void times_##SUFFIX (const T *a, const T *b, int64_t n, T *y)         \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = a[i] * b[i];                                                                \
  }                                                                                      \
  /* dy x S^(-beta - 1), from P = S^-beta and S itself. */                               \
  KT_VECTOR static void terms_##SUFFIX (const T *x, const T *dy, const T *p,             \
                                        const T *sum, T bias, T alpha, int64_t n, T *y)  \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = dy[i] * x[i] * p[i] / (bias + alpha * sum[i]);                              \
  }                                                                                      \
  KT_VECTOR static void add_##SUFFIX (const T *x, int64_t n, T *sum)                     \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      sum[i] += x[i];                                                                    \
  }                                                                                      \
  KT_VECTOR static void combine_##SUFFIX (const T *x, const T *dy, const T *p,           \
                                          const T *sum, T factor, int64_t n, T *y)       \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = dy[i] * p[i] - factor * x[i] * sum[i];                                      \
  }                                                                                      \
  /* N elements of DATA from FIRST on; those of half types in BUFFER. */                 \
  static const T *load_##SUFFIX (const kt_lrn *s, const void *data, int64_t first,       \
                                 int64_t n, T *buffer)                                   \
  {                                                                                      \
    if (s->dtype == KT_F16 || s->dtype == KT_BF16)                                       \
      {                                                                                  \
        kt_widen (s->dtype, (const uint16_t *) data + first, (float *) buffer, n);       \
        return buffer;                                                                   \
      }                                                                                  \
    return (const T *) data + first;                                                     \
  }                                                                                      \
  static void store_##SUFFIX (const kt_lrn *s, const T *v, void *data, int64_t first,    \
                              int64_t n)                                                 \
  {                                                                                      \
    if (s->dtype == KT_F16 || s->dtype == KT_BF16)                                       \
      kt_narrow (s->dtype, (const float *) v, (uint16_t *) data + first, n);             \
    else                                                                                 \
      memcpy ((T *) data + first, v, (size_t) n * sizeof (T));                           \
  }                                                                                      \
  /* Sums of squares over the window of channel C. */                                    \
  static void squares_##SUFFIX (const Job *job, int64_t first, int64_t c, int64_t n,     \
                                T *sum)                                                  \
  {                                                                                      \
    const kt_lrn *s   = job->s;                                                          \
    const int64_t end = s->trail < s->channels - c ? c + s->trail + 1 : s->channels;     \
    T buffer[WIDTH];                                                                     \
                                                                                         \
    memset (sum, 0, (size_t) n * sizeof *sum);                                           \
    for (int64_t k = s->lead < c ? c - s->lead : 0; k < end; k++)                        \
      add_squares_##SUFFIX (load_##SUFFIX (s, job->x, first + k * s->inner, n, buffer),  \
                            n, sum);                                                     \
  }                                                                                      \
  static void forward_##SUFFIX (const Job *job, int64_t first, int64_t n)                \
  {                                                                                      \
    T sum[WIDTH], buffer[WIDTH];                                                         \
                                                                                         \
    for (int64_t c = 0; c < job->s->channels; c++)                                       \
      {                                                                                  \
        const int64_t at = first + c * job->s->inner;                                    \
        squares_##SUFFIX (job, first, c, n, sum);                                        \
        power_##SUFFIX (job->s, n, sum);                                                 \
        times_##SUFFIX (load_##SUFFIX (job->s, job->x, at, n, buffer), sum, n, sum);     \
        store_##SUFFIX (job->s, sum, job->y, at, n);                                     \
      }                                                                                  \
  }                                                                                      \
  static void backward_##SUFFIX (const Job *job, int64_t first, int64_t n, void *memory) \
  {                                                                                      \
    const kt_lrn *s = job->s;                                                            \
    T *const powers = memory, *const terms = powers + s->channels * s->width;            \
    const T factor = (T) (2 * s->alpha * s->beta);                                       \
    T sum[WIDTH], x_buffer[WIDTH], dy_buffer[WIDTH];                                     \
                                                                                         \
    for (int64_t c = 0; c < s->channels; c++)                                            \
      {                                                                                  \
        const int64_t at = first + c * s->inner;                                         \
        T *const power   = powers + c * s->width;                                        \
        squares_##SUFFIX (job, first, c, n, sum);                                        \
        memcpy (power, sum, (size_t) n * sizeof *sum);                                   \
        power_##SUFFIX (s, n, power);                                                    \
        terms_##SUFFIX (load_##SUFFIX (s, job->x, at, n, x_buffer),                      \
                        load_##SUFFIX (s, job->dy, at, n, dy_buffer), power, sum,        \
                        (T) s->bias, (T) s->alpha, n, terms + c * s->width);             \
      }                                                                                  \
    for (int64_t c = 0; c < s->channels; c++)                                            \
      {                                                                                  \
        const int64_t at  = first + c * s->inner;                                        \
        const int64_t end = s->lead < s->channels - c ? c + s->lead + 1 : s->channels;   \
        memset (sum, 0, (size_t) n * sizeof *sum);                                       \
        for (int64_t k = s->trail < c ? c - s->trail : 0; k < end; k++)                  \
          add_##SUFFIX (terms + k * s->width, n, sum);                                   \
        combine_##SUFFIX (load_##SUFFIX (s, job->x, at, n, x_buffer),                    \
                          load_##SUFFIX (s, job->dy, at, n, dy_buffer),                  \
                          powers + c * s->width, sum, factor, n, sum);                   \
        store_##SUFFIX (s, sum, job->y, at, n);                                          \
      }                                                                                  \
  }

LOOPS (f32, float, powf, sqrtf)
LOOPS (f64, double, pow, sqrt)

/* Blocks of positions, all channels of each. */
static void
run_blocks (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job  = arg;
  const kt_lrn *s = job->s;
  void *memory    = job->dy ? job->host->workspace (job->run, worker, NULL) : NULL;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t skip  = i % s->blocks * s->width;
      const int64_t first = i / s->blocks * s->channels * s->inner + skip;
      const int64_t n     = s->inner - skip < s->width ? s->inner - skip : s->width;
      if (s->dtype == KT_F64 && job->dy)
        backward_f64 (job, first, n, memory);
      else if (s->dtype == KT_F64)
        forward_f64 (job, first, n);
      else if (job->dy)
        backward_f32 (job, first, n, memory);
      else
        forward_f32 (job, first, n);
    }
}

kt_status
kt_lrn_run (const kt_host *host, kt_run *run, const kt_lrn *s, const void *x,
            const void *dy, void *y)
{
  Job job             = { host, run, s, x, dy, y };
  const int64_t n     = s->n * s->blocks;
  const int64_t each  = s->channels * s->width > 0 ? s->channels * s->width : 1;
  const int64_t grain = each < PIECE ? PIECE / each : 1;

  if (n == 0 || s->channels == 0)
    return KT_OK;
  if (n > grain)
    return host->parallel_for (run, n, grain, run_blocks, &job);
  run_blocks (&job, 0, n, 0);
  return KT_OK;
}
