/* SPDX-License-Identifier: Apache-2.0
 *
 * LRN: y = x (bias + alpha / size * sum x^2)^-beta, the sum over `size` neighbouring channels.
 * Source: ONNX LRN-13.
 */
#include "lrn.h"
#include "emit.h"

static kt_status
lrn_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  (void) user;
  KT_TRY (host->keep (prep, sizeof (kt_lrn), state));
  return kt_lrn_prepare (host, prep, false, *state);
}

static kt_status
lrn_run (const kt_host *host, kt_run *run, void *state)
{
  return kt_lrn_run (host, run, state, run->in[0].data, NULL, run->out[0].data);
}

static const kt_kernel lrn_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .types = "T=f32|f64|f16|bf16",
    .prepare = lrn_prepare, .run = lrn_run },
  { 0 },
};

static kt_status
lrn_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[]   = { host->g_in (g, 0), host->g_seed (g, 0) };
  const kt_attr attrs[] = {
    { .name = "alpha", .kind = KT_A_FLOAT, .f = kt_attr_float (host, g, "alpha", 1e-4) },
    { .name = "beta", .kind = KT_A_FLOAT, .f = kt_attr_float (host, g, "beta", 0.75) },
    { .name = "bias", .kind = KT_A_FLOAT, .f = kt_attr_float (host, g, "bias", 1) },
    { .name = "size", .kind = KT_A_INT, .i = kt_attr_int (host, g, "size", 1) },
  };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "LRNGrad", in, 2, attrs, 4));
}

const kt_operator kette_op_lrn = {
  .op     = { KT_OP ("LRN", 1), .flags = KT_OP_PURE, .infer = kt_lrn_infer,
              .gradient = lrn_gradient },
  .kernel = lrn_kernel,
};
