/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-fast.h: matrix products of float and double from micro-kernels (gemm-tiles.h).
 *
 * A product is cut into blocks and the sums along k into passes that its shape alone decides:
 * the bits depend on the processor's vectors, not on the number of threads.
 */
#pragma once
#include "gemm-tiles.h"

static inline int64_t
kt_least (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* How many parts of size PART there are in N, the last one perhaps smaller. */
static inline int64_t
kt_parts (int64_t n, int64_t part)
{
  return (n + part - 1) / part;
}

/* Rows of a that are copied at a time, at most, and room for them with any pass. */
#define KT_COPY_ROWS 64
#define KT_COPY_BYTES 81920

/* Y (m,n) = alpha A (m,k) B (k,n) + beta C. Steps in elements from one row (column) to the
 * next; of a and of b at least one is 1, Y is row-major, C's rows are contiguous (c_row 0: one
 * row for all). */
typedef struct kt_fast
{
  int64_t m, n, k, a_row, a_col, b_row, b_col, c_row;
  bool relu; /* Y = max (Y, 0) behind it */
  /* Set by kt_fast_prepare. */
  const kt_tiles *tiles;
  bool dot, pack, copy, packed;
  bool own; /* each block of columns packs what it reads of b, in all passes by itself */
  int64_t depth, chunk; /* of a pass: along k, and columns */
  int64_t strip;        /* along k, where one pass goes in several */
  int64_t span;         /* along k, of all passes that a loop over the blocks does */
  int64_t block_cols, row_blocks, col_blocks;
} kt_fast;

/* The operands of one product; y may be c. */
typedef struct kt_fast_operands
{
  const void *a, *b, *c;
  void *y;
  double alpha, beta;
} kt_fast_operands;

/* Decides how F, whose upper part is filled in, is computed; FALSE: no micro-kernels here, or
 * steps that they do not take. PROCESSORS: how many share the work, 1: nobody does. */
bool kt_fast_prepare (kt_fast *f, int32_t dtype, int32_t processors);
/* B is known beforehand: bytes of a packed copy of it, which takes the place of the scratch
 * memory; 0: it does not pay. Before anything is run. */
size_t kt_fast_prepack (kt_fast *f, int32_t processors);
void kt_fast_pack (const kt_fast *f, const void *b, void *packed);
/* What COLS columns of the result cost, by DEPTH elements along k: 1 is worth a hand-over to
 * another thread, 15-30 us. */
double kt_fast_cost (const kt_fast *f, int64_t cols, int64_t depth);
/* Is no library expected to be faster? */
bool kt_fast_is_best (const kt_fast *f);
/* Bytes of scratch memory that one product needs, all threads together; often 0. */
size_t kt_fast_scratch (const kt_fast *f);
/* The whole product in this thread. */
void kt_fast_product (const kt_fast *f, const kt_fast_operands *o, void *scratch);
/* Block BLOCK of row_blocks * col_blocks, where neither scratch nor passes are needed. Rows
 * and columns that were computed are left in AT: i0, i1, j0, j1. */
void kt_fast_block (const kt_fast *f, const kt_fast_operands *o, int64_t block,
                    int64_t at[4]);
/* The whole product on the host's threads; elements are reported to host->epilogue, whose
 * first is number FIRST of output 0. */
kt_status kt_fast_run (const kt_host *host, kt_run *run, const kt_fast *f,
                       const kt_fast_operands *o, void *scratch, int64_t first);
/* Tells host->epilogue of the block AT of a matrix with rows of N elements. */
kt_status kt_fast_report (const kt_host *host, kt_run *run, int64_t first, int64_t n,
                          const int64_t at[4], int32_t worker);
/* Is one pass over all of k and n enough, without scratch memory? */
static inline bool
kt_fast_is_direct (const kt_fast *f)
{
  return !f->pack;
}
