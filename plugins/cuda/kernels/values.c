/* SPDX-License-Identifier: Apache-2.0
 *
 * values.c: Clip and its gradient, Cast, Pow, ArgMax and ArgMin, Dropout and random numbers on
 * the GPU.
 */
#include "half.h"
#include "kernels.h"

#define FLOATS "T=f32|f64|f16|bf16"
#define NUMBERS "T=f32|f64|f16|bf16|i8|i16|i32|i64|u8|u16|u32|u64"

/* Clip; USER: the gradient, which has dy before x. */
static kt_status
clip_plan (const kt_host *host, const void *ctx, void *user, kt_clip_params *p)
{
  const kt_type x = kt_in_type (host, ctx, user ? 1 : 0);

  for (int32_t i = user ? 2 : 1; i < (user ? 4 : 3); i++)
    {
      const kt_type bound = kt_in_type (host, ctx, i);
      if (bound.kind && kt_count (bound.dims, bound.ndim) != 1)
        return KT_GPU_LEAVE (ctx, "a bound is no single element");
    }
  p->n     = kt_count (x.dims, x.ndim);
  p->dtype = x.dtype;
  return KT_OK;
}

KT_GPU_PLANNED (clip, kt_clip_params)

static kt_status
clip_run (const kt_host *host, kt_run *run, void *state)
{
  kt_clip_params p = *(const kt_clip_params *) state;

  if (p.n == 0)
    return KT_OK;
  p.x    = run->in[0].data;
  p.low  = kt_gpu_given (run->in, run->n_in, 1);
  p.high = kt_gpu_given (run->in, run->n_in, 2);
  p.y    = run->out[0].data;
  kt_clip_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Clip");
}

static kt_status
clip_grad_run (const kt_host *host, kt_run *run, void *state)
{
  kt_clip_params p = *(const kt_clip_params *) state;

  if (p.n == 0)
    return KT_OK;
  p.dy   = run->in[0].data;
  p.x    = run->in[1].data;
  p.low  = kt_gpu_given (run->in, run->n_in, 2);
  p.high = kt_gpu_given (run->in, run->n_in, 3);
  p.y    = run->out[0].data;
  kt_clip_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "ClipGrad");
}

static kt_status
cast_plan (const kt_host *host, const void *ctx, void *user, kt_cast_params *p)
{
  const kt_type x = kt_in_type (host, ctx, 0), y = kt_out_type (host, ctx, 0);

  (void) user;
  if (!kt_gpu_computes (x.dtype) || !kt_gpu_computes (y.dtype))
    return KT_GPU_LEAVE (ctx, "elements of this type stay on the CPU");
  p->n    = kt_count (x.dims, x.ndim);
  p->from = x.dtype;
  p->to   = y.dtype;
  return KT_OK;
}

KT_GPU_PLANNED (cast, kt_cast_params)

static kt_status
cast_run (const kt_host *host, kt_run *run, void *state)
{
  kt_cast_params p = *(const kt_cast_params *) state;

  if (p.n == 0)
    return KT_OK;
  p.x = run->in[0].data;
  p.y = run->out[0].data;
  if (p.from == p.to)
    return kt_gpu_copy (host, run, p.y, p.x, (size_t) p.n * kt_size_of (p.from));
  kt_cast_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Cast");
}

static kt_status
pow_plan (const kt_host *host, const void *ctx, void *user, kt_pow_params *p)
{
  const kt_type x = kt_in_type (host, ctx, 0), e = kt_in_type (host, ctx, 1);

  (void) user;
  if (x.dtype != e.dtype || !kt_is_float (x.dtype))
    return KT_GPU_LEAVE (ctx, "base and exponent are not of one float type");
  p->dtype = x.dtype;
  return kt_paths_plan (host, ctx, 2, &p->at);
}

KT_GPU_PLANNED (pow, kt_pow_params)

static kt_status
pow_run (const kt_host *host, kt_run *run, void *state)
{
  kt_pow_params p = *(const kt_pow_params *) state;

  if (p.at.count == 0)
    return KT_OK;
  p.x = run->in[0].data;
  p.e = run->in[1].data;
  p.y = run->out[0].data;
  kt_pow_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Pow");
}

/* USER: ArgMin. */
static kt_status
arg_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x    = kt_in_type (host, prep, 0);
  const int32_t ndim = x.ndim ? x.ndim : 1; /* a scalar counts as [1] */
  kt_arg_params *p;
  int32_t axis = 0;

  KT_TRY (
      kt_axis (host, prep, KT_E_ATTR, kt_attr_int (host, prep, "axis", 0), ndim, &axis));
  KT_TRY (host->keep (prep, sizeof *p, state));
  p        = *state;
  p->n     = x.ndim ? x.dims[axis] : 1;
  p->inner = x.ndim ? kt_count (x.dims + axis + 1, x.ndim - axis - 1) : 1;
  p->outs  = kt_count (x.dims, x.ndim ? axis : 0) * p->inner;
  p->dtype = x.dtype;
  p->last  = kt_attr_int (host, prep, "select_last_index", 0) != 0;
  p->least = user != NULL;
  return p->n > 0 || p->outs == 0
             ? KT_OK
             : kt_fail (host, prep, KT_E_SHAPE, "axis %d has no element to choose",
                        (int) axis);
}

static kt_status
arg_run (const kt_host *host, kt_run *run, void *state)
{
  kt_arg_params p = *(const kt_arg_params *) state;

  if (p.outs == 0)
    return KT_OK;
  p.x = run->in[0].data;
  p.y = run->out[0].data;
  kt_arg_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, p.least ? "ArgMin" : "ArgMax");
}

/* Dropout: ratio and training_mode are on the host. */
static kt_status
dropout_plan (const kt_host *host, const void *ctx, void *user, kt_dropout_params *p)
{
  const kt_type x = kt_in_type (host, ctx, 0);
  kt_attr seed;

  (void) user;
  KT_TRY (host->attr (ctx, "seed", &seed));
  if (seed.kind == KT_A_INT)
    return KT_GPU_LEAVE (ctx,
                         "a seed asks for NumPy's generator, one number after the other");
  for (int32_t i = 1; i < 3; i++)
    {
      const kt_type t = kt_in_type (host, ctx, i);
      if (t.kind && kt_count (t.dims, t.ndim) != 1)
        return KT_GPU_LEAVE (ctx, "an operand is no scalar");
    }
  p->n     = kt_count (x.dims, x.ndim);
  p->dtype = x.dtype;
  return KT_OK;
}

KT_GPU_PLANNED (dropout, kt_dropout_params)

static double
read_ratio (const kt_tensor *t)
{
  if (t->bits == 64)
    return *(const double *) t->data;
  if (t->bits == 32)
    return (double) *(const float *) t->data;
  /* DLPack's kDLBfloat is 4. */
  return (double) (t->code == 4 ? kt_bf16_to_f32 (*(const uint16_t *) t->data)
                                : kt_f16_to_f32 (*(const uint16_t *) t->data));
}

static kt_status
dropout_run (const kt_host *host, kt_run *run, void *state)
{
  kt_dropout_params p         = *(const kt_dropout_params *) state;
  const unsigned char *trains = kt_gpu_given (run->in, run->n_in, 2);
  const double ratio
      = kt_gpu_given (run->in, run->n_in, 1) ? read_ratio (&run->in[1]) : 0.5;
  const kt_fill_params all_set = {
    .y = kt_gpu_given (run->out, run->n_out, 1), .count = p.n, .element = { 1 }, .size = 1
  };

  if (!(ratio >= 0 && ratio < 1))
    return kt_fail (host, run, KT_E_VALUE, "the ratio %g is not in [0, 1)", ratio);
  if (p.n == 0)
    return KT_OK;
  if (ratio == 0 || !trains || *trains == 0)
    {
      if (all_set.y)
        kt_fill_launch (&all_set, kt_gpu_stream (host, run));
      return kt_gpu_copy (host, run, run->out[0].data, run->in[0].data,
                          (size_t) p.n * kt_size_of (p.dtype));
    }
  KT_TRY (host->random (run, p.key, p.step));
  p.x     = run->in[0].data;
  p.y     = run->out[0].data;
  p.mask  = all_set.y;
  p.ratio = ratio;
  p.scale = 1 / (1 - ratio);
  kt_dropout_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, "Dropout");
}

/* Random numbers; USER: normal ones. */
static kt_status
random_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type y = kt_out_type (host, prep, 0);
  kt_random_params *p;

  KT_TRY (host->keep (prep, sizeof *p, state));
  p         = *state;
  p->n      = kt_count (y.dims, y.ndim);
  p->dtype  = y.dtype;
  p->normal = user != NULL;
  p->a      = kt_attr_float (host, prep, user ? "mean" : "low", 0);
  p->b      = kt_attr_float (host, prep, user ? "scale" : "high", 0);
  return KT_OK;
}

static kt_status
random_run (const kt_host *host, kt_run *run, void *state)
{
  kt_random_params p = *(const kt_random_params *) state;

  if (p.n == 0)
    return KT_OK;
  KT_TRY (host->random (run, p.key, p.step));
  p.y = run->out[0].data;
  kt_random_launch (&p, kt_gpu_stream (host, run));
  return kt_gpu_launched (host, run, p.normal ? "RandomNormal" : "RandomUniform");
}

const kt_kernel cu_value_kernels[] = {
  { KT_GPU ("", "Clip", 11), .types = NUMBERS, .suits = clip_suits, .n_alias = 1,
    .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = clip_prepare, .run = clip_run },
  { KT_GPU ("kette", "ClipGrad", 1), .types = FLOATS, .suits = clip_suits,
    .user = (void *) "gradient", .n_alias = 2,
    .alias   = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },
    .prepare = clip_prepare, .run = clip_grad_run },
  { KT_GPU ("", "Cast", 6), .suits = cast_suits, .prepare = cast_prepare,
    .run = cast_run },
  { KT_GPU ("", "CastLike", 15), .suits = cast_suits, .prepare = cast_prepare,
    .run = cast_run },
  { KT_GPU ("", "Pow", 7), .suits = pow_suits, .prepare = pow_prepare, .run = pow_run },
  { KT_GPU ("", "ArgMax", 1), .types = NUMBERS, .prepare = arg_prepare, .run = arg_run },
  { KT_GPU ("", "ArgMin", 1), .types = NUMBERS, .user = (void *) "least",
    .prepare = arg_prepare, .run = arg_run },
  /* Not to be recorded: each step has masks of its own. */
  { KT_GPU_ONCE ("", "Dropout", 12), .types = "T=f32|f64|f16|bf16;T1=f32|f64|f16|bf16",
    .host_in = 2 | 4, .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 },
    .suits = dropout_suits, .prepare = dropout_prepare, .run = dropout_run },
  { KT_GPU_ONCE ("", "RandomUniform", 1), .prepare = random_prepare, .run = random_run },
  { KT_GPU_ONCE ("", "RandomNormal", 1), .user = (void *) "normal",
    .prepare = random_prepare, .run = random_run },
  { 0 },
};
