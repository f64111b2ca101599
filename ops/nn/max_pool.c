/* SPDX-License-Identifier: Apache-2.0
 *
 * MaxPool: the largest element of each window, and where it stands in the flat X.  Source:
 * ONNX MaxPool-22.
 */
#include "emit.h"
#include "pool.h"

static kt_status
max_pool_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int32_t n_in, n_out;
  kt_pool pool;

  (void) user;
  KT_TRY (kt_pool_read (host, infer, 0, &pool));
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  if (n_out > 1)
    KT_TRY (kt_set_out (host, infer, 1, KT_I64, pool.dims, pool.rank));
  return pool.dtype ? kt_set_out (host, infer, 0, pool.dtype, pool.dims, pool.rank)
                    : KT_OK;
}

typedef struct
{
  kt_pool pool;
  kt_max_row *row;
  bool wants_indices, half;
  int64_t cell_at; /* where the numbers of cells stand in a worker's scratch memory */
} State;

static kt_status
max_pool_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  int32_t n_in, n_out;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (host->arity (prep, &n_in, &n_out, NULL));
  KT_TRY (kt_pool_read (host, prep, 0, &s->pool));
  KT_TRY (kt_pool_plan (host, prep, &s->pool, true));
  s->row           = kt_max_row_for (s->pool.dtype);
  s->half          = s->pool.dtype == KT_F16 || s->pool.dtype == KT_BF16;
  s->wants_indices = n_out > 1 && kt_out_type (host, prep, 1).kind;
  s->cell_at       = s->half ? (s->pool.width * 4 + 63) / 64 * 64 : 0;
  if (!s->half && !s->wants_indices)
    return KT_OK;
  return host->want_workspace (
      prep, (size_t) (s->cell_at + (s->wants_indices ? s->pool.width * 4 : 0)), 1);
}

static void
pool_rows (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const kt_pool_job *const job = arg;
  const State *const s         = job->state;
  const kt_pool *const pool    = &s->pool;
  const size_t size            = kt_size_of (pool->dtype);
  char *const scratch          = job->host->workspace (job->run, worker, NULL);
  int32_t *const cell
      = s->wants_indices ? (int32_t *) (void *) (scratch + s->cell_at) : NULL;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t plane = i / pool->rows, row = i % pool->rows;
      const char *x
          = (const char *) job->run->in[0].data + (size_t) (plane * pool->area) * size;
      char *y = (char *) job->run->out[0].data + (size_t) (i * pool->width) * size;
      s->row (pool, x, row, s->half ? scratch : y, cell);
      if (s->half)
        kt_narrow (pool->dtype, (const float *) (void *) scratch, (uint16_t *) (void *) y,
                   pool->width);
      if (!cell)
        continue;
      int64_t *const at    = (int64_t *) job->run->out[1].data + i * pool->width;
      const int64_t origin = kt_pool_origin (pool, row);
      const int64_t stride = pool->w.stride[pool->w.n - 1];
      for (int64_t q = 0; q < pool->width; q++)
        {
          const int64_t in = origin + q * stride + pool->cell_at[cell[q]];
          at[q]            = plane * pool->area
                  + (pool->by_columns ? kt_pool_by_columns (pool, in) : in);
        }
    }
}

static kt_status
max_pool_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  return kt_pool_for_rows (host, run, &s->pool, state, pool_rows);
}

static const kt_kernel max_pool_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = max_pool_prepare,
          .run = max_pool_run },
        { 0 } };

/* dE/dx = kette.MaxPoolGrad (x, dy): dy at the first of the largest of each window. */
static kt_status
max_pool_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_in (g, 0), host->g_seed (g, 0) };
  kt_window_attrs a;
  kt_pool pool;

  (void) user;
  if (!in[1])
    return KT_OK;
  KT_TRY (kt_pool_read (host, g, 0, &pool));
  kt_pool_emit (&pool, &a);
  return host->g_set (g, 0, kt_own (host, g, "MaxPoolGrad", in, 2, a.attrs, a.n));
}

const kt_operator kette_op_max_pool = {
  .op     = { KT_OP ("MaxPool", 1), .flags = KT_OP_PURE, .infer = max_pool_infer,
              .gradient = max_pool_gradient },
  .kernel = max_pool_kernel,
};
