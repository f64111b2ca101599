/* SPDX-License-Identifier: Apache-2.0
 *
 * norms.c: BatchNormalization, in inference and training, and kette.BatchNormGrad by kernels of
 * our own: cuDNN's take other types for the statistics than ONNX allows, and other variances
 * for the running ones.
 */
#include "../../ops/norm.h"
#include "geometry.h"
#include "kernels/kernels.h"

typedef struct
{
  CuNorm p;
  size_t lines_at;
} State;

static int32_t
normalises (const kt_host *host, const void *ctx, void *user)
{
  (void) user;
  return kt_in_type (host, ctx, 0).ndim >= 1;
}

static kt_status
prepare_as (const kt_host *host, kt_prep *prep, int mode, State *s)
{
  const kt_type x = kt_in_type (host, prep, 0);
  kt_norm norm;

  kt_norm_of_type (&norm, &x);
  s->p = (CuNorm){ .rows     = norm.rows,
                   .channels = norm.channels,
                   .inner    = norm.inner,
                   .pieces   = cu_norm_pieces (norm.channels, norm.rows * norm.inner),
                   .epsilon  = kt_attr_float (host, prep, "epsilon", 1e-5),
                   .momentum = kt_attr_float (host, prep, "momentum", 0.9),
                   .dtype    = x.dtype,
                   .scale_dtype
                   = kt_in_type (host, prep, mode == CU_NORM_GRADIENT ? 2 : 1).dtype,
                   .bias_dtype = kt_in_type (host, prep, 2).dtype,
                   .mean_dtype = kt_in_type (host, prep, 3).dtype,
                   .var_dtype  = kt_in_type (host, prep, 4).dtype,
                   .mode       = mode };

  const size_t moments = mode == CU_NORM_FIXED ? 0
                                               : (size_t) (norm.channels * s->p.pieces)
                                                     * 5 * sizeof (double);
  s->lines_at          = (moments + 63) / 64 * 64;
  return host->want_workspace (
      prep, s->lines_at + (size_t) norm.channels * 4 * sizeof (double) + 64, 0);
}

static kt_status
norm_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));
  return prepare_as (host, prep,
                     kt_attr_int (host, prep, "training_mode", 0) ? CU_NORM_TRAIN
                                                                  : CU_NORM_FIXED,
                     *state);
}

static kt_status
grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  KT_TRY (host->keep (prep, sizeof (State), state));
  return prepare_as (host, prep, CU_NORM_GRADIENT, *state);
}

static kt_status
run_norm (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  CuNorm p           = s->p;
  char *const memory = host->workspace (run, -1, NULL);
  void *const stream = kt_gpu_stream (host, run);

  if (p.channels == 0)
    return KT_OK;
  p.moments = (double *) (void *) memory;
  p.lines   = (double *) (void *) (memory + s->lines_at);
  p.x       = run->in[0].data;
  p.y       = run->out[0].data;
  if (p.mode == CU_NORM_GRADIENT)
    p.dy = run->in[1].data, p.scale = run->in[2].data;
  else
    {
      p.scale = run->in[1].data, p.bias = run->in[2].data;
      p.mean = run->in[3].data, p.var = run->in[4].data;
    }
  if (run->n_out > 1 && run->out[1].device_type != 0)
    p.mean_out = run->out[1].data;
  if (run->n_out > 2 && run->out[2].device_type != 0)
    p.var_out = run->out[2].data;
  cu_norm_launch (&p, stream);
  return kt_gpu_launched (host, run, "a batch normalisation");
}

static const kt_alias over_x[] = { { 0, 0, 0, 0 } };

const kt_kernel cu_norms_kernels[] = {
  { KT_GPU ("", "BatchNormalization", 14), .n_alias = 1, .alias = over_x,
    .prepare = norm_prepare, .run = run_norm, .suits = normalises },
  { KT_GPU ("kette", "BatchNormGrad", 1), .types = "T=f32|f64|f16|bf16",
    .prepare = grad_prepare, .run = run_norm, .suits = normalises },
  { 0 },
};
