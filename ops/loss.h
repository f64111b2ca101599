/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h: what the losses of predictions y against targets t of the same shape share.
 */
#pragma once
#include "operator.h"

/* Inputs FIRST (y) and FIRST + 1 (t) have the same shape; B, the size of dim 0, is 1 for
 * scalars. KT_E_SHAPE otherwise. */
kt_status kt_loss_check (const kt_host *host, const void *ctx, int32_t first);
/* Number of elements of input I and of entries of the batch, all dims known. */
void kt_loss_sizes (const kt_host *host, const void *ctx, int32_t i, int64_t *n,
                    int64_t *batch);
/* Emits B as an element of the type of V: a tensor of shape [1], or of [] for a scalar V. */
kt_value kt_loss_batch (const kt_host *host, kt_graph *g, kt_value v);
