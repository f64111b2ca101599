/* SPDX-License-Identifier: Apache-2.0
 *
 * reduce.c: Reduce*, kette.SumTo, Softmax and its kin on the GPU: the CPU's plans, handed to the
 * kernels of reduce.cu and softmax.cu.
 */
#include "reduce.h"
#include "kernels.h"

typedef struct
{
  const kt_reduce_row *row;
  const char *name;
  kt_reduce_params p;
} ReduceState;

typedef struct
{
  void (*launch) (const kt_softmax_params *, void *stream);
  const char *name;
  kt_softmax_params p;
} SoftmaxState;

/* Word of a table and name of the operator. */
typedef struct
{
  const char *word, *name;
} Which;

static kt_status
take_plan (const kt_host *host, const void *ctx, const Which *which, int32_t dtype,
           const kt_reduce *r, ReduceState *s)
{
  const kt_reduce_row *row = kt_reduce_table;
  kt_reduce_params *p      = &s->p;

  while (row->word && (strcmp (row->word, which->word) != 0 || row->dtype != dtype))
    row++;
  if (!row->word)
    return KT_GPU_LEAVE (ctx, "no code for this element type");
  if (r->n_kept > KT_GPU_RANK || r->n_outer > KT_GPU_RANK)
    return KT_GPU_LEAVE (ctx, "more dims than kernels on the GPU serve");
  s->row  = row;
  s->name = which->name;
  *p      = (kt_reduce_params){
         .outs    = r->outs,
         .count   = r->count,
         .columns = r->columns,
         .step    = r->step,
         .run     = r->run,
         .stride  = r->stride,
         .runs    = r->runs,
         .parts   = r->parts,
         .group   = r->group,
         .blocks  = r->blocks,
         .n_kept  = r->n_kept,
         .n_outer = r->n_outer,
         .rows    = r->columns == 1 || r->step != 1,
  };
  memcpy (p->kept_dims, r->kept_dims, sizeof p->kept_dims);
  memcpy (p->kept, r->kept, sizeof p->kept);
  memcpy (p->outer_dims, r->outer_dims, sizeof p->outer_dims);
  memcpy (p->outer, r->outer, sizeof p->outer);
  return KT_OK;
}

static kt_status
reduce_plan (const kt_host *host, const void *ctx, void *user, ReduceState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0);
  uint32_t set;
  kt_axes axes;
  kt_reduce r;

  KT_TRY (kt_axes_of (host, ctx, 1, x.ndim, &axes));
  if (axes.state == KT_AXES_UNKNOWN)
    return KT_GPU_LEAVE (ctx, "the axes are not known before the run");
  set = axes.set;
  if (axes.n <= 0)
    set = kt_attr_int (host, ctx, "noop_with_empty_axes", 0) ? 0
          : x.ndim >= KT_MAX_RANK                            ? UINT32_MAX
                                  : ((uint32_t) 1 << x.ndim) - 1;
  kt_reduce_plan (&r, x.ndim, x.dims, set);
  if (r.count == 0 && r.outs > 0 && !kt_is_float (x.dtype))
    return KT_GPU_LEAVE (ctx, "nothing to reduce");
  return take_plan (host, ctx, user, x.dtype, &r, s);
}

/* Pools whose window is the whole plane. */
static kt_status
global_plan (const kt_host *host, const void *ctx, void *user, ReduceState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0);
  kt_reduce r;

  kt_reduce_plan (&r, x.ndim, x.dims,
                  (uint32_t) (((uint64_t) 1 << x.ndim) - 1) & ~(uint32_t) 3);
  return take_plan (host, ctx, user, x.dtype, &r, s);
}

static kt_status
sum_to_plan (const kt_host *host, const void *ctx, void *user, ReduceState *s)
{
  const kt_type dy = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  const int32_t lead = dy.ndim - y.ndim;
  uint32_t set       = 0;
  kt_reduce r;

  for (int32_t d = 0; d < dy.ndim; d++)
    {
      const int64_t to = d < lead ? 1 : y.dims[d - lead];
      if (lead < 0 || (to != 1 && to != dy.dims[d]))
        return KT_GPU_LEAVE (ctx, "the shapes do not fit");
      if (to == 1)
        set |= (uint32_t) 1 << d;
    }
  kt_reduce_plan (&r, dy.ndim, dy.dims, set);
  return take_plan (host, ctx, user, dy.dtype, &r, s);
}

/* Partial results, where there is more than one block. */
#define REDUCTION(NAME)                                                                  \
  KT_GPU_SUITS (NAME, ReduceState)                                                       \
  KT_GPU_KEEP (NAME, ReduceState)                                                        \
  static kt_status NAME##_prepare (const kt_host *host, kt_prep *prep, void *user,       \
                                   void **state)                                         \
  {                                                                                      \
    ReduceState *s;                                                                      \
                                                                                         \
    KT_TRY (NAME##_keep (host, prep, user, &s, state));                                  \
    return want_partials (host, prep, s);                                                \
  }

static kt_status
want_partials (const kt_host *host, kt_prep *prep, const ReduceState *s)
{
  return s->p.blocks > 1 ? host->want_workspace (
             prep, (size_t) s->p.outs * (size_t) s->p.blocks * (size_t) s->row->size, 0)
                         : KT_OK;
}

REDUCTION (reduce)
REDUCTION (global)
REDUCTION (sum_to)

static kt_status
reduce_run (const kt_host *host, kt_run *run, void *state)
{
  const ReduceState *const s = state;
  kt_reduce_params p         = s->p;

  if (p.outs == 0)
    return KT_OK;
  p.x        = run->in[0].data;
  p.y        = run->out[0].data;
  p.partials = p.blocks > 1 ? host->workspace (run, -1, NULL) : NULL;
  s->row->launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, s->name);
}

static kt_status
softmax_plan (const kt_host *host, const void *ctx, void *user, SoftmaxState *s)
{
  const Which *const which  = user;
  const kt_softmax_row *row = kt_softmax_table;
  const kt_type a           = kt_in_type (host, ctx, 0);
  int32_t axis              = 0;

  KT_TRY (
      kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", -1), a.ndim, &axis));
  while (row->word && strcmp (row->word, which->word) != 0)
    row++;
  if (!row->word)
    return KT_GPU_LEAVE (ctx, "no such kernel");
  s->name     = which->name;
  s->launch   = a.dtype == KT_F64 ? row->f64 : row->f32;
  s->p.dtype  = a.dtype;
  s->p.outer  = kt_count (a.dims, axis);
  s->p.length = a.dims[axis];
  s->p.inner  = kt_count (a.dims + axis + 1, a.ndim - axis - 1);
  return KT_OK;
}

KT_GPU_PLANNED (softmax, SoftmaxState)

static kt_status
softmax_run (const kt_host *host, kt_run *run, void *state)
{
  const SoftmaxState *const s = state;
  kt_softmax_params p         = s->p;

  if (p.outer == 0 || p.length == 0 || p.inner == 0)
    return KT_OK;
  p.a = run->in[0].data;
  p.b = run->n_in > 1 ? run->in[1].data : p.a;
  p.y = run->out[0].data;
  s->launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, s->name);
}

#define WHICH(WORD, NAME)                                                                \
  (void *) &(const Which) { WORD, NAME }
#define REDUCE(NAME, SINCE, WORD)                                                        \
  {                                                                                      \
    KT_GPU ("", NAME, SINCE), .host_in = 2, .user = WHICH (WORD, NAME),                  \
                              .suits = reduce_suits, .prepare = reduce_prepare,          \
                              .run = reduce_run                                          \
  }
#define GLOBAL(NAME, WORD)                                                               \
  {                                                                                      \
    KT_GPU ("", NAME, 1), .types = "T=f32|f64|f16|bf16", .user = WHICH (WORD, NAME),     \
                          .suits = global_suits, .prepare = global_prepare,              \
                          .run = reduce_run                                              \
  }
#define SOFTMAX(DOMAIN, NAME, SINCE, WORD, N)                                            \
  {                                                                                      \
    KT_GPU (DOMAIN, NAME, SINCE),                                                        \
        .types = "T=f32|f64|f16|bf16", .user = WHICH (WORD, NAME), .n_alias = N,         \
        .alias = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },                   \
        .suits = softmax_suits, .prepare = softmax_prepare, .run = softmax_run           \
  }

const kt_kernel cu_reduce_kernels[] = {
  REDUCE ("ReduceSum", 13, "reduce_sum"),
  REDUCE ("ReduceSumSquare", 18, "reduce_sum_square"),
  REDUCE ("ReduceMean", 18, "reduce_mean"),
  REDUCE ("ReduceL1", 18, "reduce_l1"),
  REDUCE ("ReduceL2", 18, "reduce_l2"),
  REDUCE ("ReduceMax", 18, "reduce_max"),
  REDUCE ("ReduceMin", 18, "reduce_min"),
  GLOBAL ("GlobalAveragePool", "reduce_mean"),
  GLOBAL ("GlobalMaxPool", "reduce_max"),
  { KT_GPU ("kette", "SumTo", 1), .host_in = 2, .user = WHICH ("reduce_sum", "SumTo"),
    .suits = sum_to_suits, .prepare = sum_to_prepare, .run = reduce_run },
  SOFTMAX ("", "Softmax", 13, "softmax", 1),
  SOFTMAX ("", "LogSoftmax", 13, "log_softmax", 1),
  SOFTMAX ("kette", "SoftmaxGrad", 1, "softmax_grad", 2),
  SOFTMAX ("kette", "LogSoftmaxGrad", 1, "log_softmax_grad", 2),
  { 0 },
};
