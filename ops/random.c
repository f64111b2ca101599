/* SPDX-License-Identifier: Apache-2.0
 *
 * random.c: what the operators that fill a tensor with random numbers share.
 */
#include "random.h"
#include "half.h"
#include "shape.h"

#define PIECE 4096 /* elements that a thread draws at a time */
#define BATCH 256  /* elements drawn into the cache before they are rounded */

kt_status
kt_generator_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const int64_t dtype = kt_attr_int (host, infer, "dtype", KT_F32);
  size_t n;
  const int64_t *shape = kt_attr_ints (host, infer, "shape", &n);

  (void) user;
  if (dtype < 0 || dtype > KT_I2 || !kt_is_float ((int32_t) dtype))
    return kt_fail (host, infer, KT_E_ATTR, "dtype %lld is no float type",
                    (long long) dtype);
  if (n > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_ATTR, "shape has %zu dims, at most %d are served",
                    n, KT_MAX_RANK);
  for (size_t d = 0; d < n; d++)
    if (shape[d] < 0)
      return kt_fail (host, infer, KT_E_ATTR, "shape has %lld at %zu",
                      (long long) shape[d], d);
  return kt_set_out (host, infer, 0, (int32_t) dtype, shape, (int32_t) n);
}

typedef struct
{
  const kt_generator *generator;
  int32_t dtype;
  int64_t count;
  double a, b;
} State;

kt_status
kt_generator_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s            = *state;
  s->generator = user;
  s->dtype     = y.dtype;
  s->count     = kt_count (y.dims, y.ndim);
  s->a         = kt_attr_float (host, prep, s->generator->a, 0);
  s->b         = kt_attr_float (host, prep, s->generator->b, 0);
  return KT_OK;
}

typedef struct
{
  const State *s;
  kt_stream stream;
  void *y;
} Job;

static void
store (int32_t dtype, const double *v, int64_t n, void *y, int64_t first)
{
  switch (dtype)
    {
    case KT_F32:
      for (int64_t i = 0; i < n; i++)
        ((float *) y)[first + i] = (float) v[i];
      break;
    case KT_F64:
      memcpy ((double *) y + first, v, (size_t) n * sizeof *v);
      break;
    case KT_F16:
      for (int64_t i = 0; i < n; i++)
        ((uint16_t *) y)[first + i] = kt_f64_to_f16 (v[i]);
      break;
    default:
      for (int64_t i = 0; i < n; i++)
        ((uint16_t *) y)[first + i] = kt_f64_to_bf16 (v[i]);
    }
}

static void
draw_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job      = arg;
  const State *s      = job->s;
  kt_draw *const draw = s->dtype == KT_F64 ? s->generator->wide : s->generator->narrow;
  double v[BATCH];

  (void) worker;
  for (int64_t first = begin; first < end; first += BATCH)
    {
      const int64_t n = end - first < BATCH ? end - first : BATCH;
      draw (&job->stream, first, n, s->a, s->b, v);
      store (s->dtype, v, n, job->y, first);
    }
}

kt_status
kt_generator_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;
  Job job        = { .s = s, .y = run->out[0].data };

  KT_TRY (host->random (run, job.stream.key, job.stream.step));
  if (s->count <= PIECE)
    {
      draw_piece (&job, 0, s->count, 0);
      return KT_OK;
    }
  return host->parallel_for (run, s->count, PIECE, draw_piece, &job);
}
