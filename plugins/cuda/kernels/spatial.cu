/* SPDX-License-Identifier: Apache-2.0
 *
 * spatial.cu: Pad, local response normalization and its gradient, InstanceNormalization.
 */
#include "gpu.h"

/* Where output coordinate C of a dim comes from; -1: from the constant. MODE: kt_pad_mode. */
KT_HD int64_t
pad_source (int mode, int64_t c, int64_t begin, int64_t n)
{
  int64_t i = c - begin;

  if (i >= 0 && i < n)
    return i;
  if (mode == 0)
    return -1;
  if (mode == 2)
    return i < 0 ? 0 : n - 1;

  const int64_t period = mode == 1 ? 2 * (n - 1) : n;
  if (period == 0)
    return 0;
  i %= period;
  if (i < 0)
    i += period;
  return i < n ? i : period - i;
}

template <class T>
KT_GLOBAL void
pad_kernel (const kt_pad_params q)
{
  for (int64_t i = KT_FIRST; i < q.count; i += KT_STEP)
    {
      int64_t rest = i, from = 0, stride = 1;
      bool inside = true;
      for (int d = q.ndim - 1; d >= 0; d--)
        {
          const int64_t up = kt_over (rest, q.out[d]);
          const int64_t c
              = pad_source (q.mode, rest - up * q.out[d], q.begin[d], q.in[d]);
          inside = inside && c >= 0;
          from += c * stride;
          stride *= q.in[d];
          rest = up;
        }
      T v = {};
      if (inside)
        v = ((const T *) q.x)[from];
      else if (q.value)
        v = *(const T *) q.value;
      ((T *) q.y)[i] = v;
    }
}

void
kt_pad_launch (const kt_pad_params *q, void *stream)
{
  switch (q->size)
    {
    case 1:
      kt_launch (pad_kernel<uint8_t>, q->count, *q, stream);
      break;
    case 2:
      kt_launch (pad_kernel<uint16_t>, q->count, *q, stream);
      break;
    case 4:
      kt_launch (pad_kernel<uint32_t>, q->count, *q, stream);
      break;
    default:
      kt_launch (pad_kernel<uint64_t>, q->count, *q, stream);
    }
}

/* LRN: as ops/lrn.c, in its order ------------------------------------------------------------ */

/* The sum of squares over the window of channel C; AT: the element. */
template <class W>
KT_HD W
squares (const kt_lrn_params &q, int64_t at, int64_t c)
{
  const int64_t end = q.trail < q.channels - c ? c + q.trail + 1 : q.channels;
  W sum             = 0;

  for (int64_t k = q.lead < c ? c - q.lead : 0; k < end; k++)
    {
      const W x = KtMemory<W>::load (q.x, at + (k - c) * q.inner, q.dtype);
      sum += x * x;
    }
  return sum;
}

/* (bias + alpha sum)^-beta. */
template <class W>
KT_HD W
power (const kt_lrn_params &q, W sum)
{
  const W s = (W) q.bias + (W) q.alpha * sum;

  if (q.bias < 0 || q.alpha < 0)
    return kt_pow (s, -(W) q.beta);
  if (q.beta == 0.75)
    {
      const W root = kt_sqrt (s);
      return 1 / (root * kt_sqrt (root));
    }
  return kt_exp (-(W) q.beta * kt_log (s));
}

template <class W>
KT_GLOBAL void
lrn_kernel (const kt_lrn_params q)
{
  typedef KtMemory<W> M;

  for (int64_t i = KT_FIRST; i < q.n * q.channels * q.inner; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, q.inner), c = plane % q.channels;
      const W sum = squares<W> (q, i, c), x = M::load (q.x, i, q.dtype);
      const W p = power<W> (q, sum);

      if (!q.dy)
        {
          M::store (q.y, i, q.dtype, x * p);
          continue;
        }
      ((W *) q.powers)[i] = p;
      ((W *) q.terms)[i]
          = M::load (q.dy, i, q.dtype) * x * p / ((W) q.bias + (W) q.alpha * sum);
    }
}

template <class W>
KT_GLOBAL void
lrn_grad_kernel (const kt_lrn_params q)
{
  typedef KtMemory<W> M;
  const W factor = (W) (2 * q.alpha * q.beta);

  for (int64_t i = KT_FIRST; i < q.n * q.channels * q.inner; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, q.inner), c = plane % q.channels;
      const int64_t end = q.lead < q.channels - c ? c + q.lead + 1 : q.channels;
      W sum             = 0;

      for (int64_t k = q.trail < c ? c - q.trail : 0; k < end; k++)
        sum += ((const W *) q.terms)[i + (k - c) * q.inner];
      M::store (q.y, i, q.dtype,
                M::load (q.dy, i, q.dtype) * ((const W *) q.powers)[i]
                    - factor * M::load (q.x, i, q.dtype) * sum);
    }
}

void
kt_lrn_launch (const kt_lrn_params *q, void *stream)
{
  const int64_t n = q->n * q->channels * q->inner;
  const bool wide = q->dtype == KT_F64;

  kt_launch (wide ? lrn_kernel<double> : lrn_kernel<float>, n, *q, stream);
  if (q->dy)
    kt_launch (wide ? lrn_grad_kernel<double> : lrn_grad_kernel<float>, n, *q, stream);
}

/* InstanceNormalization: a block of threads per plane; mean, then variance, in double. */
template <class W>
KT_GLOBAL void
instance_kernel (const kt_instance_params q)
{
  typedef KtMemory<W> M;
  KT_SHARED double lane[KT_THREADS], moment[2];

  for (int64_t plane = KT_BLOCK_INDEX; plane < q.planes; plane += KT_N_BLOCKS)
    {
      const int64_t at = plane * q.inner, c = plane % q.channels;
      for (int pass = 0; pass < 2; pass++)
        {
          KT_EACH (t)
          {
            double sum = 0;
            for (int64_t i = t; i < q.inner; i += KT_THREADS)
              {
                const double v = (double) M::load (q.x, at + i, q.dtype);
                sum += pass ? (v - moment[0]) * (v - moment[0]) : v;
              }
            lane[t] = sum;
          }
          kt_sum_lanes (lane, KT_THREADS, KT_THREADS);
          KT_EACH (t)
          {
            if (t == 0)
              moment[pass] = lane[0] / (double) q.inner;
          }
        }
      KT_EACH (t)
      {
        const double a
            = (double) M::load (q.scale, c, q.dtype) / kt_sqrt (moment[1] + q.epsilon);
        const double b = (double) M::load (q.shift, c, q.dtype);
        for (int64_t i = t; i < q.inner; i += KT_THREADS)
          M::store (q.y, at + i, q.dtype,
                    (W) (((double) M::load (q.x, at + i, q.dtype) - moment[0]) * a + b));
      }
    }
}

void
kt_instance_launch (const kt_instance_params *q, void *stream)
{
  kt_launch_blocks (q->dtype == KT_F64 ? instance_kernel<double> : instance_kernel<float>,
                    q->planes, *q, stream);
}
