/* SPDX-License-Identifier: Apache-2.0
 *
 * norms.cu: batch normalisation and its gradient. The moments of a channel are taken piece by
 * piece, a block each, in two passes: the second one around the first one's mean, so that
 * nothing cancels; pieces are joined in order, in double (as ops/norm.h does on the CPU). The
 * pieces follow from the shape, and so do the sums' order and bits.
 */
#include "tiles.h"
#include "windows.h"

#define MOMENTS 5 /* n, mean, m2, sum of dy, of dy (x - mean) */
#define LINE 4    /* m, a, b, c */

/* sum[0] becomes the sum of all; a tree over the threads. */
#define KT_TREE(SUM)                                                                     \
  for (int half = KT_THREADS / 2; half > 0; half /= 2)                                   \
    {                                                                                    \
      KT_EACH (t)                                                                        \
      {                                                                                  \
        if (t < half)                                                                    \
          SUM[t] += SUM[t + half];                                                       \
      }                                                                                  \
    }

/* Where element I of channel C is. */
KT_HD int64_t
place (const CuNorm &p, int64_t c, int64_t i)
{
  const int64_t row = kt_over (i, p.inner);

  return (row * p.channels + c) * p.inner + (i - row * p.inner);
}

template <class W>
KT_GLOBAL void
moments_kernel (const CuNorm p)
{
  KT_SHARED double first[KT_THREADS], second[KT_THREADS], third[KT_THREADS],
      fourth[KT_THREADS];
  const int64_t all = p.rows * p.inner, share = (all + p.pieces - 1) / p.pieces;

  for (int64_t b = KT_BLOCK_INDEX; b < p.channels * p.pieces; b += KT_N_BLOCKS)
    {
      const int64_t c = b / p.pieces, piece = b - c * p.pieces;
      const int64_t begin = piece * share, end = begin + share < all ? begin + share : all;
      const double n = end > begin ? (double) (end - begin) : 0;

      KT_EACH (t)
      {
        double s = 0;
        for (int64_t i = begin + t; i < end; i += KT_THREADS)
          s += (double) KtMemory<W>::load (p.x, place (p, c, i), p.dtype);
        first[t] = s;
      }
      KT_TREE (first)
      KT_EACH (t)
      {
        const double mean = n > 0 ? first[0] / n : 0;
        double squares = 0, sum = 0, dot = 0;
        for (int64_t i = begin + t; i < end; i += KT_THREADS)
          {
            const int64_t at = place (p, c, i);
            const double d   = (double) KtMemory<W>::load (p.x, at, p.dtype) - mean;
            squares += d * d;
            if (p.dy)
              {
                const double dy = (double) KtMemory<W>::load (p.dy, at, p.dtype);
                sum += dy;
                dot += dy * d;
              }
          }
        second[t] = squares;
        third[t]  = sum;
        fourth[t] = dot;
      }
      KT_TREE (second)
      KT_TREE (third)
      KT_TREE (fourth)
      KT_EACH (t)
      {
        if (t == 0)
          {
            double *out = p.moments + b * MOMENTS;
            out[0]      = n;
            out[1]      = n > 0 ? first[0] / n : 0;
            out[2]      = second[0];
            out[3]      = third[0];
            out[4]      = fourth[0];
          }
      }
    }
}

/* The moments of channel C: its pieces joined (Chan, Golub, LeVeque 1979). */
KT_HD void
join (const CuNorm &p, int64_t c, double *m)
{
  for (int e = 0; e < MOMENTS; e++)
    m[e] = 0;
  for (int64_t piece = 0; piece < p.pieces; piece++)
    {
      const double *o = p.moments + (c * p.pieces + piece) * MOMENTS;
      const double n  = m[0] + o[0];
      if (o[0] == 0)
        continue;
      const double d = o[1] - m[1], mean = m[1] + d * (o[0] / n);
      m[2] += o[2] + d * d * (m[0] * (o[0] / n));
      m[4] = m[4] + m[3] * (m[1] - mean) + o[4] + o[3] * (o[1] - mean);
      m[3] += o[3];
      m[1] = mean;
      m[0] = n;
    }
}

KT_HD double
get (const void *x, int64_t i, int32_t dtype)
{
  return dtype == KT_F64 ? ((const double *) x)[i]
                         : (double) KtMemory<float>::load (x, i, dtype);
}

KT_HD void
set (void *y, int64_t i, int32_t dtype, double v)
{
  if (dtype == KT_F64)
    ((double *) y)[i] = v;
  else
    KtMemory<float>::store (y, i, dtype, (float) v);
}

/* One thread per channel: what is done with its elements, and the small outputs. Templated on
 * nothing but for the launch. */
template <int MODE>
KT_GLOBAL void
lines_kernel (const CuNorm p)
{
  for (int64_t c = KT_FIRST; c < p.channels; c += KT_STEP)
    {
      double m[MOMENTS], *line = p.lines + c * LINE;
      const double scale = get (p.scale, c, p.scale_dtype);
      if (MODE == CU_NORM_FIXED)
        {
          m[1] = get (p.mean, c, p.mean_dtype);
          m[2] = get (p.var, c, p.var_dtype);
        }
      else
        {
          join (p, c, m);
          m[2] /= m[0];
        }
      const double inv = 1 / sqrt (m[2] + p.epsilon), slope = scale * inv;
      line[0]          = m[1];
      if (MODE == CU_NORM_GRADIENT)
        {
          line[1] = -slope * inv * inv * m[4] / m[0];
          line[2] = -slope * m[3] / m[0];
          line[3] = slope;
          if (p.mean_out)
            set (p.mean_out, c, p.dtype, m[4] * inv);
          if (p.var_out)
            set (p.var_out, c, p.dtype, m[3]);
          continue;
        }
      line[1] = scale * inv;
      line[2] = get (p.bias, c, p.bias_dtype);
      line[3] = 0;
      if (MODE == CU_NORM_TRAIN && p.mean_out)
        set (p.mean_out, c, p.mean_dtype,
             get (p.mean, c, p.mean_dtype) * p.momentum + m[1] * (1 - p.momentum));
      if (MODE == CU_NORM_TRAIN && p.var_out)
        set (p.var_out, c, p.mean_dtype,
             get (p.var, c, p.var_dtype) * p.momentum + m[2] * (1 - p.momentum));
    }
}

template <class W>
KT_GLOBAL void
map_line_kernel (const CuNorm p)
{
  for (int64_t i = KT_FIRST; i < p.rows * p.channels * p.inner; i += KT_STEP)
    {
      const int64_t row  = kt_over (i, p.inner);
      const double *line = p.lines + (row - kt_over (row, p.channels) * p.channels) * LINE;
      W y = (KtMemory<W>::load (p.x, i, p.dtype) - (W) line[0]) * (W) line[1] + (W) line[2];
      if (p.dy)
        y += KtMemory<W>::load (p.dy, i, p.dtype) * (W) line[3];
      KtMemory<W>::store (p.y, i, p.dtype, y);
    }
}

template <class W>
static void
launch_norm (const CuNorm *p, void *stream)
{
  if (p->mode != CU_NORM_FIXED)
    kt_launch_blocks (moments_kernel<W>, p->channels * p->pieces, *p, stream);
  if (p->mode == CU_NORM_FIXED)
    kt_launch (lines_kernel<CU_NORM_FIXED>, p->channels, *p, stream);
  else if (p->mode == CU_NORM_TRAIN)
    kt_launch (lines_kernel<CU_NORM_TRAIN>, p->channels, *p, stream);
  else
    kt_launch (lines_kernel<CU_NORM_GRADIENT>, p->channels, *p, stream);
  kt_launch (map_line_kernel<W>, p->rows * p->channels * p->inner, *p, stream);
}

void
cu_norm_launch (const CuNorm *p, void *stream)
{
  if (p->dtype == KT_F64)
    launch_norm<double> (p, stream);
  else
    launch_norm<float> (p, stream);
}
