/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ConvGradX: dx of y = Conv (x, w), from dy, w and the shape of x: each element of dy
 * goes back to all elements of x that made it.
 */
#include "conv.h"
#include "window-nodes.h"

static kt_status
conv_grad_x_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, infer, KT_CONV_LARGE, false, &c));
  return kt_conv_set (host, infer, &c);
}

static kt_status
conv_grad_x_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, prep, KT_CONV_LARGE, false, &c));
  return kt_conv_prepare (host, prep, &c, state);
}

static const kt_kernel conv_grad_x_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_EPILOGUE,
          .prepare = conv_grad_x_prepare, .run = kt_conv_run },
        { 0 } };

/* In standard operators: ConvTranspose (dy, w) to the shape of x. */
static kt_status
conv_grad_x_body (const kt_host *host, kt_graph *g, void *user)
{
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, g, KT_CONV_LARGE, false, &c));
  if (c.rank < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the rank");
  return host->g_set (g, 0,
                      kt_window_back (host, g, host->g_in (g, 0), host->g_in (g, 1), &c.w,
                                      c.group, host->g_in (g, 2)));
}

const kt_operator kette_op_conv_grad_x = {
  .op     = { KT_OP ("ConvGradX", 1), .flags = KT_OP_PURE | KT_OP_MATMUL,
              .infer = conv_grad_x_infer, .body = conv_grad_x_body },
  .kernel = conv_grad_x_kernel,
};
