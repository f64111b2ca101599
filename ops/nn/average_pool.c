/* SPDX-License-Identifier: Apache-2.0
 *
 * AveragePool: the sum of each window over the number of its cells that lie inside X, or
 * inside X and its padding.  Source: ONNX AveragePool-22.
 */
#include "emit.h"
#include "pool.h"

static kt_status
average_pool_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_pool pool;

  (void) user;
  KT_TRY (kt_pool_read (host, infer, 0, &pool));
  return pool.dtype ? kt_set_out (host, infer, 0, pool.dtype, pool.dims, pool.rank)
                    : KT_OK;
}

#define ITSELF(x) (x)

/* The sums of the windows of ROW of the plane at X, over their cells. */
#define SUM_ROW(SUFFIX, T, A, LOAD)                                                      \
  KT_INLINE void add_##SUFFIX (const T *restrict x, int64_t step, A *restrict sum,       \
                               int64_t n)                                                \
  {                                                                                      \
    for (int64_t q = 0; q < n; q++)                                                      \
      sum[q] += LOAD (x[q * step]);                                                      \
  }                                                                                      \
  KT_VECTOR static void row_##SUFFIX (const kt_pool *pool, const void *x_data,           \
                                      int64_t row, const double *cells, void *sum_data)  \
  {                                                                                      \
    const int32_t last   = pool->w.n - 1;                                                \
    const int64_t stride = pool->w.stride[last], begin = pool->w.begin[last];            \
    const A outer = (A) kt_pool_outer_cells (pool, row);                                 \
    A *const sum  = sum_data;                                                            \
    kt_pool_walk walk;                                                                   \
                                                                                         \
    for (int64_t q = 0; q < pool->width; q++)                                            \
      sum[q] = 0;                                                                        \
    for (bool more = kt_pool_first (pool, row, &walk); more;                             \
         more      = kt_pool_next (pool, &walk))                                         \
      for (int64_t j = 0; j < pool->w.kernel[last]; j++)                            \
        {                                                                           \
               const int64_t q = pool->range[j].first, n = pool->range[j].end - q;       \
               if (n <= 0)                                                               \
            continue;                                                               \
          const T *const x = (const T *) x_data + walk.offset + q * stride          \
                                  + j * pool->w.dilation[last] - begin;                  \
               if (stride == 1)                                                          \
            add_##SUFFIX (x, 1, sum + q, n);                                        \
          else if (stride == 2)                                                     \
            add_##SUFFIX (x, 2, sum + q, n);                                        \
          else                                                                      \
            add_##SUFFIX (x, stride, sum + q, n);                                   \
        }                                                                           \
    for (int64_t q = 0; q < pool->width; q++)                                            \
      sum[q] = sum[q] / (outer * (A) cells[q]);                                          \
  }

SUM_ROW (f32, float, float, ITSELF)
SUM_ROW (f64, double, double, ITSELF)
SUM_ROW (f16, uint16_t, float, kt_f16_to_f32)
SUM_ROW (bf16, uint16_t, float, kt_bf16_to_f32)

typedef void sum_row (const kt_pool *pool, const void *x, int64_t row,
                      const double *cells, void *sum);

typedef struct
{
  kt_pool pool;
  sum_row *row;
  double *cells; /* of the windows of a row, along the last dim */
  bool half;
} State;

static kt_status
average_pool_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  State *s;
  void *p;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_pool_read (host, prep, 0, &s->pool));
  KT_TRY (kt_pool_plan (host, prep, &s->pool, false));
  KT_TRY (host->keep (prep, (size_t) s->pool.width * sizeof *s->cells, &p));
  s->cells = p;
  for (int64_t q = 0; q < s->pool.width; q++)
    s->cells[q] = (double) kt_pool_cells (&s->pool, s->pool.w.n - 1, q);
  s->half = s->pool.dtype == KT_F16 || s->pool.dtype == KT_BF16;
  s->row  = s->pool.dtype == KT_F32   ? row_f32
            : s->pool.dtype == KT_F64 ? row_f64
            : s->pool.dtype == KT_F16 ? row_f16
                                      : row_bf16;
  return s->half ? host->want_workspace (prep, (size_t) s->pool.width * sizeof (float), 1)
                 : KT_OK;
}

static void
pool_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_pool_job *const job = arg;
  const State *const s         = job->state;
  const kt_pool *const pool    = &s->pool;
  const size_t size            = kt_size_of (pool->dtype);
  float *const wide = s->half ? job->host->workspace (job->run, worker, NULL) : NULL;

  for (int64_t i = begin; i < end; i++)
    {
      const char *const x = (const char *) job->run->in[0].data
                            + (size_t) (i / pool->rows * pool->area) * size;
      void *const y = (char *) job->run->out[0].data + (size_t) (i * pool->width) * size;
      s->row (pool, x, i % pool->rows, s->cells, s->half ? wide : y);
      if (s->half)
        kt_narrow (pool->dtype, wide, y, pool->width);
    }
}

static kt_status
average_pool_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  return kt_pool_for_rows (host, run, &s->pool, state, pool_rows);
}

static const kt_kernel average_pool_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = average_pool_prepare,
          .run = average_pool_run },
        { 0 } };

/* dE/dx = kette.AveragePoolGrad (dy): each cell of a window gets its share of dy. */
static kt_status
average_pool_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), kt_shape_of (host, g, host->g_in (g, 0)) };
  kt_window_attrs a;
  kt_pool pool;

  (void) user;
  KT_TRY (kt_pool_read (host, g, 0, &pool));
  kt_pool_emit (&pool, &a);
  return host->g_set (g, 0, kt_own (host, g, "AveragePoolGrad", in, 2, a.attrs, a.n));
}

const kt_operator kette_op_average_pool = {
  .op     = { KT_OP ("AveragePool", 1), .flags = KT_OP_PURE, .infer = average_pool_infer,
              .gradient = average_pool_gradient },
  .kernel = average_pool_kernel,
};
