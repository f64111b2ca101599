/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h: pools and batch normalisation over planes of BLOCK channels side by side: own loops, a vector per position.
 */
#pragma once
#include "onednn.h"

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

/* One place per image and channel. */
typedef struct
{
  int block;
  int64_t planes, spots, grain;
} Global;

/* loops.c: for blocks of 8 and of 16 channels. Rows of places FIRST .. END - 1 of all planes;
 * gradients: planes FIRST .. END - 1. */
typedef void pool_loop (const Pool *p, const float *x, float *y, int64_t first,
                        int64_t end);
typedef void global_loop (const Global *g, const float *x, float *y, int64_t first,
                          int64_t end);
typedef void pool_grad_loop (const Pool *p, const float *x, const float *dy, float *dx,
                             int64_t first, int64_t end);
/* One block of channels with SPOTS positions: 4 numbers per channel, one kind after the other,
 * that OUT receives or LINE holds. */
typedef void moments_loop (const float *x, const float *dy, int64_t spots, double *out);
typedef void map_loop (const float *x, const float *dy, float *y, int64_t spots,
                       const float *line);
typedef struct
{
  pool_loop *max[2], *average[2];
  global_loop *global[2];
  pool_grad_loop *max_grad[2], *average_grad[2];
  moments_loop *moments[2];
  map_loop *map[2];
} Loops;
const Loops *loops_get (void); /* those for this processor */
