/* SPDX-License-Identifier: Apache-2.0
 *
 * loss.h: what losses, their gradients and optimizers share: inputs of the same shape, a batch.
 * B, the number of its entries, is the size of dim 0, or 1 for scalars.
 */
#pragma once
#include "operator.h"

/* Inputs I and J have the same shape, as far as known; NAME_I and NAME_J are their names in the
 * text of KT_E_SHAPE ("the target"). */
kt_status kt_same_dims (const kt_host *host, const void *ctx, int32_t i,
                        const char *name_i, int32_t j, const char *name_j);
/* Input I is a scalar, as far as known. */
kt_status kt_check_scalar (const kt_host *host, const void *ctx, int32_t i,
                           const char *name);
/* Number of elements of input I and of entries of the batch, all dims known. */
void kt_loss_sizes (const kt_host *host, const void *ctx, int32_t i, int64_t *n,
                    int64_t *batch);
/* Emits B as an element of the type of V: a tensor of shape [1], or of [] for a scalar V. */
kt_value kt_loss_batch (const kt_host *host, kt_graph *g, kt_value v);
