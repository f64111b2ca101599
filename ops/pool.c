/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c: shape rule of pools, and which cells of a window lie inside the plane.
 */
#include "pool.h"
#include "emit.h"

#define ROW_WORK 32768 /* cells looked at that are worth a hand-over */

/* Dims of X: its type, or what is known of the content of input 1. */
static kt_status
read_x (const kt_host *host, const void *ctx, int32_t from, int32_t *ndim,
        const int64_t **dims)
{
  const kt_type t = kt_in_type (host, ctx, from < 0 ? 1 : from);
  const kt_type o = kt_out_type (host, ctx, 0);
  const int64_t *v;
  size_t n;

  *ndim = t.kind ? t.ndim : -1;
  *dims = t.dims;
  if (from >= 0)
    return KT_OK;
  if (t.kind && t.ndim >= 0 && t.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "input 1 has rank %d, must be a vector",
                    (int) t.ndim);
  KT_TRY (host->ints (ctx, 1, &v, &n));
  for (size_t d = 0; v && d < n; d++)
    if (v[d] < 0 && !KT_IS_DIM (v[d]))
      return kt_fail (host, ctx, KT_E_VALUE, "shape has %lld at %zu", (long long) v[d],
                      d);
  *ndim = v ? (int32_t) n : o.kind ? o.ndim : -1;
  *dims = v ? v : o.dims;
  return KT_OK;
}

kt_status
kt_pool_read (const kt_host *host, const void *ctx, int32_t from, kt_pool *pool)
{
  const int64_t *dims;
  int32_t ndim;

  pool->dtype       = kt_in_type (host, ctx, 0).dtype;
  pool->include_pad = kt_attr_int (host, ctx, "count_include_pad", 0) != 0;
  pool->by_columns  = kt_attr_int (host, ctx, "storage_order", 0) != 0;
  pool->range       = NULL;
  KT_TRY (read_x (host, ctx, from, &ndim, &dims));
  if (ndim >= 0 && (ndim < 3 || ndim > KT_MAX_RANK))
    return kt_fail (host, ctx, KT_E_SHAPE, "X has rank %d, must be in 3..%d", (int) ndim,
                    KT_MAX_RANK);
  pool->rank = ndim;
  pool->w.n  = ndim < 0 ? -1 : ndim - 2;
  for (int32_t d = 0; d < pool->w.n; d++)
    pool->w.kernel[d] = KT_DIM (0);
  KT_TRY (kt_window_read (host, ctx, &pool->w));
  if (pool->w.n < 0)
    return KT_OK;
  pool->rank = pool->w.n + 2;
  for (int32_t d = 0; d < pool->w.n; d++)
    {
      if (!kt_dim_known (pool->w.kernel[d]))
        return kt_fail (host, ctx, KT_E_ATTR, "the attribute kernel_shape is missing");
      pool->w.large[d] = ndim < 0 ? KT_DIM (0) : dims[d + 2];
    }
  KT_TRY (kt_window_slide (host, ctx, &pool->w));
  for (int32_t d = 0; d < pool->rank; d++)
    pool->dims[d] = d >= 2 ? pool->w.small[d - 2] : ndim < 0 ? KT_DIM (0) : dims[d];
  return KT_OK;
}

kt_status
kt_pool_infer_grad (const kt_host *host, kt_infer *infer, int32_t from, int32_t dy_input)
{
  const kt_type dy = kt_in_type (host, infer, dy_input);
  const int64_t *dims;
  kt_pool pool;
  int32_t ndim;

  KT_TRY (kt_pool_read (host, infer, from, &pool));
  if (pool.rank >= 0 && dy.kind && dy.ndim >= 0 && dy.ndim != pool.rank)
    return kt_fail (host, infer, KT_E_SHAPE, "dY has rank %d, X has %d", (int) dy.ndim,
                    (int) pool.rank);
  for (int32_t d = 0; dy.kind && d < dy.ndim && pool.rank >= 0; d++)
    if (kt_dim_known (dy.dims[d]) && kt_dim_known (pool.dims[d])
        && dy.dims[d] != pool.dims[d])
      return kt_fail (host, infer, KT_E_SHAPE, "dim %d of dY is %lld, must be %lld",
                      (int) d, (long long) dy.dims[d], (long long) pool.dims[d]);
  KT_TRY (read_x (host, infer, from, &ndim, &dims));
  return pool.dtype ? kt_set_out (host, infer, 0, pool.dtype, dims, ndim) : KT_OK;
}

/* Cells k of dim D with 0 <= start + k dilation < limit are from .. to - 1. */
static void
inside (const kt_window *w, int32_t d, int64_t start, int64_t limit, int64_t *from,
        int64_t *to)
{
  const int64_t step = w->dilation[d], n = w->kernel[d];
  const int64_t first = start < 0 ? (-start + step - 1) / step : 0;
  const int64_t end   = start < limit ? (limit - start + step - 1) / step : 0;

  *to   = end < n ? end : n;
  *from = first < *to ? first : *to;
}

static int64_t
start_of (const kt_window *w, int32_t d, int64_t q)
{
  return q * w->stride[d] - w->begin[d];
}

static kt_status
check_cells (const kt_host *host, kt_prep *prep, const kt_pool *pool)
{
  const kt_window *const w = &pool->w;

  for (int32_t d = 0; d < w->n; d++)
    for (int64_t q = 0; q < w->small[d]; q++)
      {
        int64_t from, to;
        inside (w, d, start_of (w, d, q), w->large[d], &from, &to);
        if (from == to)
          return kt_fail (host, prep, KT_E_SHAPE,
                          "window %lld along axis %d has no cell inside the input",
                          (long long) q, (int) d + 2);
      }
  return KT_OK;
}

kt_status
kt_pool_plan (const kt_host *host, kt_prep *prep, kt_pool *pool, bool needs_cell)
{
  const kt_window *const w = &pool->w;
  const int32_t last       = w->n - 1;
  const int64_t kernel = w->kernel[last], stride = w->stride[last], in = w->large[last];
  int64_t cells = 1;
  void *p;

  pool->planes = kt_count (pool->dims, 2);
  pool->area   = kt_count (w->large, w->n);
  pool->width  = w->small[last];
  pool->rows   = kt_count (w->small, last);
  pool->places = pool->rows * pool->width;
  if (pool->planes == 0 || pool->places == 0)
    return KT_OK;
  if (needs_cell)
    KT_TRY (check_cells (host, prep, pool));
  for (int32_t d = 0; d < w->n; d++)
    if (__builtin_mul_overflow (cells, w->kernel[d], &cells) || cells > INT32_MAX)
      return kt_fail (host, prep, KT_E_LIMIT, "the kernel has more than 2^31 cells");
  pool->step[last] = 1;
  for (int32_t d = last; d > 0; d--)
    pool->step[d - 1] = pool->step[d] * w->large[d];
  KT_TRY (host->keep (prep, (size_t) kernel * sizeof *pool->range, &p));
  pool->range = p;
  for (int64_t j = 0; j < kernel; j++)
    {
      const int64_t shift  = w->begin[last] - j * w->dilation[last]; /* q s >= shift */
      const int64_t first  = shift > 0 ? (shift + stride - 1) / stride : 0;
      const int64_t end    = in + shift > 0 ? (in + shift + stride - 1) / stride : 0;
      pool->range[j].end   = end < pool->width ? end : pool->width;
      pool->range[j].first = first < pool->range[j].end ? first : pool->range[j].end;
    }

  KT_TRY (host->keep (prep, (size_t) cells * sizeof *pool->cell_at, &p));
  pool->cell_at = p;
  for (int64_t k = 0; k < cells; k++)
    for (int64_t d = last, rest = k; d >= 0; d--)
      {
        pool->cell_at[k] += rest % w->kernel[d] * w->dilation[d] * pool->step[d];
        rest /= w->kernel[d];
      }

  const double work = (double) cells * (double) (pool->width + 8);
  pool->grain       = work < ROW_WORK ? (int64_t) (ROW_WORK / work) : 1;
  return KT_OK;
}

bool
kt_pool_first (const kt_pool *pool, int64_t row, kt_pool_walk *walk)
{
  const kt_window *const w = &pool->w;
  int64_t unit             = w->kernel[w->n - 1];

  walk->offset = walk->cell = 0;
  for (int32_t d = w->n - 2; d >= 0; d--)
    {
      const int64_t start = start_of (w, d, row % w->small[d]);
      row /= w->small[d];
      inside (w, d, start, w->large[d], &walk->from[d], &walk->to[d]);
      if (walk->from[d] >= walk->to[d])
        return false;
      walk->k[d] = walk->from[d];
      walk->offset += (start + walk->k[d] * w->dilation[d]) * pool->step[d];
      walk->cell += walk->k[d] * unit;
      unit *= w->kernel[d];
    }
  return true;
}

bool
kt_pool_next (const kt_pool *pool, kt_pool_walk *walk)
{
  const kt_window *const w = &pool->w;
  int64_t unit             = w->kernel[w->n - 1];

  for (int32_t d = w->n - 2; d >= 0; d--)
    {
      const int64_t step = w->dilation[d] * pool->step[d];
      walk->offset += step;
      walk->cell += unit;
      if (++walk->k[d] < walk->to[d])
        return true;
      const int64_t back = walk->to[d] - walk->from[d];
      walk->offset -= back * step;
      walk->cell -= back * unit;
      walk->k[d] = walk->from[d];
      unit *= w->kernel[d];
    }
  return false;
}

int64_t
kt_pool_cells (const kt_pool *pool, int32_t d, int64_t q)
{
  const kt_window *const w = &pool->w;
  int64_t from, to;

  if (pool->include_pad) /* what ceil_mode lets stand out beyond the padding does not count */
    inside (w, d, q * w->stride[d], w->begin[d] + w->large[d] + w->end[d], &from, &to);
  else
    inside (w, d, start_of (w, d, q), w->large[d], &from, &to);
  return to > from ? to - from : 1; /* none: the sum is 0, and nothing is divided by 0 */
}

int64_t
kt_pool_outer_cells (const kt_pool *pool, int64_t row)
{
  int64_t n = 1;

  for (int32_t d = pool->w.n - 2; d >= 0; d--)
    {
      n *= kt_pool_cells (pool, d, row % pool->w.small[d]);
      row /= pool->w.small[d];
    }
  return n;
}

int64_t
kt_pool_origin (const kt_pool *pool, int64_t row)
{
  int64_t at = -pool->w.begin[pool->w.n - 1];

  for (int32_t d = pool->w.n - 2; d >= 0; d--)
    {
      at += start_of (&pool->w, d, row % pool->w.small[d]) * pool->step[d];
      row /= pool->w.small[d];
    }
  return at;
}

int64_t
kt_pool_by_columns (const kt_pool *pool, int64_t position)
{
  int64_t at = 0, step = pool->area;

  for (int32_t d = pool->w.n - 1; d >= 0; d--)
    {
      step /= pool->w.large[d];
      at += position % pool->w.large[d] * step;
      position /= pool->w.large[d];
    }
  return at;
}

static kt_status
for_all (const kt_host *host, kt_run *run, const void *state, kt_body *body, int64_t n,
         int64_t grain)
{
  kt_pool_job job = { host, run, state };

  if (n > grain)
    return host->parallel_for (run, n, grain, body, &job);
  body (&job, 0, n, 0);
  return KT_OK;
}

kt_status
kt_pool_for_rows (const kt_host *host, kt_run *run, const kt_pool *pool,
                  const void *state, kt_body *body)
{
  return pool->width == 0
             ? KT_OK
             : for_all (host, run, state, body, pool->planes * pool->rows, pool->grain);
}

kt_status
kt_pool_for_planes (const kt_host *host, kt_run *run, const kt_pool *pool,
                    const void *state, kt_body *body)
{
  const int64_t rows  = pool->rows > 0 ? pool->rows : 1;
  const int64_t grain = pool->grain / rows > 0 ? pool->grain / rows : 1;

  return pool->area == 0 ? KT_OK : for_all (host, run, state, body, pool->planes, grain);
}

void
kt_pool_emit (const kt_pool *pool, kt_window_attrs *out)
{
  kt_window_emit (&pool->w, true, out);
  out->attrs[out->n++]
      = (kt_attr){ .name = "ceil_mode", .kind = KT_A_INT, .i = pool->w.ceil_mode };
  if (pool->include_pad)
    out->attrs[out->n++]
        = (kt_attr){ .name = "count_include_pad", .kind = KT_A_INT, .i = 1 };
}
