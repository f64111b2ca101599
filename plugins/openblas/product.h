/* SPDX-License-Identifier: Apache-2.0
 *
 * product.h: matrix products through CBLAS: what MatMul and Gemm have in common.
 *
 * A product is cut into tiles that its shape alone decides; each tile is one call of one
 * thread. OpenBLAS gives other bits when it shares a product among threads of its own.
 */
#pragma once
#include "kette-plugin.h"
#include <stdbool.h>

#define MAX_RANK 32

/* Y (m,n) = alpha A' (m,k) B' (k,n) + beta C for each entry of a batch. A' is the row-major
 * matrix A with rows of LDA elements, or its transpose. */
typedef struct
{
  int64_t m, n, k, lda, ldb;
  bool turn_a, turn_b, has_c, wide; /* wide: double */
  double alpha, beta;
  int64_t c_row, c_col; /* elements from one row (column) of C to the next, or 0 */
  /* The batch: its dims, and the steps of A and B along them (0: repeated). */
  int32_t n_dims;
  int64_t dims[MAX_RANK], a_step[MAX_RANK], b_step[MAX_RANK];
  /* Set by product_prepare. */
  int64_t tile_rows, tile_cols, row_tiles, col_tiles, n_items, grain;
  void *more; /* of a plugin that computes it elsewhere */
} Product;

kt_status fail (const kt_host *host, const void *ctx, kt_status code, const char *text);
/* Fixes the tiles. KT_E_UNSUPPORTED: too large for CBLAS's int, or no buffer can be had. */
kt_status product_prepare (const kt_host *host, kt_prep *prep, Product *p);
kt_status product_run (const kt_host *host, kt_run *run, void *state);

kt_status matmul_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status gemm_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);

/* buffer.c: the memory in which OpenBLAS packs its operands. A thread calls CBLAS only
 * between buffer_take and buffer_give. FALSE: there is no memory. */
bool buffer_take (void);
void buffer_give (void);
