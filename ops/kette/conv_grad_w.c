/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.ConvGradW: dw of y = Conv (x, w), from x, dy and the shape of w; and db, the sum of
 * dy over images and places.
 */
#include "conv-weights.h"
#include "window-nodes.h"

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
  return kt_conv_weights_prepare (host, prep, &c, state);
}

static const kt_kernel conv_grad_w_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_EPILOGUE,
          .prepare = conv_grad_w_prepare, .run = kt_conv_weights_run },
        { 0 } };

/* -- the body: a Conv whose images are x's channels, whose channels are the images, and whose
 * kernel is dy; strides and dilations change places -- */

/* A dim as a vector of one element: a constant if it is known. */
static kt_value
dim_value (const kt_host *host, kt_graph *g, int64_t known, kt_value shape, int64_t i)
{
  return kt_dim_known (known) ? kt_ints (host, g, &known, 1)
                              : kt_dims_of (host, g, shape, i, i + 1);
}

/* V of shape [n, group k, ...] as [k, group n, ...] (TURN), or as [group k, n, ...]. */
static kt_value
exchange (const kt_host *host, kt_graph *g, const kt_conv *c, kt_value v, int64_t k,
          bool turn)
{
  const kt_value shape = kt_shape_of (host, g, v);
  int64_t perm[KT_MAX_RANK + 1];
  const int32_t rank = c->rank;

  for (int32_t d = 0; d <= rank; d++)
    perm[d] = d;
  if (c->group == 1 || !turn)
    {
      perm[0] = 1, perm[1] = 0;
      return kt_transpose (host, g, v, perm, rank);
    }

  const int64_t minus    = -1;
  const kt_value n       = dim_value (host, g, c->batch, shape, 0);
  const kt_value each    = kt_ints (host, g, kt_dim_known (k) ? &k : &minus, 1);
  const kt_value area    = kt_dims_of (host, g, shape, 2, rank);
  const kt_value groups  = kt_ints (host, g, &c->group, 1);
  const kt_value apart[] = { n, groups, each, area };
  kt_value t             = kt_reshape (host, g, v, kt_join_dims (host, g, apart, 4));
  perm[0] = 2, perm[1] = 1, perm[2] = 0;
  t = kt_transpose (host, g, t, perm, rank + 1);

  const kt_value now = kt_shape_of (host, g, t);
  const kt_value joined[]
      = { kt_dims_of (host, g, now, 0, 1), kt_mul (host, g, groups, n), area };
  return kt_reshape (host, g, t, kt_join_dims (host, g, joined, 3));
}

/* X with its padding where the pads are found only at run time; TURNED has none then. */
static kt_value
pad (const kt_host *host, kt_graph *g, kt_window *turned, const kt_window *w, kt_value x,
     kt_value dy)
{
  const int32_t rank = w->n + 2;
  kt_value begin, end;

  if (kt_window_has_pads (w))
    return x;
  kt_same_pads (host, g, w, kt_dims_of (host, g, kt_shape_of (host, g, x), 2, rank),
                kt_dims_of (host, g, kt_shape_of (host, g, dy), 2, rank), &begin, &end);
  for (int32_t d = 0; d < w->n; d++)
    turned->begin[d] = turned->end[d] = 0;

  const kt_value none    = kt_ints (host, g, (const int64_t[]){ 0, 0 }, 2);
  const kt_value parts[] = { none, begin, none, end };
  return kt_node (host, g, "Pad",
                  (const kt_value[]){ x, kt_join_dims (host, g, parts, 4) }, 2, NULL, 0);
}

static kt_status
conv_grad_w_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), dy = host->g_in (g, 1), shape = host->g_in (g, 2);
  const kt_type t = kt_in_type (host, g, 0);
  int64_t axes[KT_MAX_RANK], perm[KT_MAX_RANK];
  kt_value in[2], out = 0;
  kt_window_attrs a;
  kt_conv c;

  (void) user;
  KT_TRY (kt_conv_read (host, g, KT_CONV_WEIGHTS, false, &c));
  if (c.rank < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its body needs to know the rank");
  for (int32_t d = 0; d < c.rank; d++)
    {
      perm[d] = d > 1 ? d : 1 - d;
      axes[d] = d == 0 ? 0 : d + 1;
    }
  if (host->g_wanted (g, 0))
    {
      kt_window turned = c.w;
      for (int32_t d = 0; d < c.w.n; d++)
        {
          turned.stride[d]   = c.w.dilation[d];
          turned.dilation[d] = c.w.stride[d];
        }
      in[0] = exchange (host, g, &c, pad (host, g, &turned, &c.w, x, dy), c.c, true);
      in[1] = exchange (host, g, &c, dy, c.m, false);
      kt_window_emit (&turned, false, &a);
      a.attrs[a.n++] = (kt_attr){ .name = "group", .kind = KT_A_INT, .i = c.group };
      KT_TRY (host->g_node (g, "", "Conv", kt_window_opset (t.dtype), in, 2, &out, 1,
                            a.attrs, a.n));
      out = kt_cut_to (host, g, out, shape, c.w.n);
      KT_TRY (host->g_set (g, 0, kt_transpose (host, g, out, perm, c.rank)));
    }
  if (!host->g_wanted (g, 1))
    return KT_OK;

  const kt_attr drop = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  in[0]              = dy;
  in[1]              = kt_ints (host, g, axes, c.rank - 1);
  return host->g_set (g, 1, kt_node (host, g, "ReduceSum", in, 2, &drop, 1));
}

const kt_operator kette_op_conv_grad_w = {
  .op     = { KT_OP ("ConvGradW", 1), .flags = KT_OP_PURE | KT_OP_MATMUL,
              .infer = conv_grad_w_infer, .body = conv_grad_w_body },
  .kernel = conv_grad_w_kernel,
};
