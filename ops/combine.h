/* SPDX-License-Identifier: Apache-2.0
 *
 * combine.h: elements put into others by the attribute "reduction": replaced, added,
 * multiplied, the larger, the smaller. Always one after the other: the last one wins, and
 * sums have one order.
 */
#pragma once
#include "operator.h"

typedef struct kt_combine
{
  size_t size; /* bytes of an element */
  /* to[at[i]] = to[at[i]] OP from[i] */
  void (*at) (void *to, const int64_t *at, void *from, int64_t n);
  /* to[i] = to[i] OP from[i]; NULL: they are copied */
  void (*row) (void *to, const void *from, int64_t n);
} kt_combine;

typedef enum
{
  KT_REDUCTION_NONE,
  KT_REDUCTION_ADD,
  KT_REDUCTION_MUL,
  KT_REDUCTION_MAX,
  KT_REDUCTION_MIN
} kt_reduction;

/* What the attribute "reduction" says; none where there is none. */
kt_status kt_reduction_of (const kt_host *host, const void *ctx, kt_reduction *out);
/* Its loops for elements of type DTYPE. */
kt_status kt_combine_of (const kt_host *host, const void *ctx, int32_t dtype,
                         kt_reduction reduction, kt_combine *out);
