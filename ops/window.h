/* SPDX-License-Identifier: Apache-2.0
 *
 * window.h: the geometry of convolutions and pools: a window of `kernel` cells, `dilation`
 * apart, slides over the padded large side (X of Conv) in steps of `stride`; each of its
 * places is a cell of the small side (Y of Conv). ConvTranspose and gradients go the other
 * way through the same windows.
 */
#pragma once
#include "operator.h"

#define KT_WINDOW_DIMS (KT_MAX_RANK - 2)

/* Lists have an entry per spatial dim; a number that is not known is a KT_DIM code. */
typedef struct kt_window
{
  int32_t n; /* spatial dims; -1: not known */
  enum
  {
    KT_PAD_NOTSET,
    KT_PAD_VALID,
    KT_PAD_SAME_UPPER,
    KT_PAD_SAME_LOWER
  } auto_pad;
  bool ceil_mode;
  int64_t kernel[KT_WINDOW_DIMS], stride[KT_WINDOW_DIMS], dilation[KT_WINDOW_DIMS];
  int64_t begin[KT_WINDOW_DIMS], end[KT_WINDOW_DIMS]; /* pads */
  int64_t large[KT_WINDOW_DIMS], small[KT_WINDOW_DIMS];
} kt_window;

/* Reads the attributes auto_pad, ceil_mode, dilations, kernel_shape, pads, strides. W->n and
 * W->kernel hold what else is known of the kernel (KT_DIM (0): nothing); n may be -1. */
kt_status kt_window_read (const kt_host *host, const void *ctx, kt_window *w);
/* From the large side to pads and small side. */
kt_status kt_window_slide (const kt_host *host, const void *ctx, kt_window *w);
/* From the small side to pads and large side, by ConvTranspose's output_padding and
 * output_shape. `end` is what the large side leaves: negative if no window reaches its end. */
kt_status kt_window_spread (const kt_host *host, const void *ctx, kt_window *w);

/* Cells from the first to the last of a window. */
static inline int64_t
kt_window_span (const kt_window *w, int32_t d)
{
  return kt_dim_known (w->kernel[d]) ? (w->kernel[d] - 1) * w->dilation[d] + 1
                                     : KT_DIM (0);
}

/* The attributes of a window, for an operator that emits another one: those that are there,
 * pads in numbers where they are known. RESOLVED holds them. Returns how many. */
typedef struct kt_window_attrs
{
  kt_attr attrs[8];
  int32_t n;
  int64_t pads[2 * KT_WINDOW_DIMS];
} kt_window_attrs;

void kt_window_emit (const kt_window *w, bool with_kernel, kt_window_attrs *out);
