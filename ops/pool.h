/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.h: what MaxPool, AveragePool and their gradients share. X is a number of planes (an
 * image's channel each); a row is a run of outputs along the last dim. For each cell of the
 * kernel the outputs of a row whose cell lies inside the plane are a range, so that the loops
 * along a row look at no bounds.
 */
#pragma once
#include "elementwise.h"
#include "half.h"
#include "window.h"

/* Outputs first .. end - 1 of a row see cell j of the kernel's last dim. */
typedef struct kt_pool_range
{
  int64_t first, end;
} kt_pool_range;

typedef struct kt_pool
{
  int32_t dtype, rank; /* rank -1: not known */
  bool include_pad;    /* AveragePool: cells of the padding count */
  bool by_columns;     /* MaxPool: Indices run along the first spatial dim first */
  kt_window w;
  int64_t dims[KT_MAX_RANK]; /* of X's counterpart, as far as known */
  /* Set by kt_pool_plan. */
  int64_t planes, area, places, rows, width, grain;
  int64_t step[KT_WINDOW_DIMS]; /* of the plane */
  kt_pool_range *range;         /* by cells of the kernel's last dim */
  int64_t *cell_at;             /* by cells of the kernel */
} kt_pool;

/* Shape rule from X to Y, whose dims go to pool->dims. FROM: the input that is X; -1: X's
 * shape is the content of input 1. */
kt_status kt_pool_read (const kt_host *host, const void *ctx, int32_t from,
                        kt_pool *pool);
/* The gradients' rule: checks dY in DY_INPUT and sets dX, of X's type. */
kt_status kt_pool_infer_grad (const kt_host *host, kt_infer *infer, int32_t from,
                              int32_t dy_input);
/* Fixes what the loops need. Each window must see a cell if NEEDS_CELL. */
kt_status kt_pool_plan (const kt_host *host, kt_prep *prep, kt_pool *pool,
                        bool needs_cell);

/* The cells of the kernel, without its last dim, that lie inside the plane at one row. */
typedef struct kt_pool_walk
{
  int64_t k[KT_WINDOW_DIMS], from[KT_WINDOW_DIMS], to[KT_WINDOW_DIMS];
  int64_t offset; /* in the plane, of the cell's row */
  int64_t cell;   /* its number: that of its first cell along the last dim */
} kt_pool_walk;

/* FALSE: there is none. */
bool kt_pool_first (const kt_pool *pool, int64_t row, kt_pool_walk *walk);
bool kt_pool_next (const kt_pool *pool, kt_pool_walk *walk);

/* Number of cells that the window at place Q of dim D is divided by. */
int64_t kt_pool_cells (const kt_pool *pool, int32_t d, int64_t q);
/* Their product over the dims but the last, for ROW. */
int64_t kt_pool_outer_cells (const kt_pool *pool, int64_t row);
/* Where the window at the first output of ROW begins in the plane, if only by its numbers. A
 * cell of the window at output Q lies at this + Q stride + cell_at[cell]. */
int64_t kt_pool_origin (const kt_pool *pool, int64_t row);
/* The same position, if elements are counted along the first spatial dim first. */
int64_t kt_pool_by_columns (const kt_pool *pool, int64_t position);

/* What the bodies of the loops below get. */
typedef struct kt_pool_job
{
  const kt_host *host;
  kt_run *run;
  const void *state;
} kt_pool_job;

/* Calls BODY for pieces of all rows, or of all planes, in parallel where that is worth it. */
kt_status kt_pool_for_rows (const kt_host *host, kt_run *run, const kt_pool *pool,
                            const void *state, kt_body *body);
kt_status kt_pool_for_planes (const kt_host *host, kt_run *run, const kt_pool *pool,
                              const void *state, kt_body *body);

/* The node's attributes, for another operator on the same windows. */
void kt_pool_emit (const kt_pool *pool, kt_window_attrs *out);

/* -- the largest of each window: pool-max.c ------------------------------------------------- */

/* Of ROW of the plane at X: the largest elements to BEST, of the type that the row's are
 * computed in (float for 16-bit types), and, if CELL is not NULL, which cell of the kernel
 * each is: the first of the largest. NaN is the largest. */
typedef void kt_max_row (const kt_pool *pool, const void *x, int64_t row, void *best,
                         int32_t *cell);
kt_max_row *kt_max_row_for (int32_t dtype);
