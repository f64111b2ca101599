/* SPDX-License-Identifier: Apache-2.0
 *
 * scatter.h: slices put back where they were taken, in operators that every runtime has: for
 * the bodies of gradients.
 */
#pragma once
#include "emit.h"

/* v[begin .. end-1] of a value of rank 1. */
kt_value kt_part (const kt_host *host, kt_graph *g, kt_value v, int64_t begin,
                  int64_t end);
/* 0, 1, ... up to the only element of N, a value of shape [1]. */
kt_value kt_count_up (const kt_host *host, kt_graph *g, kt_value n);
/* Zeros of SHAPE, to which the slices of DY are added at INDEX (of rank INDEX_RANK) along
 * AXIS: a product with the matrix that has a one where a row receives a slice. */
kt_value kt_add_slices (const kt_host *host, kt_graph *g, kt_value dy, kt_value index,
                        int32_t index_rank, kt_value shape, int32_t axis);
