/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.BatchNormGrad: the gradient of BatchNormalization in training. With mean and variance of
 * X per channel, inv = 1 / sqrt (var + epsilon), h = (x - mean) inv, n elements of a channel:
 * dB = sum dy, dscale = sum dy h, dx = scale inv (dy - dB / n - h dscale / n).
 */
#include "emit.h"
#include "norm.h"
#include <math.h>

static kt_status
batch_norm_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), dy = kt_in_type (host, infer, 1);
  const int64_t channels = kt_norm_channels_of (&x);

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim == 0)
    return kt_fail (host, infer, KT_E_SHAPE, "X has rank 0, needs a dim of samples");
  if (dy.kind && dy.ndim >= 0 && x.ndim >= 0)
    {
      bool same = dy.ndim == x.ndim;
      for (int32_t d = 0; same && d < x.ndim; d++)
        same = dy.dims[d] == x.dims[d] || !kt_dim_known (dy.dims[d])
               || !kt_dim_known (x.dims[d]);
      if (!same)
        return kt_fail (host, infer, KT_E_SHAPE, "dY has another shape than X");
    }
  KT_TRY (kt_norm_check_vector (host, infer, 2, "scale", channels));
  KT_TRY (host->out_type (infer, 0, &x));
  KT_TRY (kt_set_out (host, infer, 1, x.dtype, &channels, 1));
  return kt_set_out (host, infer, 2, x.dtype, &channels, 1);
}

typedef struct
{
  kt_norm norm;
  double epsilon;
} State;

static kt_status
batch_norm_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  kt_norm_of_type (&s->norm, &x);
  s->epsilon = kt_attr_float (host, prep, "epsilon", 1e-5);
  return KT_OK;
}

typedef struct
{
  const State *s;
  const kt_run *run;
} Job;

static void
grad_channels (void *arg, int64_t first, int64_t n)
{
  const Job *job      = arg;
  const kt_norm *norm = &job->s->norm;
  const kt_tensor *in = job->run->in, *out = job->run->out;
  kt_moments moments[KT_NORM_COLUMNS];
  kt_norm_line line[KT_NORM_COLUMNS];

  kt_norm_moments (norm, in[0].data, in[1].data, first, n, moments);
  for (int64_t j = 0; j < n; j++)
    {
      const kt_moments *m = &moments[j];
      const double inv    = 1 / sqrt (m->m2 / m->n + job->s->epsilon);
      const double slope  = kt_norm_get (norm->dtype, in[2].data, first + j) * inv;
      line[j]             = (kt_norm_line){ .m = m->mean,
                                            .a = -slope * inv * inv * m->dot / m->n,
                                            .b = -slope * m->sum / m->n,
                                            .c = slope };
      if (job->run->n_out > 1 && out[1].device_type)
        kt_norm_set (norm->dtype, out[1].data, first + j, m->dot * inv);
      if (job->run->n_out > 2 && out[2].device_type)
        kt_norm_set (norm->dtype, out[2].data, first + j, m->sum);
    }
  kt_norm_map (norm, in[0].data, in[1].data, out[0].data, first, n, line);
}

static kt_status
batch_norm_grad_run (const kt_host *host, kt_run *run, void *state)
{
  Job job = { state, run };

  return kt_norm_run (host, run, &job.s->norm, grad_channels, &job);
}

static const kt_kernel batch_norm_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16", .n_alias = 2,
    .alias   = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },
    .prepare = batch_norm_grad_prepare, .run = batch_norm_grad_run },
  { 0 },
};

static kt_status
batch_norm_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), dy = host->g_in (g, 1);
  kt_type t;

  (void) user;
  KT_TRY (host->g_type (g, x, &t));
  if (t.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the rank");

  const kt_value axes = kt_norm_axes (host, g, t.ndim);
  const kt_value epsilon
      = kt_scalar_like (host, g, x, kt_attr_float (host, g, "epsilon", 1e-5));
  const kt_value d
      = kt_sub (host, g, x, kt_norm_reduced (host, g, "ReduceMean", x, axes, 1));
  const kt_value var
      = kt_norm_reduced (host, g, "ReduceMean", kt_mul (host, g, d, d), axes, 1);
  const kt_value root = kt_sqrt_of (host, g, kt_add (host, g, var, epsilon));
  const kt_value inv  = kt_node (host, g, "Reciprocal", &root, 1, NULL, 0);
  const kt_value h    = kt_mul (host, g, d, inv);
  const kt_value dyh  = kt_mul (host, g, dy, h);
  const kt_value slope
      = kt_mul (host, g, kt_norm_along (host, g, host->g_in (g, 2), t.ndim), inv);
  const kt_value mean = kt_norm_reduced (host, g, "ReduceMean", dy, axes, 1);
  const kt_value part
      = kt_mul (host, g, h, kt_norm_reduced (host, g, "ReduceMean", dyh, axes, 1));

  KT_TRY (host->g_set (
      g, 0, kt_mul (host, g, slope, kt_sub (host, g, kt_sub (host, g, dy, mean), part))));
  if (host->g_wanted (g, 1))
    KT_TRY (host->g_set (g, 1, kt_norm_sum (host, g, dyh, t.ndim)));
  if (host->g_wanted (g, 2))
    KT_TRY (host->g_set (g, 2, kt_norm_sum (host, g, dy, t.ndim)));
  return KT_OK;
}

const kt_operator kette_op_batch_norm_grad = {
  .op = { KT_OP ("BatchNormGrad", 1), .flags = KT_OP_PURE, .infer = batch_norm_grad_infer,
          .body = batch_norm_grad_body },
  .kernel = batch_norm_grad_kernel,
};
