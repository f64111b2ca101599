/* SPDX-License-Identifier: Apache-2.0
 *
 * elements.h: the walk of GatherElements and ScatterElements: each index stands for the place
 * along one axis, in the data, of the element at its own place.
 */
#pragma once
#include "index.h"

typedef struct kt_elements
{
  int64_t n, step; /* the axis in the data: its length and stride */
  int32_t ndim;    /* dims that units are counted along */
  int64_t dims[KT_MAX_RANK], at[KT_MAX_RANK], data[KT_MAX_RANK]; /* strides in both */
  int64_t rounds, at_round;                  /* indices that a unit takes in order  */
  int64_t width, data_step, chunk, n_chunks; /* the innermost dim                   */
  int64_t n_units, grain;
} kt_elements;

/* Do something with side[i] and data[at[i]], i = 0 .. n-1, in this order. */
typedef void kt_elements_loop (void *data, const int64_t *at, void *side, int64_t n);

/* Do data and indices fit? *axis: the attribute "axis", 0 where the rank is not known. */
kt_status kt_elements_check (const kt_host *host, const void *ctx, const kt_type *data,
                             const kt_type *indices, int32_t *axis);
/* Sets e->ndim, dims, at and data: dims of 1 taken out, dims that adjoin in both merged, but for the
 * axis. Returns the place of the axis among those that are left. */
int32_t kt_elements_merge (kt_elements *e, const kt_type *data, const kt_type *indices,
                           int32_t axis);
/* ordered: indices that may name the same element are taken by one thread, in order. */
void kt_elements_plan (kt_elements *e, const kt_type *data, const kt_type *indices,
                       int32_t axis, bool ordered);
/* Checks the indices, then walks. SIDE has the shape of AT; elements of SIZE bytes. */
kt_status kt_elements_run (const kt_host *host, kt_run *run, const kt_elements *e,
                           const kt_tensor *at, kt_elements_loop *loop, void *data,
                           void *side, size_t size);
