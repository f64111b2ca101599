/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.AveragePoolGrad: dx of y = AveragePool (x), from dy and the shape of x: each cell of
 * a window gets dy over the number of cells.
 */
#include "pool.h"
#include "window-nodes.h"

static kt_status
average_pool_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  (void) user;
  return kt_pool_infer_grad (host, infer, -1, 0);
}

#define ITSELF(x) (x)

/* Adds what ROW of dy leaves in the plane DX. SHARE: scratch for a row. */
#define SHARE_ROW(SUFFIX, T, A, LOAD)                                                    \
  KT_INLINE void add_##SUFFIX (const A *restrict share, int64_t step, A *restrict dx,    \
                               int64_t n)                                                \
  {                                                                                      \
    for (int64_t q = 0; q < n; q++)                                                      \
      dx[q * step] += share[q];                                                          \
  }                                                                                      \
  KT_VECTOR static void row_##SUFFIX (const kt_pool *pool, const void *dy_data,          \
                                      int64_t row, const double *cells, void *scratch,   \
                                      void *dx_data)                                     \
  {                                                                                      \
    const int32_t last   = pool->w.n - 1;                                                \
    const int64_t stride = pool->w.stride[last], begin = pool->w.begin[last];            \
    const A outer     = (A) kt_pool_outer_cells (pool, row);                             \
    const T *const dy = (const T *) dy_data + row * pool->width;                         \
    A *const share    = scratch;                                                         \
    kt_pool_walk walk;                                                                   \
                                                                                         \
    for (int64_t q = 0; q < pool->width; q++)                                            \
      share[q] = LOAD (dy[q]) / (outer * (A) cells[q]);                                  \
    for (bool more = kt_pool_first (pool, row, &walk); more;                             \
         more      = kt_pool_next (pool, &walk))                                         \
      for (int64_t j = 0; j < pool->w.kernel[last]; j++)                            \
        {                                                                           \
               const int64_t q = pool->range[j].first, n = pool->range[j].end - q;       \
               if (n <= 0)                                                               \
            continue;                                                               \
          A *const dx = (A *) dx_data + walk.offset + q * stride                    \
                             + j * pool->w.dilation[last] - begin;                       \
               if (stride == 1)                                                          \
            add_##SUFFIX (share + q, 1, dx, n);                                     \
          else                                                                      \
            add_##SUFFIX (share + q, stride, dx, n);                                \
        }                                                                           \
  }

SHARE_ROW (f32, float, float, ITSELF)
SHARE_ROW (f64, double, double, ITSELF)
SHARE_ROW (f16, uint16_t, float, kt_f16_to_f32)
SHARE_ROW (bf16, uint16_t, float, kt_bf16_to_f32)

typedef void share_row (const kt_pool *pool, const void *dy, int64_t row,
                        const double *cells, void *scratch, void *dx);

typedef struct
{
  kt_pool pool;
  share_row *row;
  double *cells; /* of the windows of a row, along the last dim */
  bool half;
  int64_t sums_at; /* of a 16-bit plane, in a worker's scratch memory */
} State;

static kt_status
average_pool_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  State *s;
  void *p;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_pool_read (host, prep, -1, &s->pool));
  KT_TRY (kt_pool_plan (host, prep, &s->pool, false));
  KT_TRY (host->keep (prep, (size_t) s->pool.width * sizeof *s->cells, &p));
  s->cells = p;
  for (int64_t q = 0; q < s->pool.width; q++)
    s->cells[q] = (double) kt_pool_cells (&s->pool, s->pool.w.n - 1, q);
  s->half    = s->pool.dtype == KT_F16 || s->pool.dtype == KT_BF16;
  s->row     = s->pool.dtype == KT_F32   ? row_f32
               : s->pool.dtype == KT_F64 ? row_f64
               : s->pool.dtype == KT_F16 ? row_f16
                                         : row_bf16;
  s->sums_at = (s->pool.width * 8 + 63) / 64 * 64;
  return host->want_workspace (
      prep, (size_t) (s->sums_at + (s->half ? s->pool.area * 4 : 0)), 1);
}

static void
share_planes (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_pool_job *const job = arg;
  const State *const s         = job->state;
  const kt_pool *const pool    = &s->pool;
  const size_t size            = kt_size_of (pool->dtype);
  char *const scratch          = job->host->workspace (job->run, worker, NULL);

  for (int64_t i = begin; i < end; i++)
    {
      const char *const dy
          = (const char *) job->run->in[0].data + (size_t) (i * pool->places) * size;
      char *const dx = (char *) job->run->out[0].data + (size_t) (i * pool->area) * size;
      void *const sums = s->half ? scratch + s->sums_at : dx;
      memset (sums, 0, (size_t) pool->area * (s->half ? sizeof (float) : size));
      for (int64_t row = 0; row < pool->rows; row++)
        s->row (pool, dy, row, s->cells, scratch, sums);
      if (s->half)
        kt_narrow (pool->dtype, sums, (uint16_t *) (void *) dx, pool->area);
    }
}

static kt_status
average_pool_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  return kt_pool_for_planes (host, run, &s->pool, state, share_planes);
}

static const kt_kernel average_pool_grad_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = average_pool_grad_prepare,
          .run = average_pool_grad_run },
        { 0 } };

/* The numbers of cells of all windows, [1,1,...]: a convolution of ones with ones; or one
 * number for all. */
static kt_value
count_cells (const kt_host *host, kt_graph *g, const kt_pool *pool, int32_t dtype,
             kt_value shape, kt_value places)
{
  const kt_window *const w = &pool->w;
  const bool include       = pool->include_pad;
  kt_window counting       = *w;
  int64_t pads[KT_WINDOW_DIMS], ones[KT_MAX_RANK], cells = 1;
  bool exact = true, beyond = false;
  kt_window_attrs a;
  kt_value count = 0;

  for (int32_t d = 0; d < w->n; d++)
    {
      const bool known    = kt_dim_known (w->small[d]) && kt_dim_known (w->large[d]);
      const bool same     = w->auto_pad >= KT_PAD_SAME_UPPER; /* pads may be unknown */
      const int64_t whole = same ? 0 : w->begin[d] + w->end[d];
      /* By how much ceil_mode lets the last window stand out. */
      int64_t over = 0;
      if (w->ceil_mode && !same)
        over = known ? (w->small[d] - 1) * w->stride[d] + kt_window_span (w, d)
                           - w->large[d] - whole
                     : w->stride[d] - 1;
      over   = over > 0 ? over : 0;
      beyond = beyond || over > 0;
      exact  = exact && (known || !w->ceil_mode || same);
      cells *= w->kernel[d];
      if (same)
        continue;
      pads[d]           = include ? whole : 0;
      counting.begin[d] = include ? 0 : w->begin[d];
      counting.end[d]   = (include ? 0 : w->end[d]) + over;
    }
  if (include && !beyond)
    return kt_scalar (host, g, dtype, (double) cells);
  for (int32_t d = 0; d < w->n + 2; d++)
    ones[d] = d < 2 ? 1 : w->kernel[d - 2];

  const kt_value area = kt_dims_of (host, g, shape, 2, w->n + 2);
  const kt_value padded
      = include ? kt_add (host, g, area, kt_ints (host, g, pads, w->n)) : area;
  const kt_value plane = kt_join_dims (
      host, g, (const kt_value[]){ kt_ints (host, g, ones, 2), padded }, 2);
  const kt_value in[] = { kt_ones (host, g, dtype, plane),
                          kt_ones (host, g, dtype, kt_ints (host, g, ones, w->n + 2)) };

  kt_window_emit (&counting, true, &a);
  host->g_node (g, "", "Conv", kt_window_opset (dtype), in, 2, &count, 1, a.attrs, a.n);
  return exact ? count : kt_cut_to (host, g, count, places, w->n);
}

/* dy over the number of cells, spread by a ConvTranspose with ones. */
static kt_status
average_pool_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), shape = host->g_in (g, 1);
  const kt_type t = kt_in_type (host, g, 0);
  int64_t kernel[KT_MAX_RANK];
  kt_pool pool;

  (void) user;
  KT_TRY (kt_pool_read (host, g, -1, &pool));
  if (t.ndim < 3 || !kt_dim_known (t.dims[1]) || pool.rank != t.ndim)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "its body needs to know the rank and the channels");
  for (int32_t d = 0; d < pool.w.n; d++)
    if (kt_dim_known (t.dims[d + 2]) && !kt_dim_known (pool.w.small[d]))
      pool.w.small[d] = t.dims[d + 2];
  for (int32_t d = 0; d < t.ndim; d++)
    kernel[d] = d == 0 ? t.dims[1] : d == 1 ? 1 : pool.w.kernel[d - 2];

  const kt_value count
      = count_cells (host, g, &pool, t.dtype, shape, kt_shape_of (host, g, dy));
  const kt_value one = kt_scalar (host, g, t.dtype, 1); /* a window without a cell */
  const kt_value share
      = kt_div (host, g, dy,
                kt_node (host, g, "Max", (const kt_value[]){ count, one }, 2, NULL, 0));
  return host->g_set (
      g, 0,
      kt_window_back (host, g, share,
                      kt_ones (host, g, t.dtype, kt_ints (host, g, kernel, t.ndim)),
                      &pool.w, t.dims[1], shape));
}

const kt_operator kette_op_average_pool_grad = {
  .op     = { KT_OP ("AveragePoolGrad", 1), .flags = KT_OP_PURE,
              .infer = average_pool_grad_infer, .body = average_pool_grad_body },
  .kernel = average_pool_grad_kernel,
};
