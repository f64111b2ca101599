/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.MaxPoolGrad: dx of y = MaxPool (x): each element of dy goes to the first of the
 * largest elements of its window. Which one that is, is found out again from x.
 */
#include "pool.h"
#include "window-nodes.h"

static kt_status
max_pool_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  (void) user;
  return kt_pool_infer_grad (host, infer, 0, 1);
}

typedef struct
{
  kt_pool pool;
  kt_max_row *row;
  bool half;
  int64_t cell_at, sums_at, dy_at; /* parts of a worker's scratch memory */
} State;

static kt_status
max_pool_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (kt_pool_read (host, prep, 0, &s->pool));
  KT_TRY (kt_pool_plan (host, prep, &s->pool, true));
  s->row  = kt_max_row_for (s->pool.dtype);
  s->half = s->pool.dtype == KT_F16 || s->pool.dtype == KT_BF16;

  /* The largest, of up to 8 bytes each; which cells; a plane of sums for 16-bit types. */
  s->cell_at = (s->pool.width * 8 + 63) / 64 * 64;
  s->sums_at = s->cell_at + (s->pool.width * 4 + 63) / 64 * 64;
  s->dy_at   = s->sums_at + (s->half ? (s->pool.area * 4 + 63) / 64 * 64 : 0);
  return host->want_workspace (
      prep, (size_t) (s->dy_at + (s->half ? s->pool.width * 4 : 0)), 1);
}

#define ADD_ROW(SUFFIX, T)                                                               \
  static void add_row_##SUFFIX (const kt_pool *pool, const T *dy, const int32_t *cell,   \
                                int64_t origin, T *dx)                                   \
  {                                                                                      \
    const int64_t stride = pool->w.stride[pool->w.n - 1];                                \
                                                                                         \
    for (int64_t q = 0; q < pool->width; q++)                                            \
      dx[origin + q * stride + pool->cell_at[cell[q]]] += dy[q];                         \
  }

ADD_ROW (f32, float)
ADD_ROW (f64, double)

static void
add_plane (const State *s, const char *x, const char *dy, char *dx, char *scratch)
{
  const kt_pool *const pool = &s->pool;
  const size_t size         = kt_size_of (pool->dtype);
  int32_t *const cell       = (int32_t *) (void *) (scratch + s->cell_at);
  float *const wide         = (float *) (void *) (scratch + s->dy_at);
  float *const sums
      = s->half ? (float *) (void *) (scratch + s->sums_at) : (float *) (void *) dx;

  memset (sums, 0, (size_t) pool->area * (s->half ? sizeof *sums : size));
  for (int64_t row = 0; row < pool->rows; row++)
    {
      const void *const from = dy + (size_t) (row * pool->width) * size;
      const int64_t origin   = kt_pool_origin (pool, row);
      s->row (pool, x, row, scratch, cell);
      if (s->half)
        kt_widen (pool->dtype, from, wide, pool->width);
      if (pool->dtype == KT_F64)
        add_row_f64 (pool, from, cell, origin, (double *) (void *) dx);
      else
        add_row_f32 (pool, s->half ? wide : from, cell, origin, sums);
    }
  if (s->half)
    kt_narrow (pool->dtype, sums, (uint16_t *) (void *) dx, pool->area);
}

static void
add_planes (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_pool_job *const job = arg;
  const State *const s         = job->state;
  const kt_pool *const pool    = &s->pool;
  const size_t size            = kt_size_of (pool->dtype);
  char *const scratch          = job->host->workspace (job->run, worker, NULL);
  const char *const x = job->run->in[0].data, *const dy = job->run->in[1].data;

  for (int64_t i = begin; i < end; i++)
    add_plane (
        s, x + (size_t) (i * pool->area) * size, dy + (size_t) (i * pool->places) * size,
        (char *) job->run->out[0].data + (size_t) (i * pool->area) * size, scratch);
}

static kt_status
max_pool_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  return kt_pool_for_planes (host, run, &s->pool, state, add_planes);
}

static const kt_kernel max_pool_grad_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = max_pool_grad_prepare,
          .run = max_pool_grad_run },
        { 0 } };

/* In standard operators: Indices of MaxPool (x), and dy added there to a flat zero tensor. */
static kt_status
max_pool_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), dy = host->g_in (g, 1);
  const kt_attr add   = { .name = "reduction", .kind = KT_A_STRING, .v = "add", .n = 3 };
  const kt_value flat = kt_ints (host, g, (const int64_t[]){ -1 }, 1);
  kt_value out[2]     = { 0 };
  kt_window_attrs a;
  kt_pool pool;
  kt_type t;

  (void) user;
  KT_TRY (kt_pool_read (host, g, 0, &pool));
  KT_TRY (host->g_type (g, x, &t));
  kt_pool_emit (&pool, &a);
  KT_TRY (host->g_node (g, "", "MaxPool", kt_window_opset (t.dtype), &x, 1, out, 2,
                        a.attrs, a.n));

  const kt_value shape = kt_shape_of (host, g, x);
  const kt_value size  = kt_node (host, g, "Size", &x, 1, NULL, 0);
  const kt_value zeros = kt_expand (
      host, g, kt_scalar (host, g, t.dtype, 0),
      kt_node (host, g, "Reshape", (const kt_value[]){ size, flat }, 2, NULL, 0));
  const kt_value in[]
      = { zeros,
          kt_node (host, g, "Reshape", (const kt_value[]){ out[1], flat }, 2, NULL, 0),
          kt_node (host, g, "Reshape", (const kt_value[]){ dy, flat }, 2, NULL, 0) };
  return host->g_set (
      g, 0,
      kt_reshape (host, g, kt_node (host, g, "ScatterElements", in, 3, &add, 1), shape));
}

const kt_operator kette_op_max_pool_grad = {
  .op     = { KT_OP ("MaxPoolGrad", 1), .flags = KT_OP_PURE, .infer = max_pool_grad_infer,
              .body = max_pool_grad_body },
  .kernel = max_pool_grad_kernel,
};
