/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.cu: Resize along an axis, its transpose, and Resize to the nearest: a thread per element
 * of the result, which adds up in the order of the CPU's code (ops/resize-pass.c).
 */
#include "real.h"
#include <string.h>

template <class W> struct Element
{
  KT_HD_MEMBER W
  load (const void *x, int64_t i, int32_t dtype)
  {
    return (W) kt_load_number (x, i, dtype);
  }
  KT_HD_MEMBER void
  store (void *y, int64_t i, int32_t dtype, W v)
  {
    kt_store_real (y, i, dtype, (double) v);
  }
};

template <> struct Element<float> : KtMemory<float>
{
};

template <class W>
KT_GLOBAL void
resize_kernel (const kt_resize_params q)
{
  for (int64_t i = KT_FIRST; i < q.pre * q.out * q.inner; i += KT_STEP)
    {
      const int64_t row = kt_over (i, q.inner), pre = kt_over (row, q.out);
      const int64_t o = row - pre * q.out, first = q.first[o];
      const int64_t at = (pre * q.in + first) * q.inner + (i - row * q.inner);
      const W *const w = (const W *) q.weight + o * q.taps;
      W sum            = (W) q.extrapolation;

      for (int64_t t = 0; first >= 0 && t < q.taps; t++)
        {
          const W term = w[t] * Element<W>::load (q.x, at + t * q.inner, q.from);
          sum          = t == 0 ? term : sum + term;
        }
      Element<W>::store (q.y, i, q.to, sum);
    }
}

template <class W>
KT_GLOBAL void
transposed_kernel (const kt_resize_params q)
{
  for (int64_t i = KT_FIRST; i < q.pre * q.in * q.inner; i += KT_STEP)
    {
      const int64_t row = kt_over (i, q.inner), pre = kt_over (row, q.in);
      const int64_t k  = row - pre * q.in,
                    at = pre * q.out * q.inner + (i - row * q.inner);
      W sum            = 0;

      for (int64_t o = q.range[2 * k]; o < q.range[2 * k + 1]; o++)
        {
          const int64_t t = k - q.first[o];
          if (q.first[o] >= 0 && t >= 0 && t < q.taps)
            sum += ((const W *) q.weight)[o * q.taps + t]
                   * Element<W>::load (q.x, at + o * q.inner, q.from);
        }
      Element<W>::store (q.y, i, q.to, sum);
    }
}

void
kt_resize_launch (const kt_resize_params *q, void *stream)
{
  if (q->range)
    kt_launch (q->wide ? transposed_kernel<double> : transposed_kernel<float>,
               q->pre * q->in * q->inner, *q, stream);
  else
    kt_launch (q->wide ? resize_kernel<double> : resize_kernel<float>,
               q->pre * q->out * q->inner, *q, stream);
}

template <class T>
KT_GLOBAL void
nearest_kernel (const kt_nearest_params q)
{
  T outside;

  memcpy (&outside, q.outside, sizeof outside);
  for (int64_t i = KT_FIRST; i < q.count; i += KT_STEP)
    {
      int64_t rest = i, from = 0;
      bool inside = true;
      for (int d = q.ndim - 1; d >= 0; d--)
        {
          const int64_t up = d ? kt_over (rest, q.out[d]) : 0, o = rest - up * q.out[d];
          const int64_t k = q.first[d] ? q.first[d][o] : o;
          inside          = inside && k >= 0;
          from += k * q.stride[d];
          rest = up;
        }
      ((T *) q.y)[i] = inside ? ((const T *) q.x)[from] : outside;
    }
}

void
kt_nearest_launch (const kt_nearest_params *q, void *stream)
{
  KT_BY_SIZE (nearest_kernel, q, q->count, stream)
}
