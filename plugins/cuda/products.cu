/* SPDX-License-Identifier: Apache-2.0
 *
 * products.cu: matrix products of our own, for machines without cuBLASLt and for types that it
 * does not have.
 */
#include "product.h"
#include "tiles.h"

template <class W>
KT_GLOBAL void
start_kernel (const CuStart q)
{
  const W beta = kt_factor<W> (q.beta);

  for (int64_t i = KT_FIRST; i < q.count; i += KT_STEP)
    {
      const int64_t row = kt_over (i, q.n), col = i - row * q.n;
      const int64_t at = row % q.rows * q.c_row + col * q.c_col;
      KtMemory<W>::store (q.y, i, q.dtype,
                          q.c ? beta * KtMemory<W>::load (q.c, at, q.dtype) : (W) 0);
    }
}

template <class W> struct Matrices
{
  CuTiles q;
  W alpha;
  int64_t rows, cols, count, parts;

  KT_INSIDE W
  a (int64_t n, int64_t i, int64_t k) const
  {
    return KtMemory<W>::load (q.a, n * q.a_step + i * q.a_row + k * q.a_col, q.dtype);
  }
  KT_INSIDE W
  b (int64_t n, int64_t k, int64_t j) const
  {
    return KtMemory<W>::load (q.b, n * q.b_step + k * q.b_row + j * q.b_col, q.dtype);
  }
  KT_INSIDE int32_t
  round () const
  {
    return q.round;
  }
  KT_INSIDE int64_t
  from (int64_t part) const
  {
    return part;
  }
  KT_INSIDE int64_t
  to (int64_t part) const
  {
    return part + q.k;
  }
  KT_INSIDE void
  put (int64_t n, int64_t part, int64_t i, int64_t j, W sum) const
  {
    const int64_t at = (n * rows + i) * cols + j + part;
    const W y        = q.add ? KtMemory<W>::load (q.y, at, q.dtype) : (W) 0;
    KtMemory<W>::store (q.y, at, q.dtype, q.add ? y + alpha * sum : alpha * sum);
  }
};

template <class W>
KT_GLOBAL void
product_kernel (const Matrices<W> p)
{
  kt_tiles<W> (p);
}

template <class W>
static void
launch_start (const CuStart *p, void *stream)
{
  kt_launch (start_kernel<W>, p->count, *p, stream);
}

template <class W>
static void
launch_tiles (const CuTiles *q, void *stream)
{
  const Matrices<W> p = { *q, kt_factor<W> (q->alpha), q->m, q->n, q->count, 1 };

  kt_launch_blocks (product_kernel<W>, KT_TILES_OF (q->m, q->n) * q->count, p, stream);
}

void
cu_start_launch (const CuStart *p, void *stream)
{
  switch (p->dtype)
    {
    case KT_F32:
    case KT_F16:
    case KT_BF16:
      launch_start<float> (p, stream);
      break;
    case KT_F64:
      launch_start<double> (p, stream);
      break;
    default:
      launch_start<uint64_t> (p, stream);
    }
}

void
cu_tiles_launch (const CuTiles *p, void *stream)
{
  switch (p->dtype)
    {
    case KT_F32:
    case KT_F16:
    case KT_BF16:
      launch_tiles<float> (p, stream);
      break;
    case KT_F64:
      launch_tiles<double> (p, stream);
      break;
    default:
      launch_tiles<uint64_t> (p, stream);
    }
}
