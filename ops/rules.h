/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.h: the formulas of optimizers and losses, for C and CUDA. An optimizer has coefficients c:
 * its attributes, and from _step () what depends on the rate R and the update count T; then
 * CONSTANTS of type T, and what is done with one ELEMENT. New ones may lie where the old ones do.
 */
#pragma once
#include "vmath.h"

#define KT_COEFFICIENTS 8

/* Gradient descent. */
#define KT_SGD(x, rate, g) ((x) - (rate) * (g))

/* Momentum. */
enum
{
  KT_MOMENTUM_RATE,
  KT_MOMENTUM_ALPHA,
  KT_MOMENTUM_BETA,
  KT_MOMENTUM_NORM,
  KT_MOMENTUM_NESTEROV,
  KT_MOMENTUM_FACTOR
};

KT_INLINE void
kt_momentum_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  c[KT_MOMENTUM_RATE]   = rate;
  c[KT_MOMENTUM_FACTOR] = count > 0 ? c[KT_MOMENTUM_BETA] : 1;
}

#define KT_MOMENTUM_CONSTANTS(T, c)                                                      \
  const T rate = (T) (c)[KT_MOMENTUM_RATE], alpha = (T) (c)[KT_MOMENTUM_ALPHA];          \
  const T factor = (T) (c)[KT_MOMENTUM_FACTOR], norm = (T) (c)[KT_MOMENTUM_NORM];        \
  const T nesterov = (T) (c)[KT_MOMENTUM_NESTEROV];
#define KT_MOMENTUM_ELEMENT(T, x, g, v, new_x, new_v)                                    \
  {                                                                                      \
    const T old = x, d = norm * old + g, w = alpha * v + factor * d;                     \
    const T ahead = d + alpha * w;                                                       \
    new_v         = w;                                                                   \
    new_x         = old - rate * kt_pick (nesterov != 0, ahead, w);                      \
  }

/* Adagrad. */
enum
{
  KT_ADAGRAD_RATE,
  KT_ADAGRAD_DECAY,
  KT_ADAGRAD_EPSILON,
  KT_ADAGRAD_NORM
};

KT_INLINE void
kt_adagrad_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  c[KT_ADAGRAD_RATE] = rate / (1 + (double) count * c[KT_ADAGRAD_DECAY]);
}

#define KT_ADAGRAD_CONSTANTS(T, c)                                                       \
  const T rate = (T) (c)[KT_ADAGRAD_RATE], epsilon = (T) (c)[KT_ADAGRAD_EPSILON];        \
  const T norm = (T) (c)[KT_ADAGRAD_NORM];
#define KT_ADAGRAD_ELEMENT(T, x, g, v, new_x, new_v)                                     \
  {                                                                                      \
    const T old = x, d = norm * old + g, s = v + d * d;                                  \
    new_v = s;                                                                           \
    new_x = old - rate * d / (kt_sqrt (s) + epsilon);                                    \
  }

/* Adam. */
enum
{
  KT_ADAM_RATE,
  KT_ADAM_ALPHA,
  KT_ADAM_BETA,
  KT_ADAM_EPSILON,
  KT_ADAM_NORM,
  KT_ADAM_POST
};

KT_INLINE void
kt_adam_step (double c[KT_COEFFICIENTS], double rate, int64_t count)
{
  const double n = (double) count;

  c[KT_ADAM_RATE] = rate;
  if (count > 0)
    c[KT_ADAM_RATE]
        = rate * sqrt (1 - pow (c[KT_ADAM_BETA], n)) / (1 - pow (c[KT_ADAM_ALPHA], n));
}

#define KT_ADAM_CONSTANTS(T, c)                                                          \
  const T rate = (T) (c)[KT_ADAM_RATE], alpha = (T) (c)[KT_ADAM_ALPHA];                  \
  const T beta = (T) (c)[KT_ADAM_BETA], epsilon = (T) (c)[KT_ADAM_EPSILON];              \
  const T alpha_rest = (T) (1 - (c)[KT_ADAM_ALPHA]);                                     \
  const T beta_rest  = (T) (1 - (c)[KT_ADAM_BETA]);                                      \
  const T norm = (T) (c)[KT_ADAM_NORM], keep = (T) (1 - (c)[KT_ADAM_POST]);
#define KT_ADAM_ELEMENT(T, x, g, v, h, new_x, new_v, new_h)                              \
  {                                                                                      \
    const T old = x, d = norm * old + g, w = alpha * v + alpha_rest * d;                 \
    const T s = beta * h + beta_rest * d * d;                                            \
    new_v     = w;                                                                       \
    new_h     = s;                                                                       \
    new_x     = keep * (old - rate * w / (kt_sqrt (s) + epsilon));                       \
  }

/* HalfSSE: what an element adds to the sum, what becomes of the sum, and the gradient by an element
 * with f = dE / B. */
KT_INLINE double
kt_half_sse_term (double y, double t)
{
  const double d = y - t;

  return d * d;
}

KT_INLINE double
kt_half_sse_end (double sum, int64_t batch)
{
  return 0.5 * sum / (double) batch;
}

#define KT_HALF_SSE_SLOPE(f, y, t) ((f) * ((y) - (t)))

/* Losses of labels. M: the largest score; LOG: ln sum e^(x - m); Q: the label's weight. */
#define KT_LOG_PROB(x, m, log) (((x) - (m)) - (log))
#define KT_LABEL_LOSS(log_prob, q) (-(log_prob) * (q))
/* The gradient by a score: FACTOR is that of the sample, subtracted again for the label's. SCALE: 1,
 * or 1 over the sum of all q. */
#define KT_LABEL_FACTOR(T, q, scale, de) ((q) * (T) ((scale) * (double) (de)))
#define KT_LABEL_SLOPE(log_prob, factor) (kt_exp (log_prob) * (factor))
/* The sum of all q: sample i belongs to partial sum i mod KT_LABEL_LANES; they are joined in a tree. */
#define KT_LABEL_LANES 256
/* Losses of so many samples are added up one after another, then the sums of these groups. */
#define KT_LABEL_GROUP 64
