/* SPDX-License-Identifier: Apache-2.0
 *
 * values.cu: Clip and its gradient, Cast, Pow, ArgMax and ArgMin, Dropout and random numbers.
 */
#include "philox.h"
#include "place.h"
#include "real.h"

/* Clip: as ops/math/clip.c; an x that is NaN stays, a bound that is NaN makes all NaN. */
template <class W>
KT_GLOBAL void
clip_kernel (const kt_clip_params q)
{
  typedef KtMemory<W> M;
  const bool has_low = q.low, has_high = q.high;
  const W low    = has_low ? M::load (q.low, 0, q.dtype) : (W) 0,
          high   = has_high ? M::load (q.high, 0, q.dtype) : (W) 0;
  const bool nan = low != low || high != high;

  for (int64_t i = KT_FIRST; i < q.n; i += KT_STEP)
    {
      const W x = M::load (q.x, i, q.dtype);
      W y;
      if (q.dy)
        y = (has_low && x < low) || (has_high && x > high) ? (W) 0
                                                           : M::load (q.dy, i, q.dtype);
      else
        {
          y = has_low && x < low ? low : x;
          y = has_high && y > high ? high : y;
          if (nan)
            y = low + high;
        }
      M::store (q.y, i, q.dtype, y);
    }
}

void
kt_clip_launch (const kt_clip_params *q, void *stream)
{
  KT_BY_CLASS (clip_kernel, uint64_t, q, q->n, stream)
}

/* Cast. From floats by double, from integers by 64 bits. */
static KT_GLOBAL void
cast_kernel (const kt_cast_params q)
{
  const bool is_signed = kt_is_signed (q.from);

  for (int64_t i = KT_FIRST; i < q.n; i += KT_STEP)
    {
      if (kt_is_real (q.from))
        {
          kt_store_real (q.y, i, q.to, kt_load_real (q.x, i, q.from));
          continue;
        }
      const uint64_t v = kt_load_whole (q.x, i, q.from);
      if (q.to == KT_F32)
        ((float *) q.y)[i] = is_signed ? (float) (int64_t) v : (float) v;
      else if (kt_is_real (q.to))
        kt_store_real (q.y, i, q.to, is_signed ? (double) (int64_t) v : (double) v);
      else
        kt_store_whole (q.y, i, q.to, q.to == KT_BOOL ? v != 0 : v);
    }
}

void
kt_cast_launch (const kt_cast_params *q, void *stream)
{
  kt_launch (cast_kernel, q->n, *q, stream);
}

template <class W>
KT_GLOBAL void
pow_kernel (const kt_pow_params q)
{
  typedef KtMemory<W> M;

  for (int64_t i = KT_FIRST; i < q.at.count; i += KT_STEP)
    {
      int64_t at[3];
      kt_places<2> (q.at, i, at);
      const W x = M::load (q.x, at[0], q.dtype), e = M::load (q.e, at[1], q.dtype);
      M::store (q.y, i, q.dtype, e == 2 ? x * x : kt_pow (x, e));
    }
}

void
kt_pow_launch (const kt_pow_params *q, void *stream)
{
  kt_launch (q->dtype == KT_F64 ? pow_kernel<double> : pow_kernel<float>, q->at.count, *q,
             stream);
}

/* The first (or last) of the best; NaN is larger than every number. */
template <class W>
KT_GLOBAL void
arg_kernel (const kt_arg_params q)
{
  typedef KtMemory<W> M;

  for (int64_t i = KT_FIRST; i < q.outs; i += KT_STEP)
    {
      const int64_t outer = kt_over (i, q.inner),
                    at    = outer * q.n * q.inner + (i - outer * q.inner);
      W best              = M::load (q.x, at, q.dtype);
      int64_t where       = 0;

      for (int64_t k = 1; k < q.n; k++)
        {
          const W x        = M::load (q.x, at + k * q.inner, q.dtype);
          const bool x_nan = x != x, best_nan = best != best;
          const bool same = x == best || (x_nan && best_nan);
          const bool more = best_nan ? false : x_nan || x > best;
          const bool less = x_nan ? false : best_nan || x < best;
          if (same ? q.last : q.least ? less : more)
            {
              best  = x;
              where = k;
            }
        }
      q.y[i] = where;
    }
}

void
kt_arg_launch (const kt_arg_params *q, void *stream)
{
  KT_BY_CLASS (arg_kernel, uint64_t, q, q->outs, stream)
}

/* As ops/nn/dropout.c: a block of Philox for four elements, so the mask is the CPU's. */
static KT_GLOBAL void
dropout_kernel (const kt_dropout_params q)
{
  const kt_stream draws = { { q.key[0], q.key[1] }, { q.step[0], q.step[1] } };

  for (int64_t block = KT_FIRST; block * 4 < q.n; block += KT_STEP)
    {
      uint32_t word[4];
      kt_philox (&draws, (uint64_t) block, word);
      for (int k = 0; k < 4 && block * 4 + k < q.n; k++)
        {
          const int64_t i = block * 4 + k;
          const bool keep = kt_uniform_24 (word[k]) >= q.ratio;
          if (q.mask)
            q.mask[i] = keep;
          if (q.dtype == KT_F32)
            ((float *) q.y)[i] = keep ? ((const float *) q.x)[i] * (float) q.scale : 0;
          else if (q.dtype == KT_F64)
            ((double *) q.y)[i] = keep ? ((const double *) q.x)[i] * q.scale : 0;
          else
            kt_store_real (
                q.y, i, q.dtype,
                keep ? (double) KtMemory<float>::load (q.x, i, q.dtype) * q.scale : 0);
        }
    }
}

void
kt_dropout_launch (const kt_dropout_params *q, void *stream)
{
  kt_launch (dropout_kernel, (q->n + 3) / 4, *q, stream);
}

/* As ops/generator: a block of Philox makes four elements, of double two. */
static KT_GLOBAL void
random_kernel (const kt_random_params q)
{
  const kt_stream draws = { { q.key[0], q.key[1] }, { q.step[0], q.step[1] } };
  const int each        = q.dtype == KT_F64 ? 2 : 4;

  for (int64_t block = KT_FIRST; block * each < q.n; block += KT_STEP)
    {
      uint32_t w[4];
      double v[4] = { 0, 0, 0, 0 };
      kt_philox (&draws, (uint64_t) block, w);
      if (each == 2 && q.normal)
        kt_normal_pair (kt_uniform_53 (w[0], w[1]) + 0x1p-53, kt_uniform_53 (w[2], w[3]),
                        v);
      else if (each == 2)
        for (int k = 0; k < 2; k++)
          v[k] = kt_uniform_53 (w[2 * k], w[2 * k + 1]);
      else if (q.normal)
        for (int k = 0; k < 4; k += 2)
          kt_normal_pair (((double) w[k] + 1) * 0x1p-32, (double) w[k + 1] * 0x1p-32,
                          v + k);
      else
        for (int k = 0; k < 4; k++)
          v[k] = kt_uniform_24 (w[k]);
      for (int k = 0; k < each && block * each + k < q.n; k++)
        kt_store_real (q.y, block * each + k, q.dtype,
                       q.normal ? q.a + q.b * v[k] : q.a + (q.b - q.a) * v[k]);
    }
}

void
kt_random_launch (const kt_random_params *q, void *stream)
{
  kt_launch (random_kernel, (q->n + 1) / 2, *q, stream);
}
