/* SPDX-License-Identifier: Apache-2.0
 *
 * convs.cu: convolutions and their gradients as products of matrices whose elements are looked
 * up in the tensors: for machines without cuDNN, and for what cuDNN refuses.
 */
#include "tiles.h"
#include "windows.h"

/* Place or cell I as three coordinates. */
template <class T>
KT_HD void
split (int64_t i, const T *dims, int64_t *at)
{
  for (int d = CU_DIMS - 1; d > 0; d--)
    {
      const int64_t rest = kt_over (i, dims[d]);
      at[d]              = i - rest * dims[d];
      i                  = rest;
    }
  at[0] = i;
}

/* Where CELL of the window at place Q of the small side lies on the large side; -1: outside. */
KT_HD int64_t
large_at (const CuGeometry &g, int64_t cell, int64_t q)
{
  int64_t k[CU_DIMS], at[CU_DIMS], offset = 0;

  split (cell, g.kernel, k);
  split (q, g.small, at);
  for (int d = 0; d < CU_DIMS; d++)
    {
      const int64_t p = at[d] * g.stride[d] + k[d] * g.dilation[d] - g.begin[d];
      if (p < 0 || p >= g.large[d])
        return -1;
      offset = offset * g.large[d] + p;
    }
  return offset;
}

/* The place of the window whose CELL lies at P of the large side; -1: there is none. */
KT_HD int64_t
small_at (const CuGeometry &g, int64_t cell, int64_t p)
{
  int64_t k[CU_DIMS], at[CU_DIMS], offset = 0;

  split (cell, g.kernel, k);
  split (p, g.large, at);
  for (int d = 0; d < CU_DIMS; d++)
    {
      const int64_t v = at[d] + g.begin[d] - k[d] * g.dilation[d];
      if (v < 0)
        return -1;
      const int64_t q = kt_over (v, g.stride[d]);
      if (q * g.stride[d] != v || q >= g.small[d])
        return -1;
      offset = offset * g.small[d] + q;
    }
  return offset;
}

/* What the three kinds have alike. */
template <class W> struct Conv
{
  CuConv q;
  int64_t rows, cols, count, parts;

  KT_INSIDE int32_t
  round () const
  {
    return q.round;
  }
};

/* An image is the result. Rows: its channels in a group; columns: images and their places. */
template <class W> struct Image : Conv<W>
{
  int64_t depth, area; /* of the sum; places of an image */

  KT_INSIDE int64_t
  from (int64_t part) const
  {
    return part;
  }
  KT_INSIDE int64_t
  to (int64_t part) const
  {
    return part + depth;
  }
  KT_INSIDE void
  put (int64_t n, int64_t part, int64_t i, int64_t j, W sum) const
  {
    const CuConv &q     = this->q;
    const int64_t image = kt_over (j, area), channel = n * this->rows + i + part;
    const W bias = q.bias ? KtMemory<W>::load (q.bias, channel, q.dtype) : (W) 0;
    KtMemory<W>::store (
        q.out, (image * q.group * this->rows + channel) * area + (j - image * area),
        q.dtype, q.bias ? sum + bias : sum);
  }
};

/* small = weights x large */
template <class W> struct Small : Image<W>
{
  KT_INSIDE W
  a (int64_t n, int64_t i, int64_t k) const
  {
    const CuConv &q = this->q;
    return KtMemory<W>::load (q.weights, (n * q.m + i) * q.c * q.g.cells + k, q.dtype);
  }
  KT_INSIDE W
  b (int64_t n, int64_t k, int64_t j) const
  {
    const CuConv &q = this->q;
    const int64_t c = kt_over (k, q.g.cells), image = kt_over (j, q.g.small_area);
    const int64_t at = large_at (q.g, k - c * q.g.cells, j - image * q.g.small_area);
    return at < 0 ? (W) 0
                  : KtMemory<W>::load (
                      q.large, ((image * q.group + n) * q.c + c) * q.g.large_area + at,
                      q.dtype);
  }
};

/* large = weights' x small */
template <class W> struct Large : Image<W>
{
  KT_INSIDE W
  a (int64_t n, int64_t i, int64_t k) const
  {
    const CuConv &q = this->q;
    const int64_t m = kt_over (k, q.g.cells), cell = k - m * q.g.cells;
    return KtMemory<W>::load (q.weights, ((n * q.m + m) * q.c + i) * q.g.cells + cell,
                              q.dtype);
  }
  KT_INSIDE W
  b (int64_t n, int64_t k, int64_t j) const
  {
    const CuConv &q = this->q;
    const int64_t m = kt_over (k, q.g.cells), image = kt_over (j, q.g.large_area);
    const int64_t at = small_at (q.g, k - m * q.g.cells, j - image * q.g.large_area);
    return at < 0 ? (W) 0
                  : KtMemory<W>::load (
                      q.small, ((image * q.group + n) * q.m + m) * q.g.small_area + at,
                      q.dtype);
  }
};

/* weights = small x large'. Rows: channels of the small side; columns: channels of the large
 * side and cells; the sum goes over images and places, in parts. */
template <class W> struct Weights : Conv<W>
{
  KT_INSIDE W
  a (int64_t n, int64_t i, int64_t k) const
  {
    const CuConv &q     = this->q;
    const int64_t image = kt_over (k, q.g.small_area), at = k - image * q.g.small_area;
    return KtMemory<W>::load (
        q.small, ((image * q.group + n) * q.m + i) * q.g.small_area + at, q.dtype);
  }
  KT_INSIDE W
  b (int64_t n, int64_t k, int64_t j) const
  {
    const CuConv &q = this->q;
    const int64_t c = kt_over (j, q.g.cells), image = kt_over (k, q.g.small_area);
    const int64_t at = large_at (q.g, j - c * q.g.cells, k - image * q.g.small_area);
    return at < 0 ? (W) 0
                  : KtMemory<W>::load (
                      q.large, ((image * q.group + n) * q.c + c) * q.g.large_area + at,
                      q.dtype);
  }
  KT_INSIDE int64_t
  all () const
  {
    return this->q.batch * this->q.g.small_area;
  }
  KT_INSIDE int64_t
  share () const
  {
    return (all () + this->parts - 1) / this->parts;
  }
  KT_INSIDE int64_t
  from (int64_t part) const
  {
    return part * share ();
  }
  KT_INSIDE int64_t
  to (int64_t part) const
  {
    const int64_t end = (part + 1) * share ();
    return end < all () ? end : all ();
  }
  KT_INSIDE void
  put (int64_t n, int64_t part, int64_t i, int64_t j, W sum) const
  {
    const CuConv &q  = this->q;
    const int64_t at = (n * this->rows + i) * this->cols + j;
    if (this->parts > 1)
      ((W *) q.partial)[part * this->count * this->rows * this->cols + at] = sum;
    else
      KtMemory<W>::store (q.out, at, q.dtype, sum);
  }
};

template <class W, class P>
KT_GLOBAL void
conv_kernel (const P p)
{
  kt_tiles<W> (p);
}

/* The parts of each element's sum, in order. */
template <class W>
KT_GLOBAL void
fold_kernel (const CuConv q)
{
  const int64_t all = q.group * q.m * q.c * q.g.cells;

  for (int64_t i = KT_FIRST; i < all; i += KT_STEP)
    {
      W sum = 0;
      for (int64_t part = 0; part < q.parts; part++)
        sum += ((const W *) q.partial)[part * all + i];
      KtMemory<W>::store (q.out, i, q.dtype, sum);
    }
}

template <class W, class P>
static void
launch_as (const P &p, void *stream)
{
  kt_launch_blocks (conv_kernel<W, P>, KT_TILES_OF (p.rows, p.cols) * p.count * p.parts,
                    p, stream);
}

template <class W>
static void
launch_conv (const CuConv *q, void *stream)
{
  if (q->role == 1)
    {
      const Small<W> p = { { { *q, q->m, q->batch * q->g.small_area, q->group, 1 },
                             q->c * q->g.cells,
                             q->g.small_area } };
      launch_as<W> (p, stream);
    }
  else if (q->role == 0)
    {
      const Large<W> p = { { { *q, q->c, q->batch * q->g.large_area, q->group, 1 },
                             q->m * q->g.cells,
                             q->g.large_area } };
      launch_as<W> (p, stream);
    }
  else
    {
      const Weights<W> p = { { *q, q->m, q->c * q->g.cells, q->group, q->parts } };
      launch_as<W> (p, stream);
      if (q->parts > 1)
        kt_launch (fold_kernel<W>, q->group * q->m * q->c * q->g.cells, *q, stream);
    }
}

void
cu_conv_launch (const CuConv *p, void *stream)
{
  if (p->dtype == KT_F64)
    launch_conv<double> (p, stream);
  else
    launch_conv<float> (p, stream);
}

/* One block per channel: 256 sums, then a tree over them. */
template <class W>
KT_GLOBAL void
bias_grad_kernel (const CuBiasGrad q)
{
  KT_SHARED double sum[KT_THREADS];

  for (int64_t c = KT_BLOCK_INDEX; c < q.channels; c += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        double s = 0;
        for (int64_t i = t; i < q.batch * q.area; i += KT_THREADS)
          {
            const int64_t image = kt_over (i, q.area);
            s += (double) KtMemory<W>::load (
                q.x, (image * q.channels + c) * q.area + (i - image * q.area), q.dtype);
          }
        sum[t] = s;
      }
      for (int half = KT_THREADS / 2; half > 0; half /= 2)
        {
          KT_EACH (t)
          {
            if (t < half)
              sum[t] += sum[t + half];
          }
        }
      KT_EACH (t)
      {
        if (t == 0)
          KtMemory<W>::store (q.y, c, q.dtype, (W) sum[0]);
      }
    }
}

void
cu_bias_grad_launch (const CuBiasGrad *p, void *stream)
{
  if (p->dtype == KT_F64)
    kt_launch_blocks (bias_grad_kernel<double>, p->channels, *p, stream);
  else
    kt_launch_blocks (bias_grad_kernel<float>, p->channels, *p, stream);
}
