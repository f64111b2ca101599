/* SPDX-License-Identifier: Apache-2.0
 *
 * zip.cu: y = f (a, b) with broadcasting, for the formulas of ops/math, ops/logical and
 * ops/kette. One kernel per formula and type that it computes in.
 */
#include "formula.h"
#include "place.h"
#include "zip-formulas.h"

/* Of integers: why there is no quotient, 0 or 1; -1: there is one. */
struct Defined
{
  template <class W>
  KT_HD_MEMBER int
  fault (const kt_zip_params &, W, W)
  {
    return -1;
  }
};

struct Quotient
{
  /* b = 0, or the least number of a type by -1, which has no negative. */
  template <class W>
  KT_HD_MEMBER int
  fault (const kt_zip_params &q, W a, W b)
  {
    if (b == 0)
      return 0;
    if ((W) -1 > 0 || b != (W) -1 || q.p[0] != 0)
      return -1;
    return a
                   == (W) (q.dtype == KT_I8    ? INT8_MIN
                           : q.dtype == KT_I16 ? INT16_MIN
                           : q.dtype == KT_I32 ? INT32_MIN
                                               : INT64_MIN)
               ? 1
               : -1;
  }
};

template <class F, class Check>
KT_GLOBAL void
zip_kernel (const kt_zip_params q)
{
  typedef typename F::work W;
  typedef typename F::in T;
  typedef typename F::out U;
  const W p[4]     = { (W) q.p[0], (W) q.p[1], (W) q.p[2], (W) q.p[3] };
  const int64_t sa = q.at.in[0].step, sb = q.at.in[1].step;
  int64_t i = KT_FIRST;

  if (sizeof (U) == 4 && q.at.ndim == 0 && q.dtype == KT_F32 && kt_aligned (q.y)
      && (sa == 0 || kt_aligned (q.a)) && (sb == 0 || kt_aligned (q.b)))
    {
      const int64_t n = q.at.count / 4;
      for (; i < n; i += KT_STEP)
        {
          KtFour a, b;
          if (sa)
            a = ((const KtFour *) q.a)[i];
          else
            a.v[0] = a.v[1] = a.v[2] = a.v[3] = ((const float *) q.a)[0];
          if (sb)
            b = ((const KtFour *) q.b)[i];
          else
            b.v[0] = b.v[1] = b.v[2] = b.v[3] = ((const float *) q.b)[0];
          for (int k = 0; k < 4; k++)
            a.v[k] = (float) F::of ((W) a.v[k], (W) b.v[k], p);
          ((KtFour *) q.y)[i] = a;
        }
      i = n * 4 + KT_FIRST;
    }
  for (; i < q.at.count; i += KT_STEP)
    {
      int64_t at[3];
      kt_places<2> (q.at, i, at);
      const W a       = (W) KtMemory<T>::load (q.a, at[0], q.dtype),
              b       = (W) KtMemory<T>::load (q.b, at[1], q.dtype);
      const int fault = Check::fault (q, (T) a, (T) b);
      if (fault >= 0)
        kt_tell (q.fault, i, fault, 0);
      else
        KtMemory<U>::store (q.y, i, q.out_dtype, (U) F::of (a, b, p));
    }
}

template <class F, class Check = Defined>
static void
zip_launch (const void *params, void *stream)
{
  const kt_zip_params *const p = (const kt_zip_params *) params;

  kt_launch (zip_kernel<F, Check>, (p->at.count + 3) / 4, *p, stream);
}

#define FLOATS(FILE, NAME)                                                               \
  zip_launch<op_##FILE::NAME##_f32>, zip_launch<op_##FILE::NAME##_f64>
#define ZIP(WORD)                                                                        \
  {                                                                                      \
#WORD, FLOATS(WORD, WORD), nullptr, nullptr, nullptr                                 \
  }
#define NUMBERS(WORD)                                                                    \
  {                                                                                      \
#WORD, FLOATS(WORD, WORD), zip_launch < op_##WORD::WORD##_i64>,                      \
        zip_launch < op_##WORD::WORD##_u64>, nullptr                                     \
  }
#define BOOL(WORD)                                                                       \
  {                                                                                      \
#WORD, nullptr, nullptr, nullptr, nullptr, zip_launch < op_##WORD::WORD##__bool>     \
  }

const kt_formula_row kt_zip_table[] = {
  NUMBERS (add),
  NUMBERS (sub),
  NUMBERS (mul),
  NUMBERS (max),
  NUMBERS (min),
  NUMBERS (prelu),
  NUMBERS (greater),
  NUMBERS (less),
  { "div", FLOATS (div, div), zip_launch<op_div::div_i64, Quotient>,
    zip_launch<op_div::div_u64, Quotient>, nullptr },
  { "mod_left", FLOATS (mod, left), zip_launch<op_mod::left_i64, Quotient>,
    zip_launch<op_mod::left_u64, Quotient>, nullptr },
  { "mod_floored", nullptr, nullptr, zip_launch<op_mod::floored_i64, Quotient>,
    zip_launch<op_mod::left_u64, Quotient>, nullptr },
  { "equal", FLOATS (equal, equal), zip_launch<op_equal::equal_i64>,
    zip_launch<op_equal::equal_u64>, zip_launch<op_equal::equal_bool> },
  BOOL (and),
  BOOL (or),
  ZIP (sum),
  ZIP (mean),
  ZIP (elu_grad),
  ZIP (erf_grad),
  ZIP (hard_sigmoid_grad),
  ZIP (hard_swish_grad),
  ZIP (leaky_relu_grad),
  ZIP (relu_grad),
  ZIP (sigmoid_grad),
  ZIP (tanh_grad),
  { nullptr, nullptr, nullptr, nullptr, nullptr, nullptr },
};
