/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h: a tensor as parts that lie one behind the other along an axis: Concat, Split.
 */
#pragma once
#include "move.h"

/* State of a kernel: for each part its move from or to the whole, which begins at element
 * FIRST of the whole. A part that is absent is not moved. */
typedef struct kt_part
{
  int64_t first;
  kt_move move;
} kt_part;

/* AXIS of the whole (input 0 of a split, else output 0) in N parts of LENGTHS, which are the
 * other operands. The state is an array of kt_part. */
kt_status kt_parts_prepare (const kt_host *host, kt_prep *prep, bool split, int32_t axis,
                            const int64_t *lengths, int32_t n, void **state);
kt_status kt_parts_run (const kt_host *host, kt_run *run, bool split,
                        const kt_part *parts);
