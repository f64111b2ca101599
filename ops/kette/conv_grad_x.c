/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ConvGradX: dx of y = Conv (x, w), from dy, w and the shape of x: each element of dy
 * goes back to all elements of x that made it.
 */
#include "conv.h"

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
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,
          .prepare = conv_grad_x_prepare, .run = kt_conv_run },
        { 0 } };

const kt_operator kette_op_conv_grad_x = {
  .op     = { KT_OP ("ConvGradX", 1), .flags = KT_OP_PURE, .infer = conv_grad_x_infer },
  .kernel = conv_grad_x_kernel,
};
