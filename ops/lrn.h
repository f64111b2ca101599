/* SPDX-License-Identifier: Apache-2.0
 *
 * lrn.h: local response normalization and its gradient. X is seen as [n, channels, inner]. With
 * S = bias + alpha / size * sum x^2 over the channels c - lead .. c + trail:
 * y = x S^-beta, dx = dy S^-beta - 2 alpha beta / size x sum (dy x S^(-beta - 1)) over the
 * channels in whose windows c lies.
 */
#pragma once
#include "operator.h"

typedef struct kt_lrn
{
  int32_t dtype;
  int64_t n, channels, inner, lead, trail;
  int64_t width,
      blocks; /* positions that are worked on together, and how many such blocks */
  double bias, alpha, beta; /* alpha: divided by the size */
} kt_lrn;

/* Attributes, and X of input 0; workspace for the gradient. */
kt_status kt_lrn_prepare (const kt_host *host, kt_prep *prep, bool gradient, kt_lrn *s);
/* DY NULL: y; else dx. */
kt_status kt_lrn_run (const kt_host *host, kt_run *run, const kt_lrn *s, const void *x,
                      const void *dy, void *y);
/* Inference: the output is like input 0, which has channels; the size is positive. */
kt_status kt_lrn_infer (const kt_host *host, kt_infer *infer, void *user);
