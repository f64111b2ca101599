/* SPDX-License-Identifier: Apache-2.0
 *
 * BatchNormalization: y = (x - mean) / sqrt (var + epsilon) * scale + B per channel. In
 * training, mean and (population) variance are those of the batch, and running_mean, running_var
 * = old * momentum + batch * (1 - momentum).  Source: ONNX BatchNormalization-15.
 */
#include "emit.h"
#include "norm.h"
#include "shape.h"
#include <math.h>

enum
{
  X,
  SCALE,
  B,
  MEAN,
  VAR
};

static kt_status
batch_normalization_infer (const kt_host *host, kt_infer *infer, void *user)
{
  static const char *const names[] = { "X", "scale", "B", "input_mean", "input_var" };
  const kt_type x = kt_in_type (host, infer, X), mean = kt_in_type (host, infer, MEAN);
  int32_t n_in, n_out, version;

  (void) user;
  KT_TRY (host->arity (infer, &n_in, &n_out, &version));
  if (n_out > 1 && !kt_attr_int (host, infer, "training_mode", 0))
    return kt_fail (host, infer, KT_E_ATTR,
                    "outputs other than Y need training_mode 1, it is 0");
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim == 0)
    return kt_fail (host, infer, KT_E_SHAPE, "X has rank 0, needs a dim of samples");
  for (int32_t i = SCALE; i <= VAR; i++)
    KT_TRY (kt_norm_check_vector (host, infer, i, names[i], kt_norm_channels_of (&x)));
  KT_TRY (host->out_type (infer, 0, &x));
  for (int32_t i = 1; i < n_out && i < 3; i++)
    if (mean.kind)
      {
        const int64_t channels = kt_norm_channels_of (&x);
        KT_TRY (kt_set_out (host, infer, i, mean.dtype, &channels, 1));
      }
  return KT_OK;
}

typedef struct
{
  kt_norm norm;
  int32_t dtype[VAR + 1];
  double epsilon, momentum;
  kt_norm_line *line; /* per channel where all inputs but X are constant, else NULL */
} State;

/* The line of channel C with statistics MEAN and VARIANCE. */
static kt_norm_line
line_of (const State *s, const kt_tensor *in, int64_t c, double mean, double variance)
{
  return (kt_norm_line){ .m = mean,
                         .a = kt_norm_get (s->dtype[SCALE], in[SCALE].data, c)
                              / sqrt (variance + s->epsilon),
                         .b = kt_norm_get (s->dtype[B], in[B].data, c) };
}

static kt_norm_line
fixed_line (const State *s, const kt_tensor *in, int64_t c)
{
  return line_of (s, in, c, kt_norm_get (s->dtype[MEAN], in[MEAN].data, c),
                  kt_norm_get (s->dtype[VAR], in[VAR].data, c));
}

static kt_status
prepare (const kt_host *host, kt_prep *prep, State *s)
{
  for (int32_t i = 0; i <= VAR; i++)
    s->dtype[i] = kt_in_type (host, prep, i).dtype;
  const kt_type x = kt_in_type (host, prep, X);

  kt_norm_of_type (&s->norm, &x);
  s->epsilon  = kt_attr_float (host, prep, "epsilon", 1e-5);
  s->momentum = kt_attr_float (host, prep, "momentum", 0.9);
  return KT_OK;
}

/* Inference ----------------------------------------------------------------------------- */

static kt_status
inference_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_tensor in[VAR + 1] = { { 0 } };
  bool constant         = true;
  State *s;

  (void) user;
  if (kt_attr_int (host, prep, "training_mode", 0))
    return KT_E_UNSUPPORTED;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  KT_TRY (prepare (host, prep, s));
  for (int32_t i = SCALE; i <= VAR; i++)
    constant = host->constant (prep, i, &in[i]) == KT_OK && in[i].data && constant;
  if (!constant || s->norm.channels == 0)
    return KT_OK;
  KT_TRY (
      host->keep (prep, (size_t) s->norm.channels * sizeof *s->line, (void **) &s->line));
  for (int64_t c = 0; c < s->norm.channels; c++)
    s->line[c] = fixed_line (s, in, c);
  return KT_OK;
}

typedef struct
{
  const State *s;
  const kt_tensor *in, *out;
} Job;

static void
infer_channels (void *arg, int64_t first, int64_t n)
{
  const Job *job = arg;
  kt_norm_line line[KT_NORM_COLUMNS];

  for (int64_t j = 0; !job->s->line && j < n; j++)
    line[j] = fixed_line (job->s, job->in, first + j);
  kt_norm_map (&job->s->norm, job->in[X].data, NULL, job->out[0].data, first, n,
               job->s->line ? job->s->line + first : line);
}

static kt_status
inference_run (const kt_host *host, kt_run *run, void *state)
{
  Job job = { state, run->in, run->out };

  return kt_norm_run (host, run, &job.s->norm, infer_channels, &job);
}

/* Runs of elements that belong to one channel, or of one element of each channel. */
static kt_status
inference_tile (const kt_host *host, kt_run *run, void *state, int64_t begin, int64_t end,
                int32_t worker)
{
  const State *s     = state;
  const int64_t size = (int64_t) kt_size_of (s->norm.dtype), inner = s->norm.inner;
  kt_norm part = s->norm;
  kt_norm_line line[KT_NORM_COLUMNS];

  (void) host;
  (void) worker;
  part.rows = 1;
  for (int64_t i = begin, n; i < end; i += n)
    {
      const int64_t c    = i / inner % s->norm.channels;
      const int64_t rest = inner > 1 ? inner - i % inner : s->norm.channels - c;
      n                  = end - i < rest ? end - i : rest;
      if (inner == 1 && n > KT_NORM_COLUMNS)
        n = KT_NORM_COLUMNS;
      part.channels = inner > 1 ? 1 : n;
      part.inner    = inner > 1 ? n : 1;
      for (int64_t j = 0; !s->line && j < part.channels; j++)
        line[j] = fixed_line (s, run->in, c + j);
      kt_norm_map (&part, (const char *) run->in[X].data + i * size, NULL,
                   (char *) run->out[0].data + i * size, 0, part.channels,
                   s->line ? s->line + c : line);
    }
  return KT_OK;
}

/* Training ------------------------------------------------------------------------------ */

static kt_status
training_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  return prepare (host, prep, s);
}

/* output = old * momentum + batch * (1 - momentum) */
static void
keep_running (const State *s, const kt_tensor *old, const kt_tensor *out, int32_t dtype,
              int64_t c, double batch)
{
  if (out->device_type != 0)
    kt_norm_set (dtype, out->data, c,
                 kt_norm_get (dtype, old->data, c) * s->momentum
                     + batch * (1 - s->momentum));
}

static void
train_channels (void *arg, int64_t first, int64_t n)
{
  static const kt_tensor absent;
  const Job *job = arg;
  const State *s = job->s;
  kt_norm_line line[KT_NORM_COLUMNS];
  kt_moments moments[KT_NORM_COLUMNS];

  kt_norm_moments (&s->norm, job->in[X].data, NULL, first, n, moments);
  for (int64_t j = 0; j < n; j++)
    {
      const kt_moments *m   = &moments[j];
      const double variance = m->m2 / m->n;
      line[j]               = line_of (s, job->in, first + j, m->mean, variance);
      keep_running (s, &job->in[MEAN], job->out ? &job->out[1] : &absent, s->dtype[MEAN],
                    first + j, m->mean);
      keep_running (s, &job->in[VAR], job->out ? &job->out[2] : &absent, s->dtype[VAR],
                    first + j, variance);
    }
  kt_norm_map (&s->norm, job->in[X].data, NULL, job->out[0].data, first, n, line);
}

static kt_status
training_run (const kt_host *host, kt_run *run, void *state)
{
  kt_tensor out[3] = { { 0 } };
  Job job          = { state, run->in, out };

  for (int32_t i = 0; i < run->n_out && i < 3; i++)
    out[i] = run->out[i];
  return kt_norm_run (host, run, &job.s->norm, train_channels, &job);
}

#define TYPES                                                                            \
  "T=f32|f64|f16|bf16;T1=f32|f64|f16|bf16;T2=f32|f64|f16|bf16;U=f32|f64|f16|bf16"

static const kt_kernel batch_normalization_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .types = TYPES, .priority = 1,
    .n_alias = 1, .alias = (const kt_alias[]){ { X, 0, 0, 0 } },
    .prepare = inference_prepare, .run = inference_run, .tile = inference_tile },
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = TYPES, .n_alias = 3,
    .alias   = (const kt_alias[]){ { X, 0, 0, 0 }, { MEAN, 1, 0, 0 }, { VAR, 2, 0, 0 } },
    .prepare = training_prepare, .run = training_run },
  { 0 },
};

/* Gradient ------------------------------------------------------------------------------ */

static kt_value
cast_like (const kt_host *host, kt_graph *g, kt_value v, kt_value like)
{
  kt_type from, to;

  host->g_type (g, v, &from);
  host->g_type (g, like, &to);
  if (!v || from.dtype == to.dtype)
    return v;

  const kt_attr attr = { .name = "to", .kind = KT_A_INT, .i = to.dtype };
  return kt_node (host, g, "Cast", &v, 1, &attr, 1);
}

static kt_status
set_like (const kt_host *host, kt_graph *g, int32_t i, kt_value v)
{
  return host->g_set (g, i, cast_like (host, g, v, host->g_in (g, i)));
}

/* Through the statistics: kette.BatchNormGrad. */
static kt_status
training_gradient (const kt_host *host, kt_graph *g)
{
  const kt_value x = host->g_in (g, X);
  const kt_value in[]
      = { x, host->g_seed (g, 0), cast_like (host, g, host->g_in (g, SCALE), x) };
  const kt_attr epsilon = { .name = "epsilon",
                            .kind = KT_A_FLOAT,
                            .f    = kt_attr_float (host, g, "epsilon", 1e-5) };
  kt_value out[3];

  KT_TRY (host->g_node (g, "kette", "BatchNormGrad", 1, in, 3, out, 3, &epsilon, 1));
  for (int32_t i = X; i <= B; i++)
    if (host->g_wanted (g, i))
      KT_TRY (set_like (host, g, i, out[i]));
  return KT_OK;
}

/* Mean and variance are inputs like others: with inv = 1 / sqrt (var + epsilon), h = (x - mean)
 * inv: dx = dy scale inv, dscale = sum dy h, dB = sum dy, dmean = -sum dx, dvar = -1/2 inv sum
 * dx h. */
static kt_status
inference_gradient (const kt_host *host, kt_graph *g, int32_t ndim)
{
  const kt_value x = host->g_in (g, X), dy = host->g_seed (g, 0);
  const kt_value var = cast_like (host, g, host->g_in (g, VAR), x);
  const kt_value epsilon
      = kt_scalar_like (host, g, x, kt_attr_float (host, g, "epsilon", 1e-5));
  const kt_value root   = kt_sqrt_of (host, g, kt_add (host, g, var, epsilon));
  const kt_value inv    = kt_node (host, g, "Reciprocal", &root, 1, NULL, 0);
  const kt_value scale  = cast_like (host, g, host->g_in (g, SCALE), x);
  const bool statistics = host->g_wanted (g, MEAN) || host->g_wanted (g, VAR);
  kt_value h            = 0;

  if (host->g_wanted (g, SCALE) || host->g_wanted (g, VAR))
    {
      const kt_value mean = cast_like (host, g, host->g_in (g, MEAN), x);
      h = kt_mul (host, g, kt_sub (host, g, x, kt_norm_along (host, g, mean, ndim)),
                  kt_norm_along (host, g, inv, ndim));
    }
  if (host->g_wanted (g, SCALE))
    KT_TRY (
        set_like (host, g, SCALE, kt_norm_sum (host, g, kt_mul (host, g, dy, h), ndim)));
  if (host->g_wanted (g, B))
    KT_TRY (set_like (host, g, B, kt_norm_sum (host, g, dy, ndim)));
  if (!host->g_wanted (g, X) && !statistics)
    return KT_OK;

  const kt_value dx
      = kt_mul (host, g, dy, kt_norm_along (host, g, kt_mul (host, g, scale, inv), ndim));
  if (host->g_wanted (g, X))
    KT_TRY (host->g_set (g, X, dx));
  if (host->g_wanted (g, MEAN))
    KT_TRY (set_like (host, g, MEAN, kt_neg (host, g, kt_norm_sum (host, g, dx, ndim))));
  if (host->g_wanted (g, VAR))
    {
      const kt_value sum  = kt_norm_sum (host, g, kt_mul (host, g, dx, h), ndim);
      const kt_value half = kt_scalar_like (host, g, x, -0.5);
      KT_TRY (
          set_like (host, g, VAR, kt_mul (host, g, kt_mul (host, g, half, inv), sum)));
    }
  return KT_OK;
}

static kt_status
batch_normalization_gradient (const kt_host *host, kt_graph *g, void *user)
{
  kt_type x;

  (void) user;
  if (!host->g_seed (g, 0))
    return KT_OK;
  if (kt_attr_int (host, g, "training_mode", 0))
    return training_gradient (host, g);
  KT_TRY (host->g_type (g, host->g_in (g, X), &x));
  if (x.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its gradient needs to know the rank");
  return inference_gradient (host, g, x.ndim);
}

/* Old forms ----------------------------------------------------------------------------- */

/* Versions 1-9 describe inference where only Y is used. With spatial 0 each element of a sample
 * has its own statistics: a channel of the flattened sample. */
static kt_status
old_body (const kt_host *host, kt_graph *g, void *user)
{
  static const int64_t all = -1;
  const bool spatial       = kt_attr_int (host, g, "spatial", 1) != 0;
  const kt_attr epsilon    = { .name = "epsilon",
                               .kind = KT_A_FLOAT,
                               .f    = kt_attr_float (host, g, "epsilon", 1e-5) };
  kt_value in[VAR + 1], y;

  (void) user;
  for (int32_t i = 1; i < 5; i++)
    if (host->g_wanted (g, i))
      return kt_fail (host, g, KT_E_UNSUPPORTED,
                      "output %d is used: this version's form for training is not served",
                      (int) i);
  for (int32_t i = X; i <= VAR; i++)
    in[i] = host->g_in (g, i);
  for (int32_t i = X; i <= VAR && !spatial; i++)
    in[i] = i == X ? kt_node (host, g, "Flatten", &in[i], 1, NULL, 0)
                   : kt_node (host, g, "Reshape",
                              (const kt_value[]){ in[i], kt_ints (host, g, &all, 1) }, 2,
                              NULL, 0);
  y = kt_node (host, g, "BatchNormalization", in, 5, &epsilon, 1);
  if (!spatial)
    y = kt_reshape (host, g, y, kt_shape_of (host, g, host->g_in (g, X)));
  return host->g_set (g, 0, y);
}

const kt_operator kette_op_batch_normalization = {
  .op     = { KT_OP ("BatchNormalization", 14), .flags = KT_OP_PURE,
              .infer = batch_normalization_infer, .gradient = batch_normalization_gradient },
  .kernel = batch_normalization_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("BatchNormalization", 1, 13), .flags = KT_OP_PURE,
                               .infer = kt_infer_same, .body = old_body },
                             { 0 } },
};
