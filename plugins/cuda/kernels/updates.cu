/* SPDX-License-Identifier: Apache-2.0
 *
 * updates.cu: gradient descent, Momentum, Adagrad and Adam: one pass over a parameter, its
 * gradient and its states. The formulas are those of the CPU (ops/rules.h).
 */
#include "gpu.h"
#include "rules.h"

/* What depends on rate and count is computed once per block of threads, in double, to c. */
template <class Rule, class T>
KT_GLOBAL void
update_kernel (const kt_update_params q)
{
  KT_SHARED double c[KT_COEFFICIENTS];

  KT_EACH (t)
  {
    if (t == 0)
      {
        for (int k = 1; k < KT_COEFFICIENTS; k++)
          c[k] = q.c[k];
        Rule::step (
            c, q.wide_rate ? *(const double *) q.rate : (double) *(const float *) q.rate,
            q.count ? *(const int64_t *) q.count : 0);
      }
  }
  KT_EACH (t)
  {
    Rule::template elements<T> (c, q, KT_BLOCK_INDEX * KT_THREADS + t, KT_STEP);
  }
}

template <class Rule>
static void
launch (const kt_update_params *q, void *stream)
{
  kt_launch_blocks (q->wide ? update_kernel<Rule, double> : update_kernel<Rule, float>,
                    (q->n + KT_THREADS - 1) / KT_THREADS, *q, stream);
}

#define STATE(NAME, K)                                                                   \
  const T *const NAME = (const T *) q.state[K];                                          \
  T *const new_##NAME = (T *) q.new_state[K];
/* STEP: what depends on rate and count; BEFORE and EACH: constants, and what is done with element i. */
#define RULE(NAME, STEP, BEFORE, EACH)                                                   \
  struct NAME                                                                            \
  {                                                                                      \
    KT_HD_MEMBER void                                                                    \
    step (double *c, double rate, int64_t count)                                         \
    {                                                                                    \
      (void) count;                                                                      \
      STEP;                                                                              \
    }                                                                                    \
    template <class T>                                                                   \
    KT_HD_MEMBER void                                                                    \
    elements (const double *c, const kt_update_params &q, int64_t i, int64_t step)       \
    {                                                                                    \
      const T *const x = (const T *) q.x, *const g = (const T *) q.g;                    \
      T *const new_x = (T *) q.new_x;                                                    \
      BEFORE                                                                             \
      for (; i < q.n; i += step)                                                         \
        EACH;                                                                            \
    }                                                                                    \
  };

RULE (Sgd, c[0] = rate, const T rate = (T) c[0];, new_x[i] = KT_SGD (x[i], rate, g[i]))
RULE (Momentum, kt_momentum_step (c, rate, count),
      STATE (v, 0) KT_MOMENTUM_CONSTANTS (T, c),
      KT_MOMENTUM_ELEMENT (T, x[i], g[i], v[i], new_x[i], new_v[i]))
RULE (Adagrad, kt_adagrad_step (c, rate, count), STATE (v, 0) KT_ADAGRAD_CONSTANTS (T, c),
      KT_ADAGRAD_ELEMENT (T, x[i], g[i], v[i], new_x[i], new_v[i]))
RULE (Adam, kt_adam_step (c, rate, count),
      STATE (v, 0) STATE (h, 1) KT_ADAM_CONSTANTS (T, c),
      KT_ADAM_ELEMENT (T, x[i], g[i], v[i], h[i], new_x[i], new_v[i], new_h[i]))

#define LAUNCH(WORD, NAME)                                                               \
  void kt_##WORD##_launch (const kt_update_params *q, void *stream)                      \
  {                                                                                      \
    launch<NAME> (q, stream);                                                            \
  }

LAUNCH (sgd, Sgd)
LAUNCH (momentum, Momentum)
LAUNCH (adagrad, Adagrad)
LAUNCH (adam, Adam)
