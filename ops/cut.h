/* SPDX-License-Identifier: Apache-2.0
 *
 * cut.h: what Slice and its gradient share: which elements the lists starts, ends, axes and
 * steps mean.
 */
#pragma once
#include "move.h"

/* What is taken along each axis: COUNT elements from FIRST, STEP apart. */
typedef struct
{
  int64_t first[KT_MAX_RANK], step[KT_MAX_RANK], count[KT_MAX_RANK];
} kt_cut;

/* The lists starts, ends, axes, steps; an absent one has v NULL and n 0. */
typedef struct
{
  const int64_t *v[4];
  size_t n[4];
} kt_cut_lists;

/* The cut of a shape; a dim that is not known is cut to an unknown one. */
kt_status kt_cut_resolve (const kt_host *host, const void *ctx, int32_t ndim,
                          const int64_t *dims, const kt_cut_lists *lists, kt_cut *cut);
/* The lists in the inputs FIRST .. FIRST + 3, as far as known before the run; *all: they
 * hold numbers only. */
kt_status kt_cut_known (const kt_host *host, const void *ctx, int32_t first,
                        kt_cut_lists *lists, bool *all);
/* The lists while running; CONTENT holds them. */
kt_status kt_cut_at_run (const kt_host *host, const kt_run *run, int32_t first,
                         int64_t content[4][KT_MAX_RANK], kt_cut_lists *lists);
/* Strides of the cut in a tensor of DIMS, and its first element. */
int64_t kt_cut_strides (int32_t ndim, const int64_t *dims, const kt_cut *cut,
                        int64_t strides[KT_MAX_RANK]);
