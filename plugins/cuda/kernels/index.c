/* SPDX-License-Identifier: Apache-2.0
 *
 * index.c: operators whose indices name single elements or slices, on the GPU: GatherElements,
 * GatherND, ScatterElements, ScatterND, GatherGrad, and OneHot.
 */
#include "index.h"
#include "combine.h"
#include "elements.h"
#include "kernels.h"

typedef struct
{
  const char *name;
  kt_take_params p;
  kt_fault_text text;
} TakeState;

typedef struct
{
  const char *name;
  kt_put_params p;
  size_t bytes; /* of y */
  kt_fault_text text;
} PutState;

/* Places along an axis. */
static kt_status
along_axis (const kt_host *host, kt_prep *prep, const kt_type *x, const kt_type *at,
            kt_places_params *p, kt_fault_text *text)
{
  kt_elements e = { 0 };
  int32_t axis;

  KT_TRY (kt_elements_check (host, prep, x, at, &axis));
  p->inner = 1;
  p->n     = x->dims[axis];
  p->wide  = at->dtype == KT_I64;
  p->count = kt_count (at->dims, at->ndim);
  *text = (kt_fault_text){ { "index % at position @ is not in <..>" }, -p->n, p->n - 1 };
  if (p->count > 0)
    {
      const int32_t place = kt_elements_merge (&e, x, at, axis);
      p->step             = e.data[place];
      e.data[place]       = 0;
    }
  p->ndim = e.ndim;
  for (int32_t d = 0; d < e.ndim; d++)
    {
      p->dims[d] = e.dims[d];
      p->data[d] = e.data[d];
    }
  return kt_gpu_fault_new (host, prep, text, &p->fault);
}

/* Merged, are the dims few enough? */
static bool
axis_fits (const kt_host *host, const void *ctx)
{
  const kt_type x = kt_in_type (host, ctx, 0), at = kt_in_type (host, ctx, 1);
  kt_elements e = { 0 };
  int32_t axis;

  if (kt_elements_check (host, ctx, &x, &at, &axis) != KT_OK)
    return false;
  if (kt_count (at.dims, at.ndim) > 0)
    kt_elements_merge (&e, &x, &at, axis);
  return e.ndim <= KT_GPU_RANK;
}

/* Slices that tuples name. */
static kt_status
by_tuples (const kt_host *host, kt_prep *prep, const kt_type *x, const kt_type *at,
           int64_t batch, kt_places_params *p, kt_fault_text *text)
{
  kt_tuples t;
  int32_t k;

  KT_TRY (kt_tuples_check (host, prep, x, at, batch, &k));
  kt_tuples_plan (&t, x, at, (int32_t) batch);
  p->k          = k;
  p->wide       = at->dtype == KT_I64;
  p->count      = t.count;
  p->per_batch  = t.per_batch;
  p->batch_rows = t.batch_rows;
  p->inner      = kt_count (x->dims + batch + k, x->ndim - (int32_t) batch - k);
  *text = (kt_fault_text){ { "index % at position @ is not in <..>" }, .n_dims = k };
  for (int32_t d = 0; d < k; d++)
    {
      p->dims[d] = text->dims[d] = t.dims[d];
      p->data[d]                 = t.rows[d];
    }
  return kt_gpu_fault_new (host, prep, text, &p->fault);
}

static bool
tuples_fit (const kt_host *host, const void *ctx)
{
  const kt_type at = kt_in_type (host, ctx, 1);

  return at.ndim > 0 && at.dims[at.ndim - 1] <= KT_GPU_RANK;
}

/* Reading ---------------------------------------------------------------------------------- */

static int32_t
gather_elements_suits (const kt_host *host, const void *ctx, void *user)
{
  (void) user;
  return kt_gpu_moves (kt_in_type (host, ctx, 0).dtype) && axis_fits (host, ctx);
}

static int32_t
gather_nd_suits (const kt_host *host, const void *ctx, void *user)
{
  (void) user;
  return kt_gpu_moves (kt_in_type (host, ctx, 0).dtype) && tuples_fit (host, ctx);
}

static kt_status
take_state (const kt_host *host, kt_prep *prep, const char *name, TakeState **out,
            void **state)
{
  KT_TRY (host->keep (prep, sizeof (TakeState), state));
  *out           = *state;
  (*out)->name   = name;
  (*out)->p.size = (int32_t) kt_size_of (kt_in_type (host, prep, 0).dtype);
  return KT_OK;
}

static kt_status
gather_elements_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  TakeState *s;

  (void) user;
  KT_TRY (take_state (host, prep, "GatherElements", &s, state));
  return along_axis (host, prep, &x, &at, &s->p.p, &s->text);
}

static kt_status
gather_nd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  TakeState *s;

  (void) user;
  KT_TRY (take_state (host, prep, "GatherND", &s, state));
  return by_tuples (host, prep, &x, &at, kt_attr_int (host, prep, "batch_dims", 0),
                    &s->p.p, &s->text);
}

static void
take_destroy (void *state)
{
  kt_gpu_fault_free (((const TakeState *) state)->p.p.fault);
}

static kt_status
take_run (const kt_host *host, kt_run *run, void *state)
{
  const TakeState *const s = state;
  kt_take_params p         = s->p;

  if (p.p.count == 0 || p.p.inner == 0)
    return KT_OK;
  p.x    = run->in[0].data;
  p.p.at = run->in[1].data;
  p.y    = run->out[0].data;
  kt_take_launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, s->name));
  return kt_gpu_fault_check (host, run, p.p.fault, &run->in[1]);
}

/* Writing ---------------------------------------------------------------------------------- */

/* Combined are numbers only. */
static bool
fits (const kt_host *host, const void *ctx)
{
  const int32_t dtype = kt_out_type (host, ctx, 0).dtype;
  kt_reduction how;

  return kt_reduction_of (host, ctx, &how) == KT_OK
         && (how == KT_REDUCTION_NONE ? kt_gpu_moves (dtype) : kt_gpu_computes (dtype));
}

static int32_t
scatter_elements_suits (const kt_host *host, const void *ctx, void *user)
{
  (void) user;
  return fits (host, ctx) && axis_fits (host, ctx);
}

static int32_t
scatter_nd_suits (const kt_host *host, const void *ctx, void *user)
{
  (void) user;
  return fits (host, ctx) && tuples_fit (host, ctx);
}

static kt_status
put_state (const kt_host *host, kt_prep *prep, const char *name, kt_reduction how,
           PutState **out, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);
  PutState *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  *out = s       = *state;
  s->name        = name;
  s->p.outer     = 1;
  s->p.dtype     = y.dtype;
  s->p.size      = (int32_t) kt_size_of (y.dtype);
  s->p.reduction = (int32_t) how;
  s->bytes       = (size_t) kt_count (y.dims, y.ndim) * kt_size_of (y.dtype);
  return KT_OK;
}

/* The list of places is sorted, in a number of steps that is fixed by its length. */
static kt_status
want_list (const kt_host *host, kt_prep *prep, kt_put_params *p)
{
  p->length = kt_sort_length (p->p.count);
  return host->want_workspace (prep, (size_t) p->length * sizeof (kt_sorted), 0);
}

static kt_status
scatter_elements_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  kt_reduction how;
  PutState *s;

  (void) user;
  KT_TRY (kt_reduction_of (host, prep, &how));
  KT_TRY (put_state (host, prep, "ScatterElements", how, &s, state));
  KT_TRY (along_axis (host, prep, &x, &at, &s->p.p, &s->text));
  return want_list (host, prep, &s->p);
}

static kt_status
scatter_nd_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  kt_reduction how;
  PutState *s;

  (void) user;
  KT_TRY (kt_reduction_of (host, prep, &how));
  KT_TRY (put_state (host, prep, "ScatterND", how, &s, state));
  KT_TRY (by_tuples (host, prep, &x, &at, 0, &s->p.p, &s->text));
  return want_list (host, prep, &s->p);
}

/* dy is checked against what it came from by the shape rule, but for the number of elements. */
static int32_t
gather_grad_suits (const kt_host *host, const void *ctx, void *user)
{
  const kt_type dx = kt_out_type (host, ctx, 0), dy = kt_in_type (host, ctx, 0),
                at = kt_in_type (host, ctx, 1);
  int32_t axis     = 0;

  (void) user;
  return kt_gpu_computes (dx.dtype)
         && kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", 0), dx.ndim,
                     &axis)
                == KT_OK
         && kt_count (dy.dims, dy.ndim)
                == kt_count (dx.dims, axis) * kt_count (at.dims, at.ndim)
                       * kt_count (dx.dims + axis + 1, dx.ndim - axis - 1);
}

static kt_status
gather_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dx = kt_out_type (host, prep, 0), at = kt_in_type (host, prep, 1);
  int32_t axis = 0;
  PutState *s;

  if (!gather_grad_suits (host, prep, user))
    return KT_GPU_LEAVE (prep, "the shapes do not fit");
  KT_TRY (kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), dx.ndim,
                   &axis));
  KT_TRY (put_state (host, prep, "GatherGrad", KT_REDUCTION_ADD, &s, state));
  s->p.outer = kt_count (dx.dims, axis);
  s->p.rows  = dx.dims[axis];
  s->p.p     = (kt_places_params){
        .count = kt_count (at.dims, at.ndim),
        .inner = kt_count (dx.dims + axis + 1, dx.ndim - axis - 1),
        .n     = dx.dims[axis],
        .step  = 1,
        .wide  = at.dtype == KT_I64,
  };
  s->text = (kt_fault_text){ { "index % at position @ is not in <..>" },
                             -s->p.rows,
                             s->p.rows - 1 };
  KT_TRY (kt_gpu_fault_new (host, prep, &s->text, &s->p.p.fault));
  return want_list (host, prep, &s->p);
}

static void
put_destroy (void *state)
{
  kt_gpu_fault_free (((const PutState *) state)->p.p.fault);
}

static kt_status
put_run (const kt_host *host, kt_run *run, const PutState *s, const void *x)
{
  kt_put_params p = s->p;

  if (p.p.count == 0)
    return KT_OK;
  p.x       = x;
  p.p.at    = run->in[1].data;
  p.y       = run->out[0].data;
  p.entries = host->workspace (run, -1, NULL);
  kt_put_launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, s->name));
  return kt_gpu_fault_check (host, run, p.p.fault, &run->in[1]);
}

static kt_status
scatter_run (const kt_host *host, kt_run *run, void *state)
{
  const PutState *const s = state;

  KT_TRY (kt_gpu_copy (host, run, run->out[0].data, run->in[0].data, s->bytes));
  return put_run (host, run, s, run->in[2].data);
}

static kt_status
gather_grad_run (const kt_host *host, kt_run *run, void *state)
{
  const PutState *const s = state;
  const kt_fill_params zeros
      = { .y = run->out[0].data, .count = (int64_t) s->bytes, .size = 1 };

  if (zeros.count > 0)
    kt_fill_launch (&zeros, kt_gpu_stream (host, run));
  return put_run (host, run, s, run->in[0].data);
}

/* OneHot ----------------------------------------------------------------------------------- */

static kt_status
one_hot_plan (const kt_host *host, const void *ctx, void *user, kt_hot_params *p)
{
  const kt_type at = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  int32_t n_in, n_out, version, axis = 0;
  const int64_t *known;
  kt_tensor depth;
  size_t n;

  (void) user;
  if (!kt_gpu_computes (at.dtype) || !kt_gpu_moves (y.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  KT_TRY (host->constant (ctx, 1, &depth));
  KT_TRY (host->ints (ctx, 1, &known, &n));
  if (!depth.data && (!known || n != 1 || KT_IS_DIM (known[0])))
    return KT_GPU_LEAVE (ctx, "depth is not known before the run");
  KT_TRY (host->arity (ctx, &n_in, &n_out, &version));
  KT_TRY (kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", -1), at.ndim + 1,
                   &axis));
  p->count  = kt_count (at.dims, at.ndim);
  p->depth  = y.dims[axis];
  p->inner  = kt_count (at.dims + axis, at.ndim - axis);
  p->lowest = version < 11 ? 0 : -p->depth;
  p->dtype  = at.dtype;
  p->size   = (int32_t) kt_size_of (y.dtype);
  return KT_OK;
}

KT_GPU_PLANNED (one_hot, kt_hot_params)

static kt_status
one_hot_run (const kt_host *host, kt_run *run, void *state)
{
  kt_hot_params p = *(const kt_hot_params *) state;

  if (p.count == 0 || p.depth == 0)
    return KT_OK;
  p.at     = run->in[0].data;
  p.values = run->in[2].data;
  p.y      = run->out[0].data;
  kt_hot_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "OneHot");
}

/* The table -------------------------------------------------------------------------------- */

#define OVER_X                                                                           \
  .n_alias = 1, .alias = &(const kt_alias) { 0, 0, 0, 0 }

const kt_kernel cu_index_kernels[] = {
  { KT_GPU ("", "GatherElements", 11), .suits = gather_elements_suits,
    .prepare = gather_elements_prepare, .run = take_run, .destroy = take_destroy },
  { KT_GPU ("", "GatherND", 11), .suits = gather_nd_suits, .prepare = gather_nd_prepare,
    .run = take_run, .destroy = take_destroy },
  { KT_GPU ("", "ScatterElements", 11), OVER_X, .suits = scatter_elements_suits,
    .prepare = scatter_elements_prepare, .run = scatter_run, .destroy = put_destroy },
  { KT_GPU ("", "ScatterND", 11), OVER_X, .suits = scatter_nd_suits,
    .prepare = scatter_nd_prepare, .run = scatter_run, .destroy = put_destroy },
  { KT_GPU ("kette", "GatherGrad", 1), .host_in = 4, .suits = gather_grad_suits,
    .prepare = gather_grad_prepare, .run = gather_grad_run, .destroy = put_destroy },
  { KT_GPU ("", "OneHot", 9), .host_in = 2, .suits = one_hot_suits,
    .prepare = one_hot_prepare, .run = one_hot_run },
  { 0 },
};
