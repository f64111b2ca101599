/* SPDX-License-Identifier: Apache-2.0
 *
 * Conv: y[n,m,q] = b[m] + the sum of w[m,c,k] x[n,c,q stride + k dilation - pad] over the
 * channels c of m's group and the cells k of the kernel.  Source: ONNX Conv-22.
 */
#include "conv.h"

static kt_status
conv_read (const kt_host *host, const void *ctx, kt_conv *c)
{
  KT_TRY (kt_conv_read (host, ctx, KT_CONV_SMALL, false, c));
  return kt_conv_check_bias (host, ctx, 2, c->rank < 0 ? KT_DIM (0) : c->dims[1]);
}

static kt_status
conv_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_conv c;

  (void) user;
  KT_TRY (conv_read (host, infer, &c));
  return kt_conv_set (host, infer, &c);
}

static kt_status
conv_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_conv c;

  (void) user;
  KT_TRY (conv_read (host, prep, &c));
  return kt_conv_prepare (host, prep, &c, state);
}

/* dE/dx = kette.ConvGradX (dy, w), dE/dw and dE/db = kette.ConvGradW (x, dy). */
static kt_status
conv_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), w = host->g_in (g, 1), dy = host->g_seed (g, 0);
  kt_window_attrs a;
  kt_value out[2] = { 0 };
  kt_conv c;

  (void) user;
  KT_TRY (conv_read (host, g, &c));
  kt_conv_emit (&c, &a);
  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (g, 0,
                         kt_own (host, g, "ConvGradX",
                                 (const kt_value[]){ dy, w, kt_shape_of (host, g, x) }, 3,
                                 a.attrs, a.n)));
  if (!host->g_wanted (g, 1) && !host->g_wanted (g, 2))
    return KT_OK;
  KT_TRY (host->g_node (g, "kette", "ConvGradW", 1,
                        (const kt_value[]){ x, dy, kt_shape_of (host, g, w) }, 3, out,
                        host->g_wanted (g, 2) ? 2 : 1, a.attrs, a.n));
  if (host->g_wanted (g, 1))
    KT_TRY (host->g_set (g, 1, out[0]));
  return host->g_wanted (g, 2) ? host->g_set (g, 2, out[1]) : KT_OK;
}

static const kt_kernel conv_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_EPILOGUE, .prepare = conv_prepare,
          .run = kt_conv_run },
        { 0 } };

const kt_operator kette_op_conv = {
  .op     = { KT_OP ("Conv", 1), .flags = KT_OP_PURE | KT_OP_MATMUL, .infer = conv_infer,
              .gradient = conv_gradient },
  .kernel = conv_kernel,
};
