/* SPDX-License-Identifier: Apache-2.0
 *
 * clip.h: Clip and its gradient: elementwise kernels whose last two operands are bounds,
 * scalars that may be absent.
 */
#pragma once
#include "operator.h"

#define KT_CLIP_TYPES 10

/* N elements. LOW, HIGH: elements of x's type, or NULL; DY: NULL in Clip. */
typedef void kt_clip_loop (const void *x, const void *dy, void *y, int64_t n,
                           const void *low, const void *high);

typedef struct kt_clip_loops
{
  struct
  {
    int32_t dtype;
    kt_clip_loop *loop;
  } loop[KT_CLIP_TYPES];
  int32_t x; /* which input x is; the bounds follow. 1: input 0 is dy */
} kt_clip_loops;

/* user: the loops. f16 and bf16 go through float. */
kt_status kt_clip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_clip_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_clip_tile (const kt_host *host, kt_run *run, void *state, int64_t begin,
                        int64_t end, int32_t worker);
/* The output is as input X, a bound of one element. user: X, as a pointer. */
kt_status kt_clip_infer (const kt_host *host, kt_infer *infer, void *user);
