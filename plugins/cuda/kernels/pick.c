/* SPDX-License-Identifier: Apache-2.0
 *
 * pick.c: operators that pick elements by contents, on the GPU: Where and Gather; and
 * ConstantOfShape.
 */
#include "kernels.h"

/* Where, ConstantOfShape ------------------------------------------------------------------------ */

static kt_status
where_plan (const kt_host *host, const void *ctx, void *user, kt_where_params *p)
{
  const kt_type y = kt_out_type (host, ctx, 0);

  (void) user;
  if (!kt_gpu_moves (y.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  p->size = (int32_t) kt_size_of (y.dtype);
  return kt_paths_plan (host, ctx, 3, &p->at);
}

KT_GPU_PLANNED (where, kt_where_params)

static kt_status
where_run (const kt_host *host, kt_run *run, void *state)
{
  kt_where_params p = *(const kt_where_params *) state;

  if (p.at.count == 0)
    return KT_OK;
  p.c = run->in[0].data;
  p.a = run->in[1].data;
  p.b = run->in[2].data;
  p.y = run->out[0].data;
  kt_where_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Where");
}

static kt_status
fill_plan (const kt_host *host, const void *ctx, void *user, kt_fill_params *p)
{
  const kt_type y = kt_out_type (host, ctx, 0);
  kt_attr value;

  (void) user;
  if (!kt_gpu_moves (y.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  p->count = kt_count (y.dims, y.ndim);
  p->size  = (int32_t) kt_size_of (y.dtype);
  KT_TRY (host->attr (ctx, "value", &value));
  if (value.kind == KT_A_TENSOR && value.v)
    {
      const kt_tensor *const t = value.v;
      if (kt_count (t->shape, t->ndim) != 1)
        return KT_GPU_LEAVE (ctx, "the value is no single element");
      memcpy (p->element, (const char *) t->data + t->byte_offset, (size_t) p->size);
    }
  return KT_OK;
}

KT_GPU_PLANNED (fill, kt_fill_params)

static kt_status
fill_run (const kt_host *host, kt_run *run, void *state)
{
  kt_fill_params p = *(const kt_fill_params *) state;

  if (p.count == 0)
    return KT_OK;
  p.y = run->out[0].data;
  kt_fill_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "ConstantOfShape");
}

/* Rows ------------------------------------------------------------------------------------------- */

typedef struct
{
  kt_rows_params p;
  kt_fault_text text;
} RowsState;

static kt_status
rows_plan (const kt_host *host, const void *ctx, void *user, RowsState *s)
{
  const kt_type x = kt_in_type (host, ctx, 0), at = kt_in_type (host, ctx, 1);
  kt_rows_params *const p = &s->p;
  int32_t axis            = 0;

  (void) user;
  if (!kt_gpu_moves (x.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  KT_TRY (
      kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", 0), x.ndim, &axis));
  p->outer = kt_count (x.dims, axis);
  p->n     = x.dims[axis];
  p->inner = kt_count (x.dims + axis + 1, x.ndim - axis - 1);
  p->count = kt_count (at.dims, at.ndim);
  p->size  = (int32_t) kt_size_of (x.dtype);
  p->wide  = at.dtype == KT_I64;
  s->text
      = (kt_fault_text){ { "index % at position @ is not in <..>" }, -p->n, p->n - 1 };
  return KT_OK;
}

KT_GPU_SUITS (rows, RowsState)
KT_GPU_KEEP (rows, RowsState)

static kt_status
gather_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  RowsState *s;

  KT_TRY (rows_keep (host, prep, user, &s, state));
  return kt_gpu_fault_new (host, prep, &s->text, &s->p.fault);
}

static void
rows_destroy (void *state)
{
  kt_gpu_fault_free (((const RowsState *) state)->p.fault);
}

static kt_status
gather_run (const kt_host *host, kt_run *run, void *state)
{
  kt_rows_params p = ((const RowsState *) state)->p;

  if (p.outer * p.count * p.inner == 0)
    return KT_OK;
  p.x  = run->in[0].data;
  p.at = run->in[1].data;
  p.y  = run->out[0].data;
  kt_gather_launch (&p, kt_gpu_stream (host, run));
  KT_TRY (kt_gpu_launched (host, run, "Gather"));
  return kt_gpu_fault_check (host, run, p.fault, &run->in[1]);
}

/* The table -------------------------------------------------------------------------------------- */

const kt_kernel cu_pick_kernels[] = {
  { KT_GPU ("", "Where", 9), .suits = where_suits, .prepare = where_prepare,
    .run = where_run },
  { KT_GPU ("", "ConstantOfShape", 9), .host_in = 1, .suits = fill_suits,
    .prepare = fill_prepare, .run = fill_run },
  { KT_GPU ("", "Gather", 1), .suits = rows_suits, .prepare = gather_prepare,
    .run = gather_run, .destroy = rows_destroy },
  { 0 },
};
