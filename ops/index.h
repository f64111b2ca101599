/* SPDX-License-Identifier: Apache-2.0
 *
 * index.h: what operators that take indices share: are they in range, and which elements do
 * tuples of them name (GatherND, ScatterND).
 */
#pragma once
#include "shape.h"

/* Are all elements of the int32 or int64 tensor AT in -n .. n-1? Else KT_E_VALUE with the
 * first that is not, and where it stands. */
kt_status kt_check_indices (const kt_host *host, kt_run *run, const kt_tensor *at,
                            int64_t n);

/* Where the elements of an axis of length N begin, counted from either end. */
static inline int64_t
kt_wrap (int64_t index, int64_t n)
{
  return index < 0 ? index + n : index;
}

/* The last dim of the indices holds tuples of k: places in the dims b .. b + k - 1 of the
 * data; the dims in front of these are the same in both. What a tuple names is a row. */
typedef struct kt_tuples
{
  int32_t k;
  int64_t count, per_batch, batch_rows; /* tuples; rows of the data in a batch */
  int64_t dims[KT_MAX_RANK], rows[KT_MAX_RANK];
} kt_tuples;

/* Do the types fit? Sets *k to the length of the tuples, -1 where it is not known. */
kt_status kt_tuples_check (const kt_host *host, const void *ctx, const kt_type *data,
                           const kt_type *indices, int64_t batch_dims, int32_t *k);
/* All dims must be known, and fit. */
void kt_tuples_plan (kt_tuples *t, const kt_type *data, const kt_type *indices,
                     int32_t batch_dims);
/* The rows that the tuples in AT name, as numbers; LIST has room for t->count. */
kt_status kt_tuples_resolve (const kt_host *host, kt_run *run, const kt_tuples *t,
                             const kt_tensor *at, int64_t *list);
