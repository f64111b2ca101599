/* SPDX-License-Identifier: Apache-2.0
 *
 * map.cu: y = f (x), element by element, for the formulas of ops/math and ops/logical. One
 * kernel per formula and type that it computes in.
 */
#include "formula.h"
#include "map-formulas.h"

template <class F>
KT_GLOBAL void
map_kernel (const kt_map_params q)
{
  typedef typename F::work W;
  typedef typename F::in T;
  const W p[4] = { (W) q.p[0], (W) q.p[1], (W) q.p[2], (W) q.p[3] };
  int64_t i    = KT_FIRST;

  if (sizeof (T) == 4 && q.dtype == KT_F32 && kt_aligned (q.x) && kt_aligned (q.y))
    {
      for (; i < q.n / 4; i += KT_STEP)
        {
          KtFour four = ((const KtFour *) q.x)[i];
          for (int k = 0; k < 4; k++)
            four.v[k] = (float) F::of ((W) four.v[k], p);
          ((KtFour *) q.y)[i] = four;
        }
      i = q.n / 4 * 4 + KT_FIRST;
    }
  for (; i < q.n; i += KT_STEP)
    KtMemory<T>::store (q.y, i, q.dtype,
                        (T) F::of ((W) KtMemory<T>::load (q.x, i, q.dtype), p));
}

template <class F>
static void
map_launch (const void *params, void *stream)
{
  const kt_map_params *const p = (const kt_map_params *) params;

  kt_launch (map_kernel<F>, (p->n + 3) / 4, *p, stream);
}

#define FLOATS(WORD) map_launch<op_##WORD::WORD##_f32>, map_launch<op_##WORD::WORD##_f64>
#define MAP(WORD)                                                                        \
  {                                                                                      \
#WORD, FLOATS(WORD), nullptr, nullptr, nullptr                                       \
  }
#define SIGNED(WORD)                                                                     \
  {                                                                                      \
#WORD, FLOATS(WORD), map_launch < op_##WORD::WORD##_i64>, nullptr, nullptr           \
  }
#define NUMBERS(WORD)                                                                    \
  {                                                                                      \
#WORD, FLOATS(WORD), map_launch < op_##WORD::WORD##_i64>,                            \
        map_launch < op_##WORD::WORD##_u64>, nullptr                                     \
  }

const kt_formula_row kt_map_table[] = {
  NUMBERS (abs),
  MAP (ceil),
  MAP (celu),
  MAP (elu),
  MAP (erf),
  MAP (exp),
  MAP (floor),
  MAP (hard_sigmoid),
  MAP (hard_swish),
  MAP (leaky_relu),
  MAP (log),
  SIGNED (neg),
  MAP (reciprocal),
  SIGNED (relu),
  MAP (selu),
  MAP (sigmoid),
  NUMBERS (sign),
  MAP (softplus),
  MAP (softsign),
  MAP (sqrt),
  MAP (tanh),
  MAP (thresholded_relu),
  { "not", nullptr, nullptr, nullptr, nullptr, map_launch<op_not::not__bool> },
  { "mean_last", map_launch<op_mean::mean_last_f32>, map_launch<op_mean::mean_last_f64>,
    nullptr, nullptr, nullptr },
  { nullptr, nullptr, nullptr, nullptr, nullptr, nullptr },
};
