/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.h: rows that indices name, read (Gather, GatherND) or written (ScatterND, GatherGrad).
 */
#pragma once
#include "combine.h"
#include "index.h"

/* The data are [outer, n, inner]: n rows in each of the outer parts. COUNT of them are named,
 * the same in each part; the other side is [outer, count, inner]. */
typedef struct kt_rows
{
  int64_t outer, n, inner, count;
  size_t size; /* bytes of an element */
  int64_t read_grain;
  int64_t chunks, ranges, write_grain; /* pieces of inner and of n, one thread each */
} kt_rows;

void kt_rows_plan (kt_rows *r, int64_t outer, int64_t n, int64_t inner, int64_t count,
                   int32_t dtype);
/* The same for a shape, of which the axis is indexed. */
void kt_rows_plan_axis (kt_rows *r, const kt_type *data, int32_t axis, int64_t count);

/* AT holds count indices that kt_check_indices has seen. */
kt_status kt_rows_read (const kt_host *host, kt_run *run, const kt_rows *r,
                        const kt_tensor *at, const void *from, void *to);
/* TO becomes BASE (NULL: zeros), into which rows are put in the order of the indices. */
kt_status kt_rows_write (const kt_host *host, kt_run *run, const kt_rows *r,
                         const kt_tensor *at, const kt_combine *combine, const void *base,
                         const void *from, void *to);

/* A list of rows, as an operand. */
static inline kt_tensor
kt_row_list (int64_t *list, const int64_t *count)
{
  return (kt_tensor){
    .data = list, .device_type = KT_CPU, .ndim = 1, .bits = 64, .lanes = 1, .shape = count
  };
}
