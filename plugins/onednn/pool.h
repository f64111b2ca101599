/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h: pools over planes of BLOCK channels side by side: own loops, a vector per position.
 */
#pragma once
#include "onednn.h"

/* Compiled for each kind of vectors; the linker picks at load time. No fused multiply-add is
 * made (-ffp-contract=off): all give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__ ((target_clones ("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define INLINE static inline __attribute__ ((always_inline))

typedef struct
{
  int32_t from, to; /* cells of a window that lie inside; its length */
  int64_t first;    /* where cell 0 is, maybe outside */
  double cells;     /* that count for an average */
} Reach;

/* Windows with three spatial dims, of which the first may be 1. */
typedef struct
{
  int block;
  int64_t planes; /* images times blocks of channels */
  int64_t large[3], small[3], dilation[3];
  Reach *reach[3]; /* by place along each dim */
  int64_t grain;   /* planes, or rows of places, of a piece */
} Pool;

/* Does POOL (of the type of the large and the small side) serve, and where do windows reach?
 * FULL: a cell in each window is needed. */
bool pool_suits (const kt_host *host, const void *ctx, kt_type large, kt_type small,
                 bool full);
kt_status pool_prepare (const kt_host *host, kt_prep *prep, int block, kt_type large,
                        kt_type small, Pool *p);
