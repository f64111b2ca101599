/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.SumTo: dy summed over the dims along which a tensor of shape `shape` was broadcast
 * to dy; the result has that shape. The gradient of broadcasting.
 */
#include "sum.h"

KETTE_SUM_LOOPS (sum_to)

static kt_status
sum_to_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type dy = kt_in_type (host, infer, 0);
  const int64_t *shape;
  int64_t length;
  size_t n;

  (void) user;
  if (dy.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &shape, &n));
  if (length > KT_MAX_RANK || (dy.ndim >= 0 && length > dy.ndim))
    return kt_fail (host, infer, KT_E_SHAPE, "shape has %lld dims, the input %d",
                    (long long) length, (int) dy.ndim);
  if (!shape && length != 0)
    return kt_set_unknown (host, infer, 0, dy.dtype, (int32_t) length);
  for (size_t d = 0; d < n; d++)
    {
      const int64_t to   = shape[d];
      const int64_t from = dy.ndim < 0 ? KT_DIM (0) : dy.dims[(size_t) dy.ndim - n + d];
      if (to < 0 && !KT_IS_DIM (to))
        return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %zu", (long long) to,
                        d);
      if (kt_dim_known (to) && kt_dim_known (from) && to != from && to != 1)
        return kt_fail (host, infer, KT_E_SHAPE,
                        "%lld elements along dim %zu are not summed to %lld",
                        (long long) from, d, (long long) to);
    }
  return kt_set_out (host, infer, 0, dy.dtype, shape, (int32_t) n);
}

typedef struct
{
  const kt_reduce_loops *loops;
  kt_reduce plan;
} State;

static kt_status
sum_to_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type dy = kt_in_type (host, prep, 0), y = kt_out_type (host, prep, 0);
  const int32_t lead = dy.ndim - y.ndim;
  uint32_t set       = 0;
  State *s;

  (void) user;
  KT_TRY (host->keep (prep, sizeof *s, state));
  s = *state;
  for (s->loops = sum_to_loops; s->loops->rows && s->loops->dtype != dy.dtype;)
    s->loops++;
  if (!s->loops->rows)
    return kt_fail (host, prep, KT_E_UNSUPPORTED, "no loop for this element type");
  for (int32_t d = 0; d < dy.ndim; d++)
    {
      const int64_t to = d < lead ? 1 : y.dims[d - lead];
      if (lead < 0 || (to != 1 && to != dy.dims[d]))
        return kt_fail (host, prep, KT_E_SHAPE,
                        "%lld elements along dim %d are not summed to %lld",
                        (long long) dy.dims[d], (int) d, (long long) to);
      if (to == 1)
        set |= (uint32_t) 1 << d;
    }
  kt_reduce_plan (&s->plan, dy.ndim, dy.dims, set);
  return host->want_workspace (prep, kt_reduce_bytes (&s->plan, s->loops), 0);
}

static kt_status
sum_to_run (const kt_host *host, kt_run *run, void *state)
{
  const State *s = state;

  return kt_reduce_run_plan (host, run, &s->plan, s->loops, run->in[0].data,
                             run->out[0].data,
                             s->plan.blocks > 1 ? host->workspace (run, -1, NULL) : NULL);
}

static const kt_kernel sum_to_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .prepare = sum_to_prepare, .run = sum_to_run },
  { 0 },
};

/* dE/dx = dE/dy, repeated. */
static kt_status
sum_to_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (
      g, 0,
      kt_expand (host, g, host->g_seed (g, 0), kt_shape_of (host, g, host->g_in (g, 0))));
}

/* The axes that the types show to be summed; false: they do not show it. A dim of 1 in the
 * result is summed in any case: over one element that changes nothing. */
static bool
known_axes (const kt_host *host, kt_graph *g, int64_t axes[KT_MAX_RANK], int64_t *n)
{
  const kt_type dy = kt_in_type (host, g, 0);
  const int64_t *shape;
  size_t n_shape;

  *n = 0;
  if (host->ints (g, 1, &shape, &n_shape) != KT_OK || dy.ndim < 0 || !shape
      || n_shape > (size_t) dy.ndim)
    return false;

  const int32_t lead = dy.ndim - (int32_t) n_shape;
  for (int32_t d = 0; d < dy.ndim; d++)
    {
      const int64_t to = d < lead ? 1 : shape[d - lead];
      if (to == 1)
        axes[(*n)++] = d;
      else if (!kt_dim_known (to) && (to != dy.dims[d] || to == KT_DIM (0)))
        return false;
    }
  return true;
}

/* The axes as a value: where the shape, ones put in front, differs from dy's. */
static kt_value
found_axes (const kt_host *host, kt_graph *g, kt_value dy, kt_value shape)
{
  static const int64_t one   = 1;
  const kt_tensor one_tensor = { .data        = (void *) (uintptr_t) &one,
                                 .device_type = KT_CPU,
                                 .ndim        = 1,
                                 .code        = 0,
                                 .bits        = 64,
                                 .lanes       = 1,
                                 .shape       = &one };
  const kt_attr value
      = { .name = "value", .kind = KT_A_TENSOR, .v = &one_tensor, .n = 1 };
  const kt_attr axis  = { .name = "axis", .kind = KT_A_INT, .i = 0 };
  const int64_t all   = -1;
  const kt_value dims = kt_shape_of (host, g, dy);
  const kt_value lead
      = kt_sub (host, g, kt_shape_of (host, g, dims), kt_shape_of (host, g, shape));
  const kt_value parts[]
      = { kt_node (host, g, "ConstantOfShape", &lead, 1, &value, 1), shape };
  const kt_value padded = kt_node (host, g, "Concat", parts, 2, &axis, 1);
  const kt_value same   = kt_equal (host, g, padded, dims);
  const kt_value other  = kt_node (host, g, "Not", &same, 1, NULL, 0);
  const kt_value where  = kt_node (host, g, "NonZero", &other, 1, NULL, 0);

  return kt_reshape (host, g, where, kt_ints (host, g, &all, 1));
}

static kt_status
sum_to_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value dy = host->g_in (g, 0), shape = host->g_in (g, 1);
  const kt_attr attrs[]
      = { { .name = "keepdims", .kind = KT_A_INT, .i = 1 },
          { .name = "noop_with_empty_axes", .kind = KT_A_INT, .i = 1 } };
  int64_t axes[KT_MAX_RANK], n;
  kt_value in[2] = { dy, 0 };

  (void) user;
  in[1] = known_axes (host, g, axes, &n) ? kt_ints (host, g, axes, n)
                                         : found_axes (host, g, dy, shape);
  return host->g_set (
      g, 0,
      kt_reshape_as (host, g, kt_node (host, g, "ReduceSum", in, 2, attrs, 2), shape));
}

const kt_operator kette_op_sum_to = {
  .op     = { KT_OP ("SumTo", 1), .flags = KT_OP_PURE, .infer = sum_to_infer,
              .gradient = sum_to_gradient, .body = sum_to_body },
  .kernel = sum_to_kernel,
};
