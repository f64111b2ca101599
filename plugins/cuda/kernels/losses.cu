/* SPDX-License-Identifier: Apache-2.0
 *
 * losses.cu: kette.HalfSSE, the losses of labels, and their gradients. Sums are made in double in
 * the order of the CPU's (ops/kette/half_sse.c, ops/label-loss.c, ops/sum.h).
 */
#include "gpu.h"
#include "rules.h"

#define LANES 16
#define BLOCK 4096

/* HalfSSE ---------------------------------------------------------------------------------- */

template <class T>
KT_GLOBAL void
half_sse_lanes (const kt_half_sse_params q)
{
  KT_SHARED double lane[KT_THREADS];
  const T *const y = (const T *) q.y, *const target = (const T *) q.t;

  for (int64_t b = KT_BLOCK_INDEX; b * LANES < q.blocks; b += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        const int64_t first = (b * LANES + t / LANES) * BLOCK;
        const int64_t end   = q.n - first < BLOCK ? q.n : first + BLOCK;
        double sum          = 0;
        for (int64_t i = first + t % LANES; i < end; i += LANES)
          {
            sum += kt_half_sse_term ((double) y[i], (double) target[i]);
          }
        lane[t] = sum;
      }
      kt_sum_lanes (lane, LANES, KT_THREADS);
      KT_EACH (t)
      {
        if (t % LANES == 0 && b * LANES + t / LANES < q.blocks)
          q.partials[b * LANES + t / LANES] = lane[t];
      }
    }
}

template <class T>
KT_GLOBAL void
half_sse_join (const kt_half_sse_params q)
{
  double *const p = q.partials;

  for (int64_t step = 1; step < q.blocks; step *= 2)
    KT_EACH (t)
    {
      for (int64_t i = t * 2 * step; i + step < q.blocks; i += KT_THREADS * 2 * step)
        p[i] += p[i + step];
    }
  KT_EACH (t)
  {
    if (t == 0)
      *(T *) q.out = (T) kt_half_sse_end (q.blocks ? p[0] : 0, q.batch);
  }
}

void
kt_half_sse_launch (const kt_half_sse_params *q, void *stream)
{
  if (q->blocks > 0)
    kt_launch_blocks (q->wide ? half_sse_lanes<double> : half_sse_lanes<float>,
                      (q->blocks + LANES - 1) / LANES, *q, stream);
  kt_launch_blocks (q->wide ? half_sse_join<double> : half_sse_join<float>, 1, *q,
                    stream);
}

template <class T>
KT_GLOBAL void
half_sse_grad (const kt_half_sse_params q)
{
  const T f        = (T) ((double) *(const T *) q.de / (double) q.batch);
  const T *const y = (const T *) q.y, *const target = (const T *) q.t;

  for (int64_t i = KT_FIRST; i < q.n; i += KT_STEP)
    ((T *) q.out)[i] = KT_HALF_SSE_SLOPE (f, y[i], target[i]);
}

void
kt_half_sse_grad_launch (const kt_half_sse_params *q, void *stream)
{
  kt_launch (q->wide ? half_sse_grad<double> : half_sse_grad<float>, q->n, *q, stream);
}

/* Labels ----------------------------------------------------------------------------------- */

KT_HD int64_t
raw_label (const kt_label_params &q, int64_t i)
{
  return q.wide_labels ? ((const int64_t *) q.labels)[i]
                       : ((const int32_t *) q.labels)[i];
}

/* Label of sample I; -1 if it is ignored, -2 if it is no class. */
KT_HD int64_t
label_of (const kt_label_params &q, int64_t i)
{
  const int64_t v = raw_label (q, i);

  if (q.has_ignore && v == q.ignore)
    return -1;
  return v >= 0 && v < q.classes ? v : -2;
}

/* The loss of SAMPLE, whose scores begin at BASE: log is ln sum e^(x - m). */
template <class T>
KT_HD void
finish_sample (const kt_label_params &q, int64_t sample, int64_t base, T m, T log)
{
  const int64_t label = label_of (q, sample);
  const T *const x    = (const T *) q.x;
  T e = 0, weight = 0;

  if (label == -2)
    kt_tell (q.fault, sample, 0, raw_label (q, sample));
  if (label >= 0)
    {
      weight = q.weights ? ((const T *) q.weights)[label] : (T) 1;
      e      = KT_LABEL_LOSS (KT_LOG_PROB (x[base + label * q.inner], m, log), weight);
    }
  if (q.mean || q.sum)
    {
      q.each[sample]   = (double) e;
      q.weight[sample] = (double) weight;
    }
  else
    ((T *) q.loss)[sample] = e;
}

/* Samples whose scores adjoin: 16 threads each. The scores may be where log_prob goes, so the
 * loss is computed before. */
template <class T>
KT_GLOBAL void
row_losses (const kt_label_params q)
{
  KT_SHARED T high[KT_THREADS], lane[KT_THREADS];
  KT_SHARED double total[LANES];
  const T *const x = (const T *) q.x;

  for (int64_t b = KT_BLOCK_INDEX; b * LANES < q.count; b += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        const int64_t sample = b * LANES + t / LANES, at = sample * q.classes;
        T m = 0;
        if (sample < q.count)
          {
            m = x[at];
            for (int64_t i = t % LANES; i < q.classes; i += LANES)
              m = kt_max (m, x[at + i]);
          }
        high[t] = m;
        if (t % LANES == 0)
          total[t / LANES] = 0;
      }
      kt_max_lanes (high, LANES, KT_THREADS);
      for (int64_t first = 0; first < q.classes; first += BLOCK)
        {
          KT_EACH (t)
          {
            const int64_t sample = b * LANES + t / LANES, at = sample * q.classes + first;
            const int64_t n = q.classes - first < BLOCK ? q.classes - first : BLOCK;
            T s             = 0;
            for (int64_t i = t % LANES; sample < q.count && i < n; i += LANES)
              s += kt_exp (x[at + i] - high[t / LANES * LANES]);
            lane[t] = s;
          }
          kt_sum_lanes (lane, LANES, KT_THREADS);
          KT_EACH (t)
          {
            if (t % LANES == 0)
              total[t / LANES] += (double) lane[t];
          }
        }
      KT_EACH (t)
      {
        const int64_t sample = b * LANES + t / LANES;
        if (t % LANES == 0 && sample < q.count)
          finish_sample<T> (q, sample, sample * q.classes, high[t],
                            kt_log ((T) total[t / LANES]));
      }
      KT_EACH (t)
      {
        const int64_t sample = b * LANES + t / LANES, at = sample * q.classes;
        const T m = high[t / LANES * LANES], log = kt_log ((T) total[t / LANES]);
        for (int64_t i = t % LANES; q.log_prob && sample < q.count && i < q.classes;
             i += LANES)
          ((T *) q.log_prob)[at + i] = KT_LOG_PROB (x[at + i], m, log);
      }
    }
}

/* A thread per sample: scores that lie apart, or are logarithms already. */
template <class T>
KT_GLOBAL void
column_losses (const kt_label_params q)
{
  const T *const x = (const T *) q.x;

  for (int64_t sample = KT_FIRST; sample < q.count; sample += KT_STEP)
    {
      const int64_t entry = kt_over (sample, q.inner);
      const int64_t base  = entry * q.classes * q.inner + (sample - entry * q.inner);
      T m = 0, log = 0;

      if (q.soft)
        {
          m = x[base];
          for (int64_t i = 1; i < q.classes; i++)
            m = kt_max (m, x[base + i * q.inner]);
          for (int64_t i = 0; i < q.classes; i++)
            log += kt_exp (x[base + i * q.inner] - m);
          log = kt_log (log);
        }
      finish_sample<T> (q, sample, base, m, log);
      for (int64_t i = 0; q.log_prob && i < q.classes; i++)
        ((T *) q.log_prob)[base + i * q.inner]
            = KT_LOG_PROB (x[base + i * q.inner], m, log);
    }
}

/* Groups as label-loss.c makes them; their sums stand behind the samples'. */
static KT_GLOBAL void
group_sums (const kt_label_params q)
{
  for (int64_t g = KT_FIRST; g < q.groups; g += KT_STEP)
    {
      const int64_t entry = q.inner == 1 ? 0 : kt_over (g, q.groups_per_entry);
      const int64_t block = g - entry * q.groups_per_entry * (q.inner != 1);
      const int64_t all   = q.inner == 1 ? q.count : q.inner;
      const int64_t rest  = all - block * KT_LABEL_GROUP,
                    n     = rest < KT_LABEL_GROUP ? rest : KT_LABEL_GROUP;
      const int64_t first = entry * q.inner + block * KT_LABEL_GROUP;
      double loss = 0, weight = 0;

      for (int64_t i = 0; i < n; i++)
        {
          loss += q.each[first + i];
          weight += q.weight[first + i];
        }
      q.each[q.count + g]   = loss;
      q.weight[q.count + g] = weight;
    }
}

/* kt_sum_f64 of both sums of the groups: threads 0-15 have the losses, 16-31 the weights. */
template <class T>
KT_GLOBAL void
whole_loss (const kt_label_params q)
{
  KT_SHARED double lane[2 * LANES], level[2][64];
  int64_t done = 0;

  for (int64_t first = 0; first < q.groups; first += BLOCK, done++)
    {
      const int64_t n = q.groups - first < BLOCK ? q.groups - first : BLOCK;
      KT_EACH (t)
      {
        if (t < 2 * LANES)
          {
            const double *const x = (t < LANES ? q.each : q.weight) + q.count + first;
            double s              = 0;
            for (int64_t i = t % LANES; i < n; i += LANES)
              s += x[i];
            lane[t] = s;
          }
      }
      kt_sum_lanes (lane, LANES, 2 * LANES);
      KT_EACH (t)
      {
        if (t < 2)
          {
            double sum = lane[t * LANES];
            int l      = 0;
            for (; done >> l & 1; l++)
              sum = level[t][l] + sum;
            level[t][l] = sum;
          }
      }
    }
  KT_EACH (t)
  {
    double total[2] = { 0, 0 };
    for (int k = 0; t == 0 && k < 2; k++)
      {
        bool is_first = true;
        for (int l = 0; done >> l; l++)
          if (done >> l & 1)
            {
              total[k] = is_first ? level[k][l] : level[k][l] + total[k];
              is_first = false;
            }
      }
    if (t == 0)
      *(T *) q.loss = (T) (q.mean ? total[0] / total[1] : total[0]);
  }
}

void
kt_label_loss_launch (const kt_label_params *q, void *stream)
{
  if (q->count > 0 && q->soft && q->inner == 1)
    kt_launch_blocks (q->wide ? row_losses<double> : row_losses<float>,
                      (q->count + LANES - 1) / LANES, *q, stream);
  else if (q->count > 0)
    kt_launch (q->wide ? column_losses<double> : column_losses<float>, q->count, *q,
               stream);
  if (!q->mean && !q->sum)
    return;
  if (q->groups > 0)
    kt_launch (group_sums, q->groups, *q, stream);
  kt_launch_blocks (q->wide ? whole_loss<double> : whole_loss<float>, 1, *q, stream);
}

/* 1, or one by the sum of the labels' weights, to weight[0]. */
static_assert (KT_LABEL_LANES == KT_THREADS, "a thread per partial sum");

template <class T>
KT_GLOBAL void
label_scale (const kt_label_params q)
{
  KT_SHARED double lane[KT_LABEL_LANES];

  KT_EACH (t)
  {
    double sum = 0;
    for (int64_t i = t; i < q.count; i += KT_LABEL_LANES)
      {
        const int64_t label = label_of (q, i);
        if (label == -2)
          kt_tell (q.fault, i, 0, raw_label (q, i));
        if (label >= 0)
          sum += q.weights ? (double) ((const T *) q.weights)[label] : 1;
      }
    lane[t] = sum;
  }
  kt_sum_lanes (lane, KT_LABEL_LANES, KT_THREADS);
  KT_EACH (t)
  {
    if (t == 0)
      q.weight[0] = q.mean ? 1 / lane[0] : 1;
  }
}

template <class T>
KT_GLOBAL void
label_grad (const kt_label_params q)
{
  const double scale = q.weight[0];
  const int64_t each = q.classes * q.inner;

  for (int64_t i = KT_FIRST; i < q.count * q.classes; i += KT_STEP)
    {
      const int64_t entry = kt_over (i, each), in = i - entry * each;
      const int64_t c      = kt_over (in, q.inner),
                    sample = entry * q.inner + in - c * q.inner;
      const int64_t label  = label_of (q, sample);
      const T *const de    = (const T *) q.de;
      T factor             = 0;

      if (label >= 0)
        factor = KT_LABEL_FACTOR (T, q.weights ? ((const T *) q.weights)[label] : (T) 1,
                                  scale, de[q.mean || q.sum ? 0 : sample]);
      T dx = KT_LABEL_SLOPE (((const T *) q.x)[i], factor);
      if (label == c)
        dx -= factor;
      ((T *) q.dx)[i] = dx;
    }
}

void
kt_label_grad_launch (const kt_label_params *q, void *stream)
{
  kt_launch_blocks (q->wide ? label_scale<double> : label_scale<float>, 1, *q, stream);
  if (q->count > 0)
    kt_launch (q->wide ? label_grad<double> : label_grad<float>, q->count * q->classes,
               *q, stream);
}
