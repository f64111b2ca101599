/* SPDX-License-Identifier: Apache-2.0
 *
 * window-nodes.h: convolutions in standard operators, for the bodies of gradients.
 */
#pragma once
#include "emit.h"
#include "window.h"

/* The opset that nodes for elements of DTYPE mean: bf16 is served since 22. */
static inline int32_t
kt_window_opset (int32_t dtype)
{
  return dtype == KT_BF16 ? 22 : KT_EMIT_OPSET;
}

/* ConvTranspose of SMALL back to the large side, whose shape is SHAPE, by the windows of W. */
kt_value kt_window_back (const kt_host *host, kt_graph *g, kt_value small,
                         kt_value weights, const kt_window *w, int64_t group,
                         kt_value shape);
/* The pads that SAME_UPPER and SAME_LOWER come to, as vectors, for sides whose spatial dims
 * are the vectors LARGE and SMALL. */
void kt_same_pads (const kt_host *host, kt_graph *g, const kt_window *w, kt_value large,
                   kt_value small, kt_value *begin, kt_value *end);
/* Are all pads known? */
bool kt_window_has_pads (const kt_window *w);
/* V cut to the N spatial dims of SHAPE. */
kt_value kt_cut_to (const kt_host *host, kt_graph *g, kt_value v, kt_value shape,
                    int32_t n);
/* SHAPE[FIRST .. END - 1]. */
kt_value kt_dims_of (const kt_host *host, kt_graph *g, kt_value shape, int64_t first,
                     int64_t end);
/* Vectors of int64 as one; those that are 0 are left out. */
kt_value kt_join_dims (const kt_host *host, kt_graph *g, const kt_value *parts,
                       int32_t n);
kt_value kt_transpose (const kt_host *host, kt_graph *g, kt_value v, const int64_t *perm,
                       int32_t n);
/* A tensor of ones of element type DTYPE in SHAPE. */
kt_value kt_ones (const kt_host *host, kt_graph *g, int32_t dtype, kt_value shape);
