/* SPDX-License-Identifier: Apache-2.0
 *
 * InstanceNormalization: y = scale (x - mean) / sqrt (var + epsilon) + B, with mean and variance
 * per sample and channel.  Source: ONNX InstanceNormalization-22.
 */
#include "emit.h"
#include "norm.h"
#include "shape.h"
#include <math.h>

static kt_status
instance_normalization_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim >= 0 && x.ndim < 2)
    return kt_fail (host, infer, KT_E_SHAPE,
                    "the input has rank %d, needs samples and channels", (int) x.ndim);
  KT_TRY (kt_norm_check_vector (host, infer, 1, "scale", kt_norm_channels_of (&x)));
  KT_TRY (kt_norm_check_vector (host, infer, 2, "B", kt_norm_channels_of (&x)));
  return host->out_type (infer, 0, &x);
}

/* Each channel of each sample is a channel of its own. */
typedef struct
{
  kt_norm norm;
  int64_t channels;
  double epsilon;
} State;

static kt_status
instance_normalization_prepare (const kt_host *host, kt_prep *prep, void *user,
                                void **state)
{
  const kt_type x = kt_in_type (host, prep, 0);
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s           = *state;
  s->channels = x.dims[1];
  s->epsilon  = kt_attr_float (host, prep, "epsilon", 1e-5);
  kt_norm_init (&s->norm, x.dtype, 1, x.dims[0] * x.dims[1],
                kt_count (x.dims + 2, x.ndim - 2));
  return KT_OK;
}

typedef struct
{
  const State *s;
  const kt_run *run;
} Job;

static void
normalize_channels (void *arg, int64_t first, int64_t n)
{
  const Job *job      = arg;
  const kt_norm *norm = &job->s->norm;
  const kt_tensor *in = job->run->in;
  kt_moments moments[KT_NORM_COLUMNS];
  kt_norm_line line[KT_NORM_COLUMNS];

  kt_norm_moments (norm, in[0].data, NULL, first, n, moments);
  for (int64_t j = 0; j < n; j++)
    {
      const int64_t c = (first + j) % job->s->channels;
      line[j]         = (kt_norm_line){
                .m = moments[j].mean,
                .a = kt_norm_get (norm->dtype, in[1].data, c)
                     / sqrt (moments[j].m2 / moments[j].n + job->s->epsilon),
                .b = kt_norm_get (norm->dtype, in[2].data, c),
      };
    }
  kt_norm_map (norm, in[0].data, NULL, job->run->out[0].data, first, n, line);
}

static kt_status
instance_normalization_run (const kt_host *host, kt_run *run, void *state)
{
  Job job = { state, run };

  return kt_norm_run (host, run, &job.s->norm, normalize_channels, &job);
}

static const kt_kernel instance_normalization_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16", .n_alias = 1,
    .alias   = (const kt_alias[]){ { 0, 0, 0, 0 } },
    .prepare = instance_normalization_prepare, .run = instance_normalization_run },
  { 0 },
};

/* The dims BEGIN .. END - 1 of V. */
static kt_value
dims_of (const kt_host *host, kt_graph *g, kt_value v, int64_t begin, int64_t end)
{
  const kt_attr range[] = { { .name = "start", .kind = KT_A_INT, .i = begin },
                            { .name = "end", .kind = KT_A_INT, .i = end } };

  return kt_node (host, g, "Shape", &v, 1, range, 2);
}

/* The same as that of BatchNormalization for a single sample of n * channels channels; dscale and
 * dB are summed over the samples. */
static kt_status
instance_normalization_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const int64_t one = 1, zero = 0;
  const kt_attr first   = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  const kt_attr flatten = { .name = "axis", .kind = KT_A_INT, .i = 2 };
  const kt_attr drop    = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  const kt_attr epsilon = { .name = "epsilon",
                            .kind = KT_A_FLOAT,
                            .f    = kt_attr_float (host, g, "epsilon", 1e-5) };
  const kt_value x      = host->g_in (g, 0);
  const kt_value column = kt_ints (host, g, &one, 1);
  const kt_value flat   = kt_node (host, g, "Flatten", &x, 1, &flatten, 1);
  const kt_value all[]  = { column, kt_shape_of (host, g, flat) };
  const kt_value single = kt_node (host, g, "Concat", all, 2, &first, 1);
  const kt_value pairs  = dims_of (host, g, x, 0, 2);
  const kt_value scale  = kt_expand (host, g, host->g_in (g, 1), pairs);
  const kt_value in[]   = { kt_reshape (host, g, x, single),
                            kt_reshape (host, g, host->g_seed (g, 0), single),
                            kt_reshape (host, g, scale, dims_of (host, g, flat, 0, 1)) };
  kt_value out[3];

  (void) user;
  KT_TRY (host->g_node (g, "kette", "BatchNormGrad", 1, in, 3, out, 3, &epsilon, 1));
  KT_TRY (host->g_set (g, 0, kt_reshape (host, g, out[0], kt_shape_of (host, g, x))));
  for (int32_t i = 1; i < 3; i++)
    if (host->g_wanted (g, i))
      {
        const kt_value sum[]
            = { kt_reshape (host, g, out[i], pairs), kt_ints (host, g, &zero, 1) };
        KT_TRY (host->g_set (g, i, kt_node (host, g, "ReduceSum", sum, 2, &drop, 1)));
      }
  return KT_OK;
}

const kt_operator kette_op_instance_normalization = {
  .op     = { KT_OP ("InstanceNormalization", 1), .flags = KT_OP_PURE,
              .infer    = instance_normalization_infer,
              .gradient = instance_normalization_gradient },
  .kernel = instance_normalization_kernel,
};
