/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax.cu: Softmax, LogSoftmax and their gradients. Slices whose elements adjoin have 16
 * threads each and are summed in the order of ops/sum.h; others have one thread, which goes along
 * the axis as the CPU does.
 */
#include "formula.h"
#include "softmax-formulas.h"

template <class F>
KT_GLOBAL void
rows_kernel (const kt_softmax_params q)
{
  typedef typename F::work T;
  typedef KtMemory<T> M;
  KT_SHARED T high[KT_THREADS];
  KT_SHARED typename F::sum lane[KT_THREADS];
  KT_SHARED double total[KT_LANES];
  const int rows = KT_THREADS / KT_LANES;

  for (int64_t b = KT_BLOCK_INDEX; b * rows < q.outer; b += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        const int64_t row = b * rows + t / KT_LANES, at = row * q.length;
        const int l = t % KT_LANES;
        T m         = 0;
        if (F::has_max && row < q.outer)
          {
            m = M::load (q.a, at, q.dtype);
            for (int64_t i = l; i < q.length; i += KT_LANES)
              m = kt_max (m, M::load (q.a, at + i, q.dtype));
          }
        high[t] = m;
        if (l == 0)
          total[t / KT_LANES] = 0;
      }
      if (F::has_max)
        kt_max_lanes (high, KT_LANES, KT_THREADS);
      for (int64_t first = 0; first < q.length; first += KT_BLOCK)
        {
          KT_EACH (t)
          {
            const int64_t row = b * rows + t / KT_LANES, at = row * q.length + first;
            const int64_t n   = q.length - first < KT_BLOCK ? q.length - first : KT_BLOCK;
            const T m         = high[t / KT_LANES * KT_LANES];
            typename F::sum s = 0;
            for (int64_t i = t % KT_LANES; row < q.outer && i < n; i += KT_LANES)
              s += F::term (M::load (q.a, at + i, q.dtype),
                            M::load (q.b, at + i, q.dtype), m);
            lane[t] = s;
          }
          kt_sum_lanes (lane, KT_LANES, KT_THREADS);
          KT_EACH (t)
          {
            if (t % KT_LANES == 0)
              total[t / KT_LANES] += (double) lane[t];
          }
        }
      KT_EACH (t)
      {
        const int64_t row = b * rows + t / KT_LANES, at = row * q.length;
        const T m = high[t / KT_LANES * KT_LANES], s = F::whole ((T) total[t / KT_LANES]);
        for (int64_t i = t % KT_LANES; row < q.outer && i < q.length; i += KT_LANES)
          {
            const T a = M::load (q.a, at + i, q.dtype),
                    c = M::load (q.b, at + i, q.dtype);
            M::store (q.y, at + i, q.dtype, F::final (a, c, m, s, (T) F::term (a, c, m)));
          }
      }
    }
}

template <class F>
KT_GLOBAL void
columns_kernel (const kt_softmax_params q)
{
  typedef typename F::work T;
  typedef KtMemory<T> M;

  for (int64_t j = KT_FIRST; j < q.outer * q.inner; j += KT_STEP)
    {
      const int64_t outer = kt_over (j, q.inner);
      const int64_t at    = outer * q.length * q.inner + (j - outer * q.inner);
      T m = F::has_max ? M::load (q.a, at, q.dtype) : (T) 0, s = 0;

      for (int64_t i = 1; F::has_max && i < q.length; i++)
        m = kt_max (m, M::load (q.a, at + i * q.inner, q.dtype));
      for (int64_t i = 0; i < q.length; i++)
        s += (T) F::term (M::load (q.a, at + i * q.inner, q.dtype),
                          M::load (q.b, at + i * q.inner, q.dtype), m);
      s = F::whole (s);
      for (int64_t i = 0; i < q.length; i++)
        {
          const int64_t k = at + i * q.inner;
          const T a = M::load (q.a, k, q.dtype), c = M::load (q.b, k, q.dtype);
          M::store (q.y, k, q.dtype, F::final (a, c, m, s, (T) F::term (a, c, m)));
        }
    }
}

template <class F>
static void
softmax_launch (const kt_softmax_params *q, void *stream)
{
  if (q->inner == 1)
    kt_launch_blocks (rows_kernel<F>, (q->outer + 15) / 16, *q, stream);
  else
    kt_launch (columns_kernel<F>, q->outer * q->inner, *q, stream);
}

#define ROW(WORD)                                                                        \
  {                                                                                      \
#WORD, softmax_launch < op_##WORD::WORD##_f32>,                                      \
        softmax_launch < op_##WORD::WORD##_f64>                                          \
  }

const kt_softmax_row kt_softmax_table[] = {
  ROW (softmax),
  ROW (log_softmax),
  ROW (softmax_grad),
  ROW (log_softmax_grad),
  { nullptr, nullptr, nullptr },
};
