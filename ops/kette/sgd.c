/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SGD: X' = X - R G, one step of gradient descent with the rate R, a scalar.
 */
#include "elementwise.h"
#include "emit.h"
#include "loss.h"
#include "rules.h"

#define GRAIN 32768 /* elements */

typedef struct
{
  int64_t n;
  bool wide; /* double */
} State;

#define SGD(SUFFIX, T)                                                                   \
  KT_VECTOR static void step_##SUFFIX (const void *rate, const void *x_data,             \
                                       const void *g_data, void *y_data, int64_t begin,  \
                                       int64_t end)                                      \
  {                                                                                      \
    const T *const x = x_data, *const g = g_data, r = *(const T *) rate;                 \
    T *const y = y_data;                                                                 \
                                                                                         \
    for (int64_t i = begin; i < end; i++)                                                \
      y[i] = KT_SGD (x[i], r, g[i]);                                                     \
  }

SGD (f32, float)
SGD (f64, double)

static kt_status
sgd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 1);

  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  s->n           = kt_count (x.dims, x.ndim);
  s->wide        = x.dtype == KT_F64;
  return KT_OK;
}

static void
step_f32_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_run *const run = arg;

  (void) worker;
  step_f32 (run->in[0].data, run->in[1].data, run->in[2].data, run->out[0].data, begin,
            end);
}

static void
step_f64_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_run *const run = arg;

  (void) worker;
  step_f64 (run->in[0].data, run->in[1].data, run->in[2].data, run->out[0].data, begin,
            end);
}

static kt_status
sgd_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  kt_body *const body  = s->wide ? step_f64_piece : step_f32_piece;

  if (s->n > GRAIN)
    return host->parallel_for (run, s->n, GRAIN, body, run);
  body (run, 0, s->n, 0);
  return KT_OK;
}

static kt_status
sgd_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
          int32_t worker)
{
  const State *const s = state;

  (void) host;
  (s->wide ? step_f64_piece : step_f32_piece) (run, begin, end, worker);
  return KT_OK;
}

static kt_status
sgd_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 1);

  (void) user;
  KT_TRY (kt_check_scalar (host, infer, 0, "the rate"));
  KT_TRY (kt_same_dims (host, infer, 1, "X", 2, "its gradient"));
  return x.kind ? host->out_type (infer, 0, &x) : KT_OK;
}

static kt_status
sgd_body (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0,
                      kt_sub (host, g, host->g_in (g, 1),
                              kt_mul (host, g, host->g_in (g, 0), host->g_in (g, 2))));
}

static const kt_kernel sgd_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS | KT_K_TILEABLE,
          .n_alias = 2, .alias = (const kt_alias[]){ { 1, 0, 0, 0 }, { 2, 0, 0, 0 } },
          .prepare = sgd_prepare, .run = sgd_run, .tile = sgd_tile },
        { 0 } };

const kt_operator kette_op_sgd = {
  .op     = { KT_OP ("SGD", 1), .flags = KT_OP_PURE, .infer = sgd_infer, .body = sgd_body,
              .formula = "$1 - $0 \\cdot $2" },
  .kernel = sgd_kernel,
};
