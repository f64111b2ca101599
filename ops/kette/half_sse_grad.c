/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.HalfSSEGrad: dy = dE (y - t) / B, the gradient of kette.HalfSSE by y for the gradient
 * dE, a scalar, of its result; B = dim 0 of y.
 */
#include "elementwise.h"
#include "emit.h"
#include "loss.h"
#include "rules.h"

#define GRAIN 32768 /* elements */

typedef struct
{
  int64_t n, batch;
  bool wide; /* double */
} State;

typedef struct
{
  const kt_run *run;
  double factor;
  bool wide;
} Work;

#define HALF_SSE_GRAD(SUFFIX, T)                                                         \
  KT_VECTOR static void scale_##SUFFIX (T f, const void *y_data, const void *t_data,     \
                                        void *dy_data, int64_t begin, int64_t end)       \
  {                                                                                      \
    const T *const y = y_data, *const t = t_data;                                        \
    T *const dy = dy_data;                                                               \
                                                                                         \
    for (int64_t i = begin; i < end; i++)                                                \
      dy[i] = KT_HALF_SSE_SLOPE (f, y[i], t[i]);                                         \
  }

HALF_SSE_GRAD (f32, float)
HALF_SSE_GRAD (f64, double)

static kt_status
half_sse_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_in_type (host, prep, 1);

  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  s->wide        = y.dtype == KT_F64;
  kt_loss_sizes (host, prep, 1, &s->n, &s->batch);
  return KT_OK;
}

static void
scale_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work  = arg;
  const kt_run *const run = work->run;

  (void) worker;
  if (work->wide)
    scale_f64 (work->factor, run->in[1].data, run->in[2].data, run->out[0].data, begin,
               end);
  else
    scale_f32 ((float) work->factor, run->in[1].data, run->in[2].data, run->out[0].data,
               begin, end);
}

static Work
work_of (const kt_run *run, const State *s)
{
  const void *const de = run->in[0].data;
  const double seed    = s->wide ? *(const double *) de : (double) *(const float *) de;

  return (Work){ run, seed / (double) s->batch, s->wide };
}

static kt_status
half_sse_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  Work work            = work_of (run, s);

  if (s->n > GRAIN)
    return host->parallel_for (run, s->n, GRAIN, scale_piece, &work);
  scale_piece (&work, 0, s->n, 0);
  return KT_OK;
}

static kt_status
half_sse_grad_tile (const kt_host *host, kt_run *run, void *state, int64_t begin,
                    int64_t end, int32_t worker)
{
  Work work = work_of (run, state);

  (void) host;
  scale_piece (&work, begin, end, worker);
  return KT_OK;
}

static kt_status
half_sse_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type y = kt_in_type (host, infer, 1);

  (void) user;
  KT_TRY (kt_check_scalar (host, infer, 0, "dE"));
  KT_TRY (kt_same_dims (host, infer, 1, "the prediction", 2, "the target"));
  return y.kind ? host->out_type (infer, 0, &y) : KT_OK;
}

static kt_status
half_sse_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value y = host->g_in (g, 1), d = kt_sub (host, g, y, host->g_in (g, 2));
  const kt_value f = kt_div (host, g, host->g_in (g, 0), kt_loss_batch (host, g, y));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, f, d));
}

static const kt_kernel half_sse_grad_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS | KT_K_TILEABLE,
          .n_alias = 2, .alias = (const kt_alias[]){ { 1, 0, 0, 0 }, { 2, 0, 0, 0 } },
          .prepare = half_sse_grad_prepare, .run = half_sse_grad_run,
          .tile = half_sse_grad_tile },
        { 0 } };

const kt_operator kette_op_half_sse_grad = {
  .op     = { KT_OP ("HalfSSEGrad", 1), .flags = KT_OP_PURE, .infer = half_sse_grad_infer,
              .body = half_sse_grad_body, .formula = "\\frac{1}{B} $0 ($1 - $2)" },
  .kernel = half_sse_grad_kernel,
};
