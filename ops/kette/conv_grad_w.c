/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ConvGradW: dw of y = Conv (x, w), from x, dy and the shape of w; and db, the sum of
 * dy over images and places.
 */
#include "conv.h"

static kt_status
conv_grad_w_infer (const kt_host *host, kt_infer *infer, void *user)
{
  int32_t n_in, n_out;
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, infer, KT_CONV_WEIGHTS, false, &c));
  KT_TRY (kt_conv_set (host, infer, &c));
  KT_TRY (host->arity (infer, &n_in, &n_out, NULL));
  if (n_out < 2 || !c.dtype)
    return KT_OK;
  return kt_set_out (host, infer, 1, c.dtype,
                     c.rank < 0 ? (const int64_t[]){ KT_DIM (0) } : c.dims, 1);
}

static kt_status
conv_grad_w_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, prep, KT_CONV_WEIGHTS, false, &c));
  return kt_conv_prepare (host, prep, &c, state);
}

static const kt_kernel conv_grad_w_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,
          .prepare = conv_grad_w_prepare, .run = kt_conv_run },
        { 0 } };

const kt_operator kette_op_conv_grad_w = {
  .op     = { KT_OP ("ConvGradW", 1), .flags = KT_OP_PURE, .infer = conv_grad_w_infer },
  .kernel = conv_grad_w_kernel,
};
