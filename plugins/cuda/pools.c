/* SPDX-License-Identifier: Apache-2.0
 *
 * pools.c: MaxPool, AveragePool and their gradients by kernels of our own. They go once through
 * memory, as cuDNN's do, and keep what ONNX says of NaN, ceil_mode, paddings of two sides and
 * indices, which cuDNN's do not.
 */
#include "../../ops/pool.h"
#include "geometry.h"
#include "kernels/kernels.h"

typedef struct
{
  CuPool3 p;
  void (*launch) (const CuPool3 *p, void *stream);
  const char *name;
  bool gradient;
  int64_t count;
} State;

typedef struct
{
  const char *name;
  int32_t from; /* kt_pool_read */
  bool max, gradient;
  void (*launch) (const CuPool3 *p, void *stream);
} Kind;
static const Kind max_pool
    = { "MaxPool", 0, true, false, cu_max_pool_launch },
    average_pool = { "AveragePool", 0, false, false, cu_average_pool_launch },
    max_grad     = { "MaxPoolGrad", 0, true, true, cu_max_pool_grad_launch },
    average_grad = { "AveragePoolGrad", -1, false, true, cu_average_pool_grad_launch };

static bool
read (const kt_host *host, const void *ctx, const Kind *kind, kt_pool *pool, CuPool3 *p)
{
  if (kt_pool_read (host, ctx, kind->from, pool) != KT_OK || pool->rank < 3)
    return false;
  *p = (CuPool3){ .planes      = kt_count (pool->dims, 2),
                  .dtype       = pool->dtype,
                  .include_pad = pool->include_pad,
                  .by_columns  = pool->by_columns };
  return cu_geometry (&pool->w, &p->g) && p->g.large_area <= INT32_MAX;
}

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  kt_pool pool;
  CuPool3 p;

  return read (host, ctx, user, &pool, &p);
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind  = user;
  const kt_type out = kt_out_type (host, prep, 0);
  kt_pool pool;
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  if (!read (host, prep, kind, &pool, &s->p))
    return KT_GPU_LEAVE (prep, "windows of more than three dims, or beyond 32 bits");
  KT_TRY (kt_pool_plan (host, prep, &pool, kind->max));
  s->launch   = kind->launch;
  s->name     = kind->name;
  s->gradient = kind->gradient;
  s->count    = kt_count (out.dims, out.ndim);
  if (!kind->gradient || !kind->max || s->count == 0)
    return KT_OK;
  return host->want_workspace (
      prep, (size_t) (s->p.planes * s->p.g.small_area) * sizeof (int32_t), 0);
}

static kt_status
run_pool (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  CuPool3 p          = s->p;
  void *const stream = kt_gpu_stream (host, run);

  if (s->count == 0)
    return KT_OK;
  p.x = run->in[0].data;
  p.y = run->out[0].data;
  if (s->gradient)
    p.dy = s->launch == cu_max_pool_grad_launch ? run->in[1].data : run->in[0].data;
  if (s->launch == cu_max_pool_grad_launch && p.g.small_area > 0)
    p.cells = host->workspace (run, -1, NULL);
  if (!s->gradient && run->n_out > 1 && run->out[1].device_type != 0)
    p.indices = run->out[1].data;
  s->launch (&p, stream);
  return kt_gpu_launched (host, run, s->name);
}

#define POOL(DOMAIN, NAME, TYPES, KIND, HOST_IN)                                         \
  {                                                                                      \
    KT_GPU (DOMAIN, NAME, 1), .types = TYPES, .host_in = HOST_IN,                        \
                              .user = (void *) (uintptr_t) &KIND, .prepare = prepare,    \
                              .run = run_pool, .suits = suits                            \
  }
#define FLOATS "T=f32|f64|f16|bf16"

const kt_kernel cu_pools_kernels[] = {
  POOL ("", "MaxPool", "T=f32|f64|f16|bf16|i8|u8", max_pool, 0),
  POOL ("", "AveragePool", FLOATS, average_pool, 0),
  POOL ("kette", "MaxPoolGrad", FLOATS, max_grad, 0),
  POOL ("kette", "AveragePoolGrad", FLOATS, average_grad, 2),
  { 0 },
};
