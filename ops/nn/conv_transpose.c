/* SPDX-License-Identifier: Apache-2.0
 *
 * ConvTranspose: what Conv with the same weights and windows would take x from: each element
 * of x is spread over its window of y, weighted, and overlaps are summed. W is (C, M / group,
 * ...).  Source: ONNX ConvTranspose-22.
 */
#include "conv.h"
#include "window-nodes.h"

static kt_status
transpose_read (const kt_host *host, const void *ctx, kt_conv *c)
{
  KT_TRY (kt_conv_read (host, ctx, KT_CONV_LARGE, true, c));
  return kt_conv_check_bias (host, ctx, 2, c->rank < 0 ? KT_DIM (0) : c->dims[1]);
}

static kt_status
transpose_infer (const kt_host *host, kt_infer *infer, void *user)
{
  kt_conv c;

  (void) user;
  KT_TRY (transpose_read (host, infer, &c));
  return kt_conv_set (host, infer, &c);
}

static kt_status
transpose_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_conv c;

  (void) user;
  KT_TRY (transpose_read (host, prep, &c));
  return kt_conv_prepare (host, prep, &c, state);
}

static const kt_kernel transpose_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_EPILOGUE, .prepare = transpose_prepare,
          .run = kt_conv_run },
        { 0 } };

/* Pads with which a Conv over dY comes out at X's dims: where output_padding leaves cells that
 * no window reaches, these are cut off dY first. */
static kt_status
fit_windows (const kt_host *host, kt_graph *g, kt_conv *c, kt_value *dy)
{
  int64_t zeros[KT_WINDOW_DIMS] = { 0 }, ends[KT_WINDOW_DIMS], axes[KT_WINDOW_DIMS];
  kt_window *const w            = &c->w;
  bool cut                      = false;

  for (int32_t d = 0; d < w->n; d++)
    {
      if (!kt_dim_known (w->begin[d]) || !kt_dim_known (w->end[d]))
        return kt_fail (host, g, KT_E_UNSUPPORTED,
                        "its gradient needs to know the dims of axis %d", (int) d + 2);
      const bool over = -w->end[d] >= w->stride[d];
      ends[d]         = over ? w->end[d] : INT64_MAX;
      axes[d]         = d + 2;
      cut             = cut || over;
      w->end[d]       = w->end[d] > 0 ? w->end[d] : 0;
    }
  if (cut)
    *dy = kt_node (host, g, "Slice",
                   (const kt_value[]){ *dy, kt_ints (host, g, zeros, w->n),
                                       kt_ints (host, g, ends, w->n),
                                       kt_ints (host, g, axes, w->n) },
                   4, NULL, 0);
  return KT_OK;
}

/* dE/dx = Conv (dy, w), dE/dw = kette.ConvGradW with dy as the large side, dE/db = the sum of
 * dy over images and places. */
static kt_status
transpose_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), w = host->g_in (g, 1), dy = host->g_seed (g, 0);
  const kt_type t = kt_in_type (host, g, 0);
  kt_value fit = dy, dx = 0;
  int64_t axes[KT_MAX_RANK];
  kt_window_attrs a;
  kt_conv c;

  (void) user;
  KT_TRY (transpose_read (host, g, &c));
  if (c.rank < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "its gradient needs to know the rank");
  for (int32_t d = 0; d < c.rank - 1; d++)
    axes[d] = d == 0 ? 0 : d + 1;
  if (host->g_wanted (g, 2))
    {
      const kt_attr drop  = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
      const kt_value in[] = { dy, kt_ints (host, g, axes, c.rank - 1) };
      KT_TRY (host->g_set (g, 2, kt_node (host, g, "ReduceSum", in, 2, &drop, 1)));
    }
  if (!host->g_wanted (g, 0) && !host->g_wanted (g, 1))
    return KT_OK;
  KT_TRY (fit_windows (host, g, &c, &fit));
  kt_conv_emit (&c, &a);
  if (host->g_wanted (g, 0))
    {
      KT_TRY (host->g_node (g, "", "Conv", kt_window_opset (t.dtype),
                            (const kt_value[]){ fit, w }, 2, &dx, 1, a.attrs, a.n));
      KT_TRY (host->g_set (g, 0, dx));
    }
  if (!host->g_wanted (g, 1))
    return KT_OK;
  return host->g_set (g, 1,
                      kt_own (host, g, "ConvGradW",
                              (const kt_value[]){ fit, x, kt_shape_of (host, g, w) }, 3,
                              a.attrs, a.n));
}

const kt_operator kette_op_conv_transpose = {
  .op     = { KT_OP ("ConvTranspose", 1), .flags = KT_OP_PURE | KT_OP_MATMUL,
              .infer = transpose_infer, .gradient = transpose_gradient },
  .kernel = transpose_kernel,
};
