/* SPDX-License-Identifier: Apache-2.0
 *
 * updates.cu: gradient descent, Momentum, Adagrad and Adam: one pass over a parameter, its
 * gradient and its states. The formulas are those of ops/kette/sgd.c and ops/training.
 */
#include "gpu.h"

/* What depends on rate and count is computed once per block of threads, in double, to c. */
template <class Rule, class T>
KT_GLOBAL void
update_kernel (const kt_update_params q)
{
  KT_SHARED double c[8];

  KT_EACH (t)
  {
    if (t == 0)
      {
        for (int k = 1; k < 8; k++)
          c[k] = q.c[k];
        Rule::step (
            c, q.wide_rate ? *(const double *) q.rate : (double) *(const float *) q.rate,
            q.count ? *(const int64_t *) q.count : 0);
      }
  }
  KT_EACH (t)
  {
    for (int64_t i = KT_BLOCK_INDEX * KT_THREADS + t; i < q.n; i += KT_STEP)
      Rule::template element<T> (c, q, i);
  }
}

template <class Rule>
static void
launch (const kt_update_params *q, void *stream)
{
  kt_launch_blocks (q->wide ? update_kernel<Rule, double> : update_kernel<Rule, float>,
                    (q->n + KT_THREADS - 1) / KT_THREADS, *q, stream);
}

#define OPERANDS                                                                         \
  const T *const x = (const T *) q.x, *const g = (const T *) q.g;                        \
  const T *const v = (const T *) q.state[0], *const h = (const T *) q.state[1];          \
  T *const new_x = (T *) q.new_x, *const new_v = (T *) q.new_state[0],                   \
           *const new_h = (T *) q.new_state[1];                                          \
  (void) v, (void) h, (void) new_v, (void) new_h;

struct Sgd
{
  KT_HD_MEMBER void
  step (double *c, double rate, int64_t)
  {
    c[0] = rate;
  }
  template <class T>
  KT_HD_MEMBER void
  element (const double *c, const kt_update_params &q, int64_t i)
  {
    OPERANDS
    new_x[i] = x[i] - (T) c[0] * g[i];
  }
};

/* c: rate, alpha, beta, norm, nesterov, factor. */
struct Momentum
{
  KT_HD_MEMBER void
  step (double *c, double rate, int64_t count)
  {
    c[0] = rate;
    c[5] = count > 0 ? c[2] : 1;
  }
  template <class T>
  KT_HD_MEMBER void
  element (const double *c, const kt_update_params &q, int64_t i)
  {
    OPERANDS
    const T alpha = (T) c[1], old = x[i], d = (T) c[3] * old + g[i];
    const T w = alpha * v[i] + (T) c[5] * d, ahead = d + alpha * w;

    new_v[i] = w;
    new_x[i] = old - (T) c[0] * (c[4] != 0 ? ahead : w);
  }
};

/* c: rate, decay, epsilon, norm. */
struct Adagrad
{
  KT_HD_MEMBER void
  step (double *c, double rate, int64_t count)
  {
    c[0] = rate / (1 + (double) count * c[1]);
  }
  template <class T>
  KT_HD_MEMBER void
  element (const double *c, const kt_update_params &q, int64_t i)
  {
    OPERANDS
    const T old = x[i], d = (T) c[3] * old + g[i], s = v[i] + d * d;

    new_v[i] = s;
    new_x[i] = old - (T) c[0] * d / (kt_sqrt (s) + (T) c[2]);
  }
};

/* c: rate, alpha, beta, epsilon, norm, post. */
struct Adam
{
  KT_HD_MEMBER void
  step (double *c, double rate, int64_t count)
  {
    const double n = (double) count;

    c[0] = rate;
    if (count > 0)
      c[0] = rate * kt_sqrt (1 - pow (c[2], n)) / (1 - pow (c[1], n));
  }
  template <class T>
  KT_HD_MEMBER void
  element (const double *c, const kt_update_params &q, int64_t i)
  {
    OPERANDS
    const T alpha = (T) c[1], beta = (T) c[2], old = x[i], d = (T) c[4] * old + g[i];
    const T w = alpha * v[i] + (T) (1 - c[1]) * d,
            s = beta * h[i] + (T) (1 - c[2]) * d * d;

    new_v[i] = w;
    new_h[i] = s;
    new_x[i] = (T) (1 - c[5]) * (old - (T) c[0] * w / (kt_sqrt (s) + (T) c[3]));
  }
};

void
kt_sgd_launch (const kt_update_params *q, void *stream)
{
  launch<Sgd> (q, stream);
}

void
kt_momentum_launch (const kt_update_params *q, void *stream)
{
  launch<Momentum> (q, stream);
}

void
kt_adagrad_launch (const kt_update_params *q, void *stream)
{
  launch<Adagrad> (q, stream);
}

void
kt_adam_launch (const kt_update_params *q, void *stream)
{
  launch<Adam> (q, stream);
}
