/* SPDX-License-Identifier: Apache-2.0
 *
 * top.c: TopK on the GPU.
 */
#include "kernels.h"

static kt_status
top_plan (const kt_host *host, const void *ctx, void *user, kt_top_params *p)
{
  const kt_type x = kt_in_type (host, ctx, 0);
  kt_type y       = kt_out_type (host, ctx, 0);
  int32_t axis    = 0;
  const int64_t *k;
  size_t n;

  (void) user;
  if (!kt_gpu_computes (x.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  KT_TRY (host->ints (ctx, 1, &k, &n));
  if (!k || n != 1 || KT_IS_DIM (k[0]))
    return KT_GPU_LEAVE (ctx, "K is not known before the run");
  if (y.kind == 0)
    y = kt_out_type (host, ctx, 1);
  KT_TRY (
      kt_axis (host, ctx, KT_E_ATTR, kt_attr_int (host, ctx, "axis", -1), x.ndim, &axis));
  p->n     = x.dims[axis];
  p->inner = kt_count (x.dims + axis + 1, x.ndim - axis - 1);
  p->lines = kt_count (x.dims, axis) * p->inner;
  p->k     = y.dims[axis];
  p->flip  = kt_attr_int (host, ctx, "largest", 1) == 0 ? UINT64_MAX : 0;
  p->dtype = x.dtype;
  p->size  = (int32_t) kt_size_of (x.dtype);
  if (p->k != k[0] || p->k > p->n)
    return KT_GPU_LEAVE (ctx, "K does not fit");
  p->length = kt_sort_length (p->n);
  if (p->length > KT_SORT_TILE && p->k <= KT_SORT_TILE / 2)
    p->length = KT_SORT_TILE;
  return KT_OK;
}

KT_GPU_SUITS (top, kt_top_params)
KT_GPU_KEEP (top, kt_top_params)

static kt_status
top_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_top_params *p;

  KT_TRY (top_keep (host, prep, user, &p, state));
  if (p->length <= KT_SORT_TILE)
    return KT_OK;
  return host->want_workspace (
      prep, (size_t) p->lines * (size_t) p->length * sizeof (kt_sorted), 0);
}

static kt_status
top_run (const kt_host *host, kt_run *run, void *state)
{
  kt_top_params p = *(const kt_top_params *) state;

  if (p.k == 0 || p.lines == 0)
    return KT_OK;
  p.x      = run->in[0].data;
  p.values = kt_gpu_given (run->out, run->n_out, 0);
  p.places = kt_gpu_given (run->out, run->n_out, 1);
  if (p.length > KT_SORT_TILE)
    p.entries = host->workspace (run, -1, NULL);
  kt_top_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "TopK");
}

const kt_kernel cu_top_kernels[] = {
  { KT_GPU ("", "TopK", 10), .host_in = 2, .suits = top_suits, .prepare = top_prepare,
    .run = top_run },
  { 0 },
};
