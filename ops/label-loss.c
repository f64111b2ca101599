/* SPDX-License-Identifier: Apache-2.0
 *
 * label-loss.c: loss_i = -q_i ln p_i[label_i], added up in double in the order of the samples:
 * those of a group first, then the groups pairwise.
 */
#include "label-loss.h"
#include "elementwise.h"
#include "rules.h"
#include "sum.h"
#include <stdatomic.h>

#define GRAIN 16384 /* scores in a piece of work */

typedef struct
{
  kt_labels l;
  bool soft;
  int64_t batch, blocks,
      groups; /* blocks: groups per batch entry, where scores are apart */
} State;

typedef struct
{
  const kt_run *run;
  const State *state;
  void *log_prob;
  double *loss, *weight; /* per group */
  _Atomic int64_t refused;
} Work;

/* For N samples: m = max x, log = ln sum e^(x - m), log_prob = (x - m) - log. Either one
 * sample's scores side by side (row), or N samples side by side (columns). */
#define LOG_SUM(SUFFIX, T)                                                               \
  KT_VECTOR static void row_##SUFFIX (const T *x, int64_t length, T *log_prob, T *m_out, \
                                      T *log_out)                                        \
  {                                                                                      \
    T m        = x[0], e[KT_BLOCK];                                                      \
    double sum = 0;                                                                      \
                                                                                         \
    for (int64_t i = 1; i < length; i++)                                                 \
      m = kt_max (m, x[i]);                                                              \
    for (int64_t first = 0, k; first < length; first += k)                               \
      {                                                                                  \
        k = length - first < KT_BLOCK ? length - first : KT_BLOCK;                       \
        for (int64_t i = 0; i < k; i++)                                                  \
          e[i] = kt_exp (x[first + i] - m);                                              \
        sum += (double) kt_sum_##SUFFIX (e, k);                                          \
      }                                                                                  \
    const T log = kt_log ((T) sum);                                                      \
    for (int64_t i = 0; log_prob && i < length; i++)                                     \
      log_prob[i] = KT_LOG_PROB (x[i], m, log);                                          \
    *m_out   = m;                                                                        \
    *log_out = log;                                                                      \
  }                                                                                      \
  KT_VECTOR static void columns_##SUFFIX (const T *x, int64_t length, int64_t step,      \
                                          int64_t n, T *log_prob, T *m, T *log)          \
  {                                                                                      \
    for (int64_t j = 0; j < n; j++)                                                      \
      {                                                                                  \
        m[j]   = x[j];                                                                   \
        log[j] = 0;                                                                      \
      }                                                                                  \
    for (int64_t i = 1; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        m[j] = kt_max (m[j], x[i * step + j]);                                           \
    for (int64_t i = 0; i < length; i++)                                                 \
      for (int64_t j = 0; j < n; j++)                                                    \
        log[j] += kt_exp (x[i * step + j] - m[j]);                                       \
    for (int64_t j = 0; j < n; j++)                                                      \
      log[j] = kt_log (log[j]);                                                          \
    for (int64_t i = 0; log_prob && i < length; i++)                                     \
      for (int64_t j = 0; j < n; j++)                                                    \
        log_prob[i * step + j] = KT_LOG_PROB (x[i * step + j], m[j], log[j]);            \
  }

/* Samples SAMPLE .. SAMPLE + N - 1, whose scores begin at BASE. */
#define SAMPLES(SUFFIX, T)                                                               \
  static void samples_##SUFFIX (Work *work, int64_t group, int64_t sample, int64_t n,    \
                                int64_t base)                                            \
  {                                                                                      \
    const State *const s     = work->state;                                              \
    const kt_labels *const l = &s->l;                                                    \
    const kt_run *const run  = work->run;                                                \
    const T *const x         = (const T *) run->in[0].data + base;                       \
    const T *const weights   = l->has_weights ? run->in[2].data : NULL;                  \
    T *const log_prob        = work->log_prob ? (T *) work->log_prob + base : NULL;      \
    T *const each            = l->reduction == KT_EACH ? run->out[0].data : NULL;        \
    const int64_t step       = l->inner == 1 ? l->classes : 1;                           \
    T m[KT_LABEL_GROUP] = { 0 }, log[KT_LABEL_GROUP] = { 0 };                            \
    double loss = 0, total = 0;                                                          \
                                                                                         \
    if (s->soft && l->inner > 1)                                                         \
      columns_##SUFFIX (x, l->classes, l->inner, n, log_prob, m, log);                   \
    for (int64_t j = 0; s->soft && l->inner == 1 && j < n; j++)                          \
      row_##SUFFIX (x + j * step, l->classes, log_prob ? log_prob + j * step : NULL,     \
                    &m[j], &log[j]);                                                     \
    for (int64_t j = 0; j < n; j++)                                                      \
      {                                                                                  \
        const int64_t label = kt_label (l, run->in[1].data, sample + j);                 \
        T e                 = 0;                                                         \
        if (label == -2)                                                                 \
          refuse (work, sample + j);                                                     \
        else if (label >= 0)                                                             \
          {                                                                              \
            const int64_t at = j * step + label * l->inner;                              \
            const T q        = weights ? weights[label] : 1;                             \
            const T p = log_prob ? log_prob[at] : KT_LOG_PROB (x[at], m[j], log[j]);     \
            e         = KT_LABEL_LOSS (p, q);                                            \
            total += (double) q;                                                         \
          }                                                                              \
        loss += (double) e;                                                              \
        if (each)                                                                        \
          each[sample + j] = e;                                                          \
      }                                                                                  \
    work->loss[group]   = loss;                                                          \
    work->weight[group] = total;                                                         \
  }

/* Keeps the smallest refused sample, whichever thread finds it. */
static void
refuse (Work *work, int64_t sample)
{
  int64_t seen = atomic_load (&work->refused);

  while ((seen < 0 || sample < seen)
         && !atomic_compare_exchange_weak (&work->refused, &seen, sample))
    ;
}

LOG_SUM (f32, float)
LOG_SUM (f64, double)
SAMPLES (f32, float)
SAMPLES (f64, double)

kt_status
kt_label_loss_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  KT_TRY (host->keep (prep, sizeof (State), state));

  State *const s = *state;
  KT_TRY (kt_labels_read (host, prep, 0, &s->l));
  s->soft   = user != NULL;
  s->batch  = s->l.inner ? s->l.count / s->l.inner : 0;
  s->blocks = (s->l.inner + KT_LABEL_GROUP - 1) / KT_LABEL_GROUP;
  s->groups = s->l.inner == 1 ? (s->l.count + KT_LABEL_GROUP - 1) / KT_LABEL_GROUP
                              : s->batch * s->blocks;
  if (s->groups > 0 && s->l.classes == 0)
    return kt_fail (host, prep, KT_E_SHAPE, "there are labels, but no classes");
  return host->want_workspace (prep, (size_t) (s->groups + 1) * 2 * sizeof (double), 0);
}

static void
groups_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work         = arg;
  const State *const s     = work->state;
  const kt_labels *const l = &s->l;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    {
      const bool rows     = l->inner == 1;
      const int64_t entry = rows ? 0 : i / s->blocks;
      const int64_t first = rows ? i * KT_LABEL_GROUP : i % s->blocks * KT_LABEL_GROUP;
      const int64_t rest  = (rows ? l->count : l->inner) - first;
      const int64_t n     = rest < KT_LABEL_GROUP ? rest : KT_LABEL_GROUP;
      const int64_t base
          = rows ? first * l->classes : entry * l->classes * l->inner + first;
      const int64_t sample = entry * l->inner + first;
      if (l->wide)
        samples_f64 (work, i, sample, n, base);
      else
        samples_f32 (work, i, sample, n, base);
    }
}

kt_status
kt_label_loss_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s     = state;
  const kt_labels *const l = &s->l;
  double *const sums       = host->workspace (run, -1, NULL);
  const int64_t grain      = 1 + GRAIN / (KT_LABEL_GROUP * (l->classes + 1));
  Work work                = { run, s, NULL, sums, sums + s->groups + 1, -1 };

  if (run->n_out > 1 && run->out[1].device_type != 0)
    work.log_prob = run->out[1].data;
  if (s->groups > grain)
    KT_TRY (host->parallel_for (run, s->groups, grain, groups_piece, &work));
  else
    groups_piece (&work, 0, s->groups, 0);
  if (work.refused >= 0)
    return kt_labels_refuse (host, run, l, 1, work.refused);
  if (l->reduction == KT_EACH)
    return KT_OK;

  double e = kt_sum_f64 (work.loss, s->groups);
  if (l->reduction == KT_MEAN)
    e /= kt_sum_f64 (work.weight, s->groups);
  if (l->wide)
    *(double *) run->out[0].data = e;
  else
    *(float *) run->out[0].data = (float) e;
  return KT_OK;
}
