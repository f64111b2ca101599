/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SoftmaxCrossEntropyGrad: dx = (e^log_prob - onehot (labels)) q dE, the gradient of
 * SoftmaxCrossEntropyLoss for the gradient dE of its loss; q is the label's weight, 0 if it is
 * ignored, over the sum of q for a mean.
 */
#include "elementwise.h"
#include "emit.h"
#include "labels.h"
#include "rules.h"

#define GROUP 64    /* samples that are worked on together */
#define GRAIN 16384 /* scores in a piece of work */

typedef struct
{
  kt_labels l;
  int64_t blocks, groups; /* blocks: groups per batch entry, where scores are apart */
} State;

typedef struct
{
  const kt_run *run;
  const State *state;
  double scale; /* 1, or 1 / sum q */
} Work;

/* Samples SAMPLE .. SAMPLE + N - 1, whose scores begin at BASE; their labels are classes. */
#define GRADIENT(SUFFIX, T)                                                              \
  KT_VECTOR static void spread_##SUFFIX (const T *log_prob, T *dx, int64_t outer,        \
                                         int64_t outer_step, int64_t n, const T *factor, \
                                         int64_t factor_step)                            \
  {                                                                                      \
    for (int64_t i = 0; i < outer; i++)                                                  \
      if (factor_step == 0)                                                              \
        for (int64_t j = 0; j < n; j++)                                                  \
          dx[i * outer_step + j]                                                         \
              = KT_LABEL_SLOPE (log_prob[i * outer_step + j], factor[i]);                \
      else                                                                               \
        for (int64_t j = 0; j < n; j++)                                                  \
          dx[i * outer_step + j]                                                         \
              = KT_LABEL_SLOPE (log_prob[i * outer_step + j], factor[j]);                \
  }                                                                                      \
  static void samples_##SUFFIX (const Work *work, int64_t sample, int64_t n,             \
                                int64_t base)                                            \
  {                                                                                      \
    const kt_labels *const l = &work->state->l;                                          \
    const kt_run *const run  = work->run;                                                \
    const T *const de        = run->in[0].data;                                          \
    const T *const weights   = l->has_weights ? run->in[3].data : NULL;                  \
    T *const dx              = (T *) run->out[0].data + base;                            \
    const int64_t step       = l->inner == 1 ? l->classes : 1;                           \
    T factor[GROUP];                                                                     \
                                                                                         \
    for (int64_t j = 0; j < n; j++)                                                      \
      {                                                                                  \
        const int64_t label = kt_label (l, run->in[2].data, sample + j);                 \
        const T q           = label < 0 || !weights ? 1 : weights[label];                \
        factor[j]                                                                        \
            = label < 0                                                                  \
                  ? 0                                                                    \
                  : KT_LABEL_FACTOR (T, q, work->scale,                                  \
                                     de[l->reduction == KT_EACH ? sample + j : 0]);      \
      }                                                                                  \
    if (l->inner == 1)                                                                   \
      spread_##SUFFIX ((const T *) run->in[1].data + base, dx, n, l->classes,            \
                       l->classes, factor, 0);                                           \
    else                                                                                 \
      spread_##SUFFIX ((const T *) run->in[1].data + base, dx, l->classes, l->inner, n,  \
                       factor, 1);                                                       \
    for (int64_t j = 0; j < n; j++)                                                      \
      {                                                                                  \
        const int64_t label = kt_label (l, run->in[2].data, sample + j);                 \
        if (label >= 0)                                                                  \
          dx[j * step + label * l->inner] -= factor[j];                                  \
      }                                                                                  \
  }

GRADIENT (f32, float)
GRADIENT (f64, double)

static kt_status
cross_entropy_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s     = *state;
  kt_labels *const l = &s->l;
  KT_TRY (kt_labels_read (host, prep, 1, l));
  s->blocks = (l->inner + GROUP - 1) / GROUP;
  s->groups = l->inner == 1   ? (l->count + GROUP - 1) / GROUP
              : l->inner == 0 ? 0
                              : l->count / l->inner * s->blocks;
  return KT_OK;
}

static void
groups_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *const work   = arg;
  const State *const s     = work->state;
  const kt_labels *const l = &s->l;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      const bool rows     = l->inner == 1;
      const int64_t entry = rows ? 0 : i / s->blocks;
      const int64_t first = rows ? i * GROUP : i % s->blocks * GROUP;
      const int64_t rest  = (rows ? l->count : l->inner) - first;
      const int64_t n     = rest < GROUP ? rest : GROUP;
      const int64_t base
          = rows ? first * l->classes : entry * l->classes * l->inner + first;
      const int64_t sample = entry * l->inner + first;
      if (l->wide)
        samples_f64 (work, sample, n, base);
      else
        samples_f32 (work, sample, n, base);
    }
}

/* Checks the labels; *sum becomes the sum of their weights. */
static kt_status
sum_weights (const kt_host *host, const kt_run *run, const kt_labels *l, double *sum)
{
  double lane[KT_LABEL_LANES] = { 0 };

  for (int64_t i = 0; i < l->count; i++)
    {
      const int64_t label = kt_label (l, run->in[2].data, i);
      if (label == -2)
        return kt_labels_refuse (host, run, l, 2, i);
      if (label >= 0)
        lane[i % KT_LABEL_LANES]
            += !l->has_weights ? 1
               : l->wide       ? ((const double *) run->in[3].data)[label]
                               : (double) ((const float *) run->in[3].data)[label];
    }
  for (int half = KT_LABEL_LANES / 2; half > 0; half /= 2)
    for (int k = 0; k < half; k++)
      lane[k] += lane[k + half];
  *sum = lane[0];
  return KT_OK;
}

static kt_status
cross_entropy_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;
  const int64_t grain  = 1 + GRAIN / (GROUP * (s->l.classes + 1));
  Work work            = { run, s, 1 };
  double sum;

  KT_TRY (sum_weights (host, run, &s->l, &sum));
  if (s->l.reduction == KT_MEAN)
    work.scale = 1 / sum;
  if (s->groups > grain)
    return host->parallel_for (run, s->groups, grain, groups_piece, &work);
  groups_piece (&work, 0, s->groups, 0);
  return KT_OK;
}

static kt_status
cross_entropy_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type de = kt_in_type (host, infer, 0), x = kt_in_type (host, infer, 1);
  const kt_type t = kt_in_type (host, infer, 2);
  const bool each = kt_attr_is (host, infer, "reduction", "none");

  (void) user;
  KT_TRY (kt_labels_check (host, infer, 1));
  if (de.kind && de.ndim >= 0 && !each && de.ndim > 0)
    return kt_fail (host, infer, KT_E_SHAPE, "dE must be a scalar, it has rank %d",
                    (int) de.ndim);
  if (each && de.kind && t.kind && de.ndim >= 0 && t.ndim >= 0 && de.ndim != t.ndim)
    return kt_fail (host, infer, KT_E_SHAPE, "dE has rank %d, the labels %d",
                    (int) de.ndim, (int) t.ndim);
  for (int32_t d = 0; each && de.kind && t.kind && t.ndim >= 0 && d < de.ndim; d++)
    if (kt_dim_known (de.dims[d]) && kt_dim_known (t.dims[d]) && de.dims[d] != t.dims[d])
      return kt_fail (host, infer, KT_E_SHAPE, "dim %d of dE is %lld, of the labels %lld",
                      (int) d, (long long) de.dims[d], (long long) t.dims[d]);
  return x.kind ? host->out_type (infer, 0, &x) : KT_OK;
}

static kt_status
cross_entropy_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 1), p = kt_exp_of (host, g, x);
  const kt_hot hot    = kt_labels_hot (host, g, 1);
  const kt_value seed = kt_labels_seed (host, g, hot.weight, host->g_in (g, 0));
  const kt_value less = kt_sub (host, g, p, kt_scalar_like (host, g, x, 1));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, kt_where (host, g, hot.hot, less, p), seed));
}

static const kt_kernel cross_entropy_grad_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS, .n_alias = 1,
          .alias = &(const kt_alias){ 1, 0, 0, 0 }, .prepare = cross_entropy_grad_prepare,
          .run = cross_entropy_grad_run },
        { 0 } };

const kt_operator kette_op_softmax_cross_entropy_grad = {
  .op     = { KT_OP ("SoftmaxCrossEntropyGrad", 1), .flags = KT_OP_PURE,
              .infer = cross_entropy_grad_infer, .body = cross_entropy_grad_body },
  .kernel = cross_entropy_grad_kernel,
};
