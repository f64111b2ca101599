/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.c: Conv, ConvTranspose, kette.ConvGradX and kette.ConvGradW: on cuDNN where it can be
 * opened and takes the shape (dnn.c), else by kernels of our own.
 */
#include "../../ops/conv.h"
#include "dnn.h"
#include "geometry.h"
#include "kernels/kernels.h"

typedef struct
{
  CuConv p;
  CuDnnConv *dnn;
  int64_t count; /* elements of the result */
  bool biased;   /* input 2 is a bias */
} State;

/* What a kernel is for. */
typedef struct
{
  kt_conv_role out;
  bool spread;
} Kind;
static const Kind conv = { KT_CONV_SMALL, false }, transposed = { KT_CONV_LARGE, true },
                  grad_x = { KT_CONV_LARGE, false }, grad_w = { KT_CONV_WEIGHTS, false };

static bool
read (const kt_host *host, const void *ctx, const Kind *kind, CuConv *p)
{
  kt_conv c;

  if (kt_conv_read (host, ctx, kind->out, kind->spread, &c) != KT_OK || c.rank < 3)
    return false;
  *p = (CuConv){ .batch = c.batch,
                 .group = c.group,
                 .m     = c.m,
                 .c     = c.c,
                 .parts = 1,
                 .role  = (int32_t) c.out,
                 .dtype = c.dtype };
  return cu_geometry (&c.w, &p->g);
}

static int32_t
suits (const kt_host *host, const void *ctx, void *user)
{
  CuConv p;

  return read (host, ctx, user, &p);
}

/* For tensors of f32 cuDNN has tf32 only, which is what bf16 becomes there. */
static kt_status
tell_rounding (const kt_host *host, kt_prep *prep, const State *s)
{
  return !s->p.round ? KT_OK : host->rounds (prep, s->dnn ? KT_ROUND_TF32 : s->p.round);
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const Kind *kind  = user;
  const kt_type out = kt_out_type (host, prep, 0);
  State *s;

  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  if (!read (host, prep, kind, &s->p))
    return KT_GPU_LEAVE (prep, "windows of more than three dims, or beyond 32 bits");
  s->count  = kt_count (out.dims, out.ndim);
  s->biased = (kind == &conv || kind == &transposed) && kt_in_type (host, prep, 2).kind;
  if (s->count == 0)
    return KT_OK;
  if (s->p.dtype == KT_F32 && KT_HAS (kt_host, host, rounds))
    s->p.round = host->precision (prep);
  KT_TRY (cu_dnn_prepare (host, prep, &s->p, &s->dnn));
  KT_TRY (tell_rounding (host, prep, s));
  if (s->dnn || kind->out != KT_CONV_WEIGHTS)
    return KT_OK;
  s->p.parts = cu_conv_parts (s->p.m, s->p.c * s->p.g.cells, s->p.group,
                              s->p.batch * s->p.g.small_area);
  return s->p.parts == 1
             ? KT_OK
             : host->want_workspace (
                 prep, (size_t) (s->p.parts * s->count) * (s->p.dtype == KT_F64 ? 8 : 4),
                 0);
}

/* db of ConvGradW, if it is asked for. */
static void
grad_bias (const CuConv *p, kt_run *run, void *stream)
{
  if (run->n_out < 2 || run->out[1].device_type == 0)
    return;

  const CuBiasGrad b = { .x        = run->in[1].data,
                         .y        = run->out[1].data,
                         .batch    = p->batch,
                         .channels = p->group * p->m,
                         .area     = p->g.small_area,
                         .dtype    = p->dtype };
  cu_bias_grad_launch (&b, stream);
}

static kt_status
run_conv (const kt_host *host, kt_run *run, void *state)
{
  const State *s     = state;
  CuConv p           = s->p;
  void *const stream = kt_gpu_stream (host, run);

  p.out = run->out[0].data;
  if (p.role == KT_CONV_WEIGHTS)
    p.large = run->in[0].data, p.small = run->in[1].data;
  else if (p.role == KT_CONV_SMALL)
    p.large = run->in[0].data, p.weights = run->in[1].data;
  else
    p.small = run->in[0].data, p.weights = run->in[1].data;
  if (p.role == KT_CONV_WEIGHTS)
    grad_bias (&p, run, stream);
  if (s->count == 0)
    return kt_gpu_launched (host, run, "a convolution");
  if (s->biased)
    p.bias = run->in[2].data;
  if (s->dnn)
    return cu_dnn_run (host, run, s->dnn, &p);
  if (p.parts > 1)
    p.partial = host->workspace (run, -1, NULL);
  cu_conv_launch (&p, stream);
  return kt_gpu_launched (host, run, "a convolution");
}

static void
destroy (void *state)
{
  State *s = state;

  if (s)
    cu_dnn_free (s->dnn);
}

#define CONV(DOMAIN, NAME, SINCE, KIND, HOST_IN)                                         \
  {                                                                                      \
    KT_GPU (DOMAIN, NAME, SINCE), .types = "T=f32|f64|f16|bf16", .host_in = HOST_IN,     \
                                  .user    = (void *) (uintptr_t) &KIND,                 \
                                  .prepare = prepare, .run = run_conv,                   \
                                  .destroy = destroy, .suits = suits                     \
  }

const kt_kernel cu_conv_kernels[] = {
  CONV ("", "Conv", 1, conv, 0),
  CONV ("", "ConvTranspose", 1, transposed, 0),
  CONV ("kette", "ConvGradX", 1, grad_x, 4),
  CONV ("kette", "ConvGradW", 1, grad_w, 4),
  { 0 },
};
