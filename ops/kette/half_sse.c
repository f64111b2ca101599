/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.HalfSSE: E = 1/B sum_b 1/2 sum_k (y - t)^2, B = dim 0 of y: the squared error of the
 * lecture, averaged over the batch. Summed in double in an order that the shape fixes.
 */
#include "elementwise.h"
#include "emit.h"
#include "loss.h"
#include "rules.h"

#define BLOCK 4096 /* elements that are summed by one loop */
#define LANES 16   /* partial sums of that loop */

typedef struct
{
  int64_t n, batch;
  bool wide; /* double */
} State;

typedef struct
{
  const kt_run *run;
  const State *state;
  double *sums;
} Work;

/* The sum of (y - t)^2 in LANES partial sums, joined as a tree. */
#define HALF_SSE_SUM(SUFFIX, T)                                                          \
  KT_VECTOR static double sum_##SUFFIX (const void *y_data, const void *t_data,          \
                                        int64_t n)                                       \
  {                                                                                      \
    const T *const y = y_data, *const t = t_data;                                        \
    double sum[LANES] = { 0 };                                                           \
    int64_t i         = 0;                                                               \
                                                                                         \
    for (; i + LANES <= n; i += LANES)                                                   \
      for (int lane = 0; lane < LANES; lane++)                                           \
        {                                                                                \
          sum[lane] += kt_half_sse_term ((double) y[i + lane], (double) t[i + lane]);    \
        }                                                                                \
    for (int lane = 0; i + lane < n; lane++)                                             \
      {                                                                                  \
        sum[lane] += kt_half_sse_term ((double) y[i + lane], (double) t[i + lane]);      \
      }                                                                                  \
    for (int half = LANES / 2; half > 0; half /= 2)                                      \
      for (int lane = 0; lane < half; lane++)                                            \
        sum[lane] += sum[lane + half];                                                   \
    return sum[0];                                                                       \
  }

HALF_SSE_SUM (f32, float)
HALF_SSE_SUM (f64, double)

static kt_status
half_sse_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_in_type (host, prep, 0);

  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  s->wide        = y.dtype == KT_F64;
  kt_loss_sizes (host, prep, 0, &s->n, &s->batch);
  return host->want_workspace (prep, (size_t) (s->n / BLOCK + 1) * sizeof (double), 0);
}

static void
sum_blocks (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work = arg;
  const State *const s   = work->state;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      const int64_t first = i * BLOCK, n = s->n - first < BLOCK ? s->n - first : BLOCK;
      const char *const y = work->run->in[0].data, *const t = work->run->in[1].data;
      work->sums[i] = s->wide ? sum_f64 (y + first * 8, t + first * 8, n)
                              : sum_f32 (y + first * 4, t + first * 4, n);
    }
}

static kt_status
half_sse_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  const int64_t n      = (s->n + BLOCK - 1) / BLOCK;
  double *const sums   = host->workspace (run, -1, NULL);
  Work work            = { run, s, sums };

  sums[0] = 0;
  if (n > 8)
    KT_TRY (host->parallel_for (run, n, 8, sum_blocks, &work));
  else
    sum_blocks (&work, 0, n, 0);
  for (int64_t step = 1; step < n; step *= 2)
    for (int64_t i = 0; i + step < n; i += 2 * step)
      sums[i] += sums[i + step];

  const double e = kt_half_sse_end (sums[0], s->batch);
  if (s->wide)
    *(double *) run->out[0].data = e;
  else
    *(float *) run->out[0].data = (float) e;
  return KT_OK;
}

static kt_status
half_sse_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type y = kt_in_type (host, infer, 0);

  (void) user;
  KT_TRY (kt_same_dims (host, infer, 0, "the prediction", 1, "the target"));
  return y.kind ? kt_set_out (host, infer, 0, y.dtype, NULL, 0) : KT_OK;
}

/* dE/dy = (y - t) / B, dE/dt its opposite. */
static kt_status
half_sse_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_in (g, 0), host->g_in (g, 1) };
  const kt_value dy   = kt_own (host, g, "HalfSSEGrad", in, 3, NULL, 0);

  (void) user;
  KT_TRY (host->g_set (g, 0, dy));
  return host->g_wanted (g, 1) ? host->g_set (g, 1, kt_neg (host, g, dy)) : KT_OK;
}

static kt_status
half_sse_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value y = host->g_in (g, 0), d = kt_sub (host, g, y, host->g_in (g, 1));
  const kt_value square = kt_mul (host, g, d, d);
  const kt_attr keep    = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  const kt_value sum    = kt_node (host, g, "ReduceSum", &square, 1, &keep, 1);
  const kt_value half   = kt_mul (host, g, sum, kt_scalar_like (host, g, y, 0.5));
  const kt_value e      = kt_div (host, g, half, kt_loss_batch (host, g, y));

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "Squeeze", &e, 1, NULL, 0));
}

static const kt_kernel half_sse_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,
          .prepare = half_sse_prepare, .run = half_sse_run },
        { 0 } };

const kt_operator kette_op_half_sse = {
  .op     = { KT_OP ("HalfSSE", 1), .flags = KT_OP_PURE, .infer = half_sse_infer,
              .gradient = half_sse_gradient, .body = half_sse_body,
              .formula = "\\frac{1}{2B} \\sum ($0 - $1)^2" },
  .kernel = half_sse_kernel,
};
