/* SPDX-License-Identifier: Apache-2.0
 *
 * spatial.c: Pad, LRN and its gradient, InstanceNormalization on the GPU.
 */
#include "kernels.h"
#include "lrn.h"
#include "pad.h"

#define FLOATS "T=f32|f64|f16|bf16"

/* The pads, where they are known: of all axes, or of those in input 3. */
static kt_status
read_pads (const kt_host *host, const void *ctx, int32_t ndim, kt_pads *pads)
{
  const int64_t *v, *axes = NULL;
  size_t n, n_axes        = (size_t) ndim;

  KT_TRY (host->ints (ctx, 1, &v, &n));
  if (!kt_is_absent (kt_in_type (host, ctx, 3)))
    {
      KT_TRY (host->ints (ctx, 3, &axes, &n_axes));
      if (!axes)
        return KT_GPU_LEAVE (ctx, "the axes are not known before the run");
    }
  if (!v || n != 2 * n_axes)
    return KT_GPU_LEAVE (ctx, "the pads are not known before the run");
  for (size_t i = 0; i < n; i++)
    if (KT_IS_DIM (v[i]) || (axes && KT_IS_DIM (axes[i % n_axes])))
      return KT_GPU_LEAVE (ctx, "the pads are not known before the run");
  return kt_pads_resolve (host, ctx, ndim, v, axes, (int64_t) n_axes, pads);
}

static kt_status
pad_plan (const kt_host *host, const void *ctx, void *user, kt_pad_params *p)
{
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);
  const size_t size = kt_size_of (x.dtype);
  int64_t dims[KT_MAX_RANK];
  kt_pad_mode mode;
  kt_pads pads;

  (void) user;
  if (size == 0 || size > 8 || x.dtype == KT_STRING)
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  if (x.ndim > KT_GPU_RANK)
    return KT_GPU_LEAVE (ctx, "more dims than kernels on the GPU serve");
  KT_TRY (kt_pad_mode_of (host, ctx, &mode));
  KT_TRY (read_pads (host, ctx, x.ndim, &pads));
  KT_TRY (kt_pad_shape (host, ctx, mode, x.ndim, x.dims, &pads, dims));
  p->count = kt_count (y.dims, y.ndim);
  p->ndim  = x.ndim;
  p->size  = (int32_t) size;
  p->mode  = (int32_t) mode;
  for (int32_t d = 0; d < x.ndim; d++)
    {
      if (dims[d] != y.dims[d])
        return KT_GPU_LEAVE (ctx, "the shapes do not fit");
      if (mode != KT_PAD_CONSTANT && (pads.begin[d] < 0 || pads.end[d] < 0))
        return KT_GPU_LEAVE (ctx, "what is cut off and mirrored stays on the CPU");
      p->out[d]   = y.dims[d];
      p->in[d]    = x.dims[d];
      p->begin[d] = pads.begin[d];
    }
  return KT_OK;
}

KT_GPU_PLANNED (pad, kt_pad_params)

static kt_status
pad_run (const kt_host *host, kt_run *run, void *state)
{
  kt_pad_params p = *(const kt_pad_params *) state;

  if (p.count == 0)
    return KT_OK;
  p.x     = run->in[0].data;
  p.y     = run->out[0].data;
  p.value = kt_gpu_given (run->in, run->n_in, 2);
  kt_pad_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Pad");
}

/* LRN; USER: the gradient. */
static kt_status
lrn_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x    = kt_in_type (host, prep, 0);
  const int64_t size = kt_attr_int (host, prep, "size", 1);
  const size_t bytes = x.dtype == KT_F64 ? 8 : 4;
  kt_lrn_params *p;

  KT_TRY (host->keep (prep, sizeof *p, state));
  p           = *state;
  p->dtype    = x.dtype;
  p->n        = x.dims[0];
  p->channels = x.dims[1];
  p->inner    = kt_count (x.dims + 2, x.ndim - 2);
  p->lead     = (size - 1) / 2;
  p->trail    = size - 1 - p->lead;
  p->bias     = kt_attr_float (host, prep, "bias", 1);
  p->alpha    = kt_attr_float (host, prep, "alpha", 1e-4) / (double) size;
  p->beta     = kt_attr_float (host, prep, "beta", 0.75);
  return user ? host->want_workspace (prep,
                                      2 * bytes * (size_t) kt_count (x.dims, x.ndim), 0)
              : KT_OK;
}

static kt_status
lrn_run_as (const kt_host *host, kt_run *run, kt_lrn_params p, const char *name)
{
  if (p.n * p.channels * p.inner == 0)
    return KT_OK;
  p.y = run->out[0].data;
  kt_lrn_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, name);
}

static kt_status
lrn_run (const kt_host *host, kt_run *run, void *state)
{
  kt_lrn_params p = *(const kt_lrn_params *) state;

  p.x = run->in[0].data;
  return lrn_run_as (host, run, p, "LRN");
}

static kt_status
lrn_grad_run (const kt_host *host, kt_run *run, void *state)
{
  kt_lrn_params p = *(const kt_lrn_params *) state;

  p.x      = run->in[0].data;
  p.dy     = run->in[1].data;
  p.powers = host->workspace (run, -1, NULL);
  p.terms  = (char *) p.powers + p.n * p.channels * p.inner * (p.dtype == KT_F64 ? 8 : 4);
  return lrn_run_as (host, run, p, "LRNGrad");
}

static kt_status
instance_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_instance_params *p;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *p, state));
  p           = *state;
  p->dtype    = x.dtype;
  p->channels = x.dims[1];
  p->planes   = x.dims[0] * x.dims[1];
  p->inner    = kt_count (x.dims + 2, x.ndim - 2);
  p->epsilon  = kt_attr_float (host, prep, "epsilon", 1e-5);
  return KT_OK;
}

static kt_status
instance_run (const kt_host *host, kt_run *run, void *state)
{
  kt_instance_params p = *(const kt_instance_params *) state;

  if (p.planes == 0 || p.inner == 0)
    return KT_OK;
  p.x     = run->in[0].data;
  p.scale = run->in[1].data;
  p.shift = run->in[2].data;
  p.y     = run->out[0].data;
  kt_instance_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "InstanceNormalization");
}

const kt_kernel cu_spatial_kernels[] = {
  { KT_GPU ("", "Pad", 11), .host_in = 2 | 8, .suits = pad_suits, .prepare = pad_prepare,
    .run = pad_run },
  { KT_GPU ("", "LRN", 1), .types = FLOATS, .prepare = lrn_prepare, .run = lrn_run },
  { KT_GPU ("kette", "LRNGrad", 1), .types = FLOATS, .user = (void *) "gradient",
    .prepare = lrn_prepare, .run = lrn_grad_run },
  { KT_GPU ("", "InstanceNormalization", 1), .types = FLOATS, .n_alias = 1,
    .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = instance_prepare,
    .run = instance_run },
  { 0 },
};
