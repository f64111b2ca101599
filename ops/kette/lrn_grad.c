/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.LRNGrad: the gradient of LRN (lrn.h has the formula). Its body takes window sums by
 * AveragePool over channels: alpha / size * sum = alpha * mean.
 */
#include "emit.h"
#include "lrn.h"

static kt_status
lrn_grad_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), dy = kt_in_type (host, infer, 1);

  if (x.kind && dy.kind && x.ndim >= 0 && dy.ndim >= 0)
    {
      bool same = x.ndim == dy.ndim;
      for (int32_t d = 0; same && d < x.ndim; d++)
        same = x.dims[d] == dy.dims[d] || !kt_dim_known (x.dims[d])
               || !kt_dim_known (dy.dims[d]);
      if (!same)
        return kt_fail (host, infer, KT_E_SHAPE, "dY has another shape than X");
    }
  return kt_lrn_infer (host, infer, user);
}

static kt_status
lrn_grad_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  KT_TRY (host->keep (prep, sizeof (kt_lrn), state));
  return kt_lrn_prepare (host, prep, true, *state);
}

static kt_status
lrn_grad_run (const kt_host *host, kt_run *run, void *state)
{
  return kt_lrn_run (host, run, state, run->in[0].data, run->in[1].data,
                     run->out[0].data);
}

static const kt_kernel lrn_grad_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16",
    .prepare = lrn_grad_prepare, .run = lrn_grad_run },
  { 0 },
};

/* The means over windows of SIZE channels, zeros around, LEAD of them before the channel. V is
 * [n, 1, channels, inner]. */
static kt_value
mean_of (const kt_host *host, kt_graph *g, kt_value v, int64_t size, int64_t lead)
{
  const int64_t kernel[] = { size, 1 }, pads[] = { lead, 0, size - 1 - lead, 0 };
  const kt_attr attrs[] = {
    { .name = "kernel_shape", .kind = KT_A_INTS, .v = kernel, .n = 2 },
    { .name = "pads", .kind = KT_A_INTS, .v = pads, .n = 4 },
    { .name = "count_include_pad", .kind = KT_A_INT, .i = 1 },
  };

  return kt_node (host, g, "AveragePool", &v, 1, attrs, 3);
}

static kt_value
cast (const kt_host *host, kt_graph *g, kt_value v, int32_t dtype)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = dtype };

  return kt_node (host, g, "Cast", &v, 1, &to, 1);
}

/* [n, 1, channels, inner]; half types as float, for there is no AveragePool of bf16. */
static kt_value
as_picture (const kt_host *host, kt_graph *g, kt_value v, const kt_type *t)
{
  int64_t dims[3]   = { 0, 0, 1 };
  const int64_t one = 1;

  for (int32_t d = 2; d < t->ndim && dims[2] >= 0; d++)
    dims[2] = kt_dim_known (t->dims[d]) ? dims[2] * t->dims[d] : -1;
  if (t->dtype == KT_F16 || t->dtype == KT_BF16)
    v = cast (host, g, v, KT_F32);
  const kt_value flat[] = { v, kt_ints (host, g, dims, 3) };
  const kt_value up[]
      = { kt_node (host, g, "Reshape", flat, 2, NULL, 0), kt_ints (host, g, &one, 1) };
  return kt_node (host, g, "Unsqueeze", up, 2, NULL, 0);
}

static kt_status
lrn_grad_body (const kt_host *host, kt_graph *g, void *user)
{
  const double alpha = kt_attr_float (host, g, "alpha", 1e-4);
  const double beta  = kt_attr_float (host, g, "beta", 0.75);
  const int64_t size = kt_attr_int (host, g, "size", 1), lead = (size - 1) / 2;
  kt_type t;

  (void) user;
  KT_TRY (host->g_type (g, host->g_in (g, 0), &t));
  if (t.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the rank");

  const kt_value x    = as_picture (host, g, host->g_in (g, 0), &t);
  const kt_value dy   = as_picture (host, g, host->g_in (g, 1), &t);
  const kt_value bias = kt_scalar_like (host, g, x, kt_attr_float (host, g, "bias", 1));
  const kt_value sum
      = kt_add (host, g, bias,
                kt_mul (host, g, kt_scalar_like (host, g, x, alpha),
                        mean_of (host, g, kt_mul (host, g, x, x), size, lead)));
  const kt_value power = kt_pow_of (host, g, sum, kt_scalar_like (host, g, x, -beta));
  const kt_value term
      = kt_div (host, g, kt_mul (host, g, kt_mul (host, g, dy, x), power), sum);
  const kt_value back = kt_mul (host, g, kt_scalar_like (host, g, x, 2 * alpha * beta),
                                mean_of (host, g, term, size, size - 1 - lead));
  kt_value dx = kt_sub (host, g, kt_mul (host, g, dy, power), kt_mul (host, g, x, back));

  dx = kt_reshape (host, g, dx, kt_shape_of (host, g, host->g_in (g, 0)));
  if (t.dtype == KT_F16 || t.dtype == KT_BF16)
    dx = cast (host, g, dx, t.dtype);
  return host->g_set (g, 0, dx);
}

const kt_operator kette_op_lrn_grad = {
  .op     = { KT_OP ("LRNGrad", 1), .flags = KT_OP_PURE, .infer = lrn_grad_infer,
              .body = lrn_grad_body },
  .kernel = lrn_grad_kernel,
};
