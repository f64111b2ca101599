/* SPDX-License-Identifier: Apache-2.0
 *
 * pools.cu: pools and their gradients: one thread per element of the result, which gathers what
 * belongs to it, so that no two threads add to the same place and sums have one order.
 */
#include "tiles.h"
#include "windows.h"

/* The cells of the window at place Q that lie inside the plane: from .. to - 1 per dim, the
 * first of them at START. */
struct Reach
{
  int64_t start[CU_DIMS];
  int32_t from[CU_DIMS], to[CU_DIMS];
};

KT_HD void
inside (int64_t start, int64_t limit, int32_t n, int32_t step, int32_t *from, int32_t *to)
{
  const int64_t first = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t end   = start < limit ? (limit - start + step - 1) / step : 0;

  *to   = (int32_t) (end < n ? end : n);
  *from = (int32_t) (first < *to ? first : *to);
}

KT_HD void
reach_of (const CuGeometry &g, int64_t q, Reach *r)
{
  for (int d = CU_DIMS - 1; d >= 0; d--)
    {
      const int64_t rest = kt_over (q, g.small[d]);
      r->start[d]        = (q - rest * g.small[d]) * g.stride[d] - g.begin[d];
      inside (r->start[d], g.large[d], g.kernel[d], g.dilation[d], &r->from[d], &r->to[d]);
      q = rest;
    }
}

/* How many cells the window at place Q of dim D is divided by. */
KT_HD int64_t
cells_of (const CuPool3 &p, int d, int64_t q)
{
  const CuGeometry &g = p.g;
  int32_t from, to;

  if (p.include_pad) /* what ceil_mode lets stand out beyond the padding does not count */
    inside (q * g.stride[d], g.begin[d] + g.large[d] + g.end[d], g.kernel[d],
            g.dilation[d], &from, &to);
  else
    inside (q * g.stride[d] - g.begin[d], g.large[d], g.kernel[d], g.dilation[d], &from,
            &to);
  return to > from ? to - from : 1;
}

KT_HD int64_t
all_cells_of (const CuPool3 &p, int64_t q)
{
  int64_t n = 1;

  for (int d = CU_DIMS - 1; d >= 0; d--)
    {
      const int64_t rest = kt_over (q, p.g.small[d]);
      n *= cells_of (p, d, q - rest * p.g.small[d]);
      q = rest;
    }
  return n;
}

/* NaN is the largest, and the first of the largest is taken. */
template <class W>
KT_HD bool
beats (W x, W best)
{
  return x > best || (x != x && best == best);
}

/* The largest cell of the window at place Q of the plane at BASE: its place there. */
template <class W>
KT_HD int64_t
largest (const CuPool3 &p, int64_t base, int64_t q, W *value)
{
  int64_t best = -1;
  W most       = 0;
  Reach r;

  reach_of (p.g, q, &r);
  for (int32_t i = r.from[0]; i < r.to[0]; i++)
    for (int32_t j = r.from[1]; j < r.to[1]; j++)
      for (int32_t k = r.from[2]; k < r.to[2]; k++)
        {
          const int64_t at
              = ((r.start[0] + (int64_t) i * p.g.dilation[0]) * p.g.large[1] + r.start[1]
                 + (int64_t) j * p.g.dilation[1])
                    * p.g.large[2]
                + r.start[2] + (int64_t) k * p.g.dilation[2];
          const W x = KtMemory<W>::load (p.x, base + at, p.dtype);
          if (best < 0 || beats (x, most))
            {
              best = at;
              most = x;
            }
        }
  *value = most;
  return best;
}

/* The same place, if elements are counted along the first spatial dim first. */
KT_HD int64_t
by_columns (const CuGeometry &g, int64_t at)
{
  const int64_t i = kt_over (at, g.large[1] * g.large[2]);
  const int64_t rest = at - i * g.large[1] * g.large[2], j = kt_over (rest, g.large[2]);

  return i + g.large[0] * (j + g.large[1] * (rest - j * g.large[2]));
}

template <class W>
KT_GLOBAL void
max_pool_kernel (const CuPool3 p)
{
  for (int64_t i = KT_FIRST; i < p.planes * p.g.small_area; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, p.g.small_area), base = plane * p.g.large_area;
      W value;
      const int64_t at = largest<W> (p, base, i - plane * p.g.small_area, &value);
      if (p.y)
        KtMemory<W>::store (p.y, i, p.dtype, value);
      if (p.indices)
        p.indices[i] = base + (p.by_columns ? by_columns (p.g, at) : at);
      if (p.cells)
        p.cells[i] = (int32_t) at;
    }
}

/* The places of dim D whose windows may have a cell at X, counted from the padding's begin:
 * from .. to. */
KT_HD void
windows_over (const CuGeometry &g, int d, int64_t x, int64_t *from, int64_t *to)
{
  const int64_t first = x - (int64_t) (g.kernel[d] - 1) * g.dilation[d];
  const int64_t last  = kt_over (x, g.stride[d]);

  *from = first > 0 ? kt_over (first + g.stride[d] - 1, g.stride[d]) : 0;
  *to   = last < g.small[d] - 1 ? last : g.small[d] - 1;
}

/* Calls USE (q) for the places of all windows that have a cell at place AT of the plane. */
template <class F>
KT_ON_DEVICE void
each_window (const CuGeometry &g, int64_t at, const F &use)
{
  int64_t x[CU_DIMS], from[CU_DIMS], to[CU_DIMS];

  for (int d = CU_DIMS - 1; d >= 0; d--)
    {
      const int64_t rest = kt_over (at, g.large[d]);
      x[d]               = at - rest * g.large[d] + g.begin[d];
      windows_over (g, d, x[d], &from[d], &to[d]);
      at = rest;
    }
  for (int64_t i = from[0]; i <= to[0]; i++)
    for (int64_t j = from[1]; j <= to[1]; j++)
      for (int64_t k = from[2]; k <= to[2]; k++)
        if ((x[0] - i * g.stride[0]) % g.dilation[0] == 0
            && (x[1] - j * g.stride[1]) % g.dilation[1] == 0
            && (x[2] - k * g.stride[2]) % g.dilation[2] == 0)
          use ((i * g.small[1] + j) * g.small[2] + k);
}

template <class W>
KT_GLOBAL void
max_pool_grad_kernel (const CuPool3 p)
{
  for (int64_t i = KT_FIRST; i < p.planes * p.g.large_area; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, p.g.large_area), at = i - plane * p.g.large_area;
      W sum = 0;
      each_window (p.g, at, [&] (int64_t q) {
        const int64_t window = plane * p.g.small_area + q;
        if (p.cells[window] == at)
          sum += KtMemory<W>::load (p.dy, window, p.dtype);
      });
      KtMemory<W>::store (p.y, i, p.dtype, sum);
    }
}

template <class W>
KT_GLOBAL void
average_pool_kernel (const CuPool3 p)
{
  for (int64_t i = KT_FIRST; i < p.planes * p.g.small_area; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, p.g.small_area), q = i - plane * p.g.small_area;
      W sum = 0;
      Reach r;
      reach_of (p.g, q, &r);
      for (int32_t a = r.from[0]; a < r.to[0]; a++)
        for (int32_t b = r.from[1]; b < r.to[1]; b++)
          for (int32_t c = r.from[2]; c < r.to[2]; c++)
            sum += KtMemory<W>::load (
                p.x,
                plane * p.g.large_area
                    + ((r.start[0] + (int64_t) a * p.g.dilation[0]) * p.g.large[1]
                       + r.start[1] + (int64_t) b * p.g.dilation[1])
                          * p.g.large[2]
                    + r.start[2] + (int64_t) c * p.g.dilation[2],
                p.dtype);
      KtMemory<W>::store (p.y, i, p.dtype, sum / (W) all_cells_of (p, q));
    }
}

template <class W>
KT_GLOBAL void
average_pool_grad_kernel (const CuPool3 p)
{
  for (int64_t i = KT_FIRST; i < p.planes * p.g.large_area; i += KT_STEP)
    {
      const int64_t plane = kt_over (i, p.g.large_area), at = i - plane * p.g.large_area;
      W sum = 0;
      each_window (p.g, at, [&] (int64_t q) {
        sum += KtMemory<W>::load (p.dy, plane * p.g.small_area + q, p.dtype)
               / (W) all_cells_of (p, q);
      });
      KtMemory<W>::store (p.y, i, p.dtype, sum);
    }
}

#define LAUNCH(NAME, W, AREA)                                                            \
  kt_launch (NAME##_kernel<W>, p->planes *p->g.AREA, *p, stream)

void
cu_max_pool_launch (const CuPool3 *p, void *stream)
{
  if (p->dtype == KT_F64)
    LAUNCH (max_pool, double, small_area);
  else if (p->dtype == KT_I8 || p->dtype == KT_U8)
    LAUNCH (max_pool, int64_t, small_area);
  else
    LAUNCH (max_pool, float, small_area);
}

void
cu_max_pool_grad_launch (const CuPool3 *p, void *stream)
{
  CuPool3 find = *p;

  find.y = nullptr;
  cu_max_pool_launch (&find, stream);
  if (p->dtype == KT_F64)
    LAUNCH (max_pool_grad, double, large_area);
  else
    LAUNCH (max_pool_grad, float, large_area);
}

void
cu_average_pool_launch (const CuPool3 *p, void *stream)
{
  if (p->dtype == KT_F64)
    LAUNCH (average_pool, double, small_area);
  else
    LAUNCH (average_pool, float, small_area);
}

void
cu_average_pool_grad_launch (const CuPool3 *p, void *stream)
{
  if (p->dtype == KT_F64)
    LAUNCH (average_pool_grad, double, large_area);
  else
    LAUNCH (average_pool_grad, float, large_area);
}
