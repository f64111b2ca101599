/* SPDX-License-Identifier: Apache-2.0
 *
 * conv.h: what Conv, ConvTranspose and their gradients share. All four tie the same three
 * tensors together: the large side [n, group c, ...] (X of Conv), the small side
 * [n, group m, ...] (Y of Conv) and the weights [group m, c, ...]; two are given, the third
 * is computed:
 *
 *   small[m,q] = sum over c, k of W[m,c,k] large[c, q stride + k dilation - begin]
 *   large[c,p] = sum over m, k, q with q stride + k dilation - begin = p of W small
 *   W[m,c,k]   = sum over images and q of large small
 */
#pragma once
#include "emit.h"
#include "window.h"

typedef enum
{
  KT_CONV_LARGE,
  KT_CONV_SMALL,
  KT_CONV_WEIGHTS
} kt_conv_role;

typedef struct kt_conv
{
  int32_t dtype, rank;        /* rank -1: not known */
  kt_conv_role out;           /* what is computed */
  bool spread;                /* the large side follows from the small one */
  int64_t batch, group, m, c; /* m, c: channels per group */
  kt_window w;
  int64_t dims[KT_MAX_RANK]; /* of the output, as far as known */
} kt_conv;

/* Types of the operands and attributes, as far as known. What is computed stands in OUT; for
 * a gradient operator its shape is the content of input 2. SPREAD: ConvTranspose. Faults are
 * told with the numbers. */
kt_status kt_conv_read (const kt_host *host, const void *ctx, kt_conv_role out,
                        bool spread, kt_conv *c);
/* The bias in INPUT has an element per channel. */
kt_status kt_conv_check_bias (const kt_host *host, const void *ctx, int32_t input,
                              int64_t channels);
/* Sets output 0. */
kt_status kt_conv_set (const kt_host *host, kt_infer *infer, const kt_conv *c);
/* The attributes of C, for an operator that ties the same tensors. */
void kt_conv_emit (const kt_conv *c, kt_window_attrs *out);

kt_status kt_conv_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c,
                           void **state);
kt_status kt_conv_run (const kt_host *host, kt_run *run, void *state);
