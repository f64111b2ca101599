/* SPDX-License-Identifier: Apache-2.0
 *
 * product.h: matrix products: what is done in which order. MatMul's and Gemm's shapes are read
 * by the same code as for OpenBLAS (../openblas/product.h).
 */
#ifndef KETTE_CUDA_PRODUCT_H
#define KETTE_CUDA_PRODUCT_H

#include "../openblas/product.h"

/* What becomes of C. */
typedef enum
{
  CU_NO_C,
  CU_BIAS,   /* an element per column, added by the product itself */
  CU_WHOLE,  /* of Y's shape: the product takes it as it is        */
  CU_SPREAD, /* written to Y first, which is then added to         */
} CuAddend;

/* The strided batch of one call, and how many calls: steps of the calls in elements. */
typedef struct
{
  int64_t count, a_step, b_step, calls;
} CuBatch;

/* What C of P is for a product that can add a row to its result (BIASES). */
CuAddend cu_addend_of (const Product *p, bool biases);
/* How the batch of P is cut. */
CuBatch cu_batch_of (const Product *p);
/* Where call CALL begins in A and B. */
void cu_batch_at (const Product *p, int64_t call, int64_t *a, int64_t *b);
/* Is there anything to compute? */
bool cu_product_is_empty (const Product *p);

/* The launches of product.cu, which also serve what cuBLASLt does not. y = beta C or 0 ... */
typedef struct
{
  const void *c;
  void *y;
  int64_t count, n, rows; /* elements of y, columns, rows of one product */
  int64_t c_row, c_col;
  double beta;
  int32_t dtype, reserved;
} CuStart;
/* ... and y = alpha A B + beta y (of one call). */
typedef struct
{
  const void *a, *b;
  void *y;
  int64_t m, n, k, a_row, a_col, b_row, b_col, a_step, b_step, count;
  double alpha;
  int32_t dtype, add;      /* add: to y */
  int32_t round, reserved; /* KT_ROUND_*, of the factors */
} CuTiles;

KT_BEGIN_DECLS
void cu_start_launch (const CuStart *p, void *stream);
void cu_tiles_launch (const CuTiles *p, void *stream);
KT_END_DECLS

/* lt.c: the same product on cuBLASLt. C: what is added, or NULL. */
typedef struct CuLt CuLt;
/* PRECISION: KT_ROUND_*. *OUT NULL: cuBLASLt cannot be had, or has nothing for this product. */
kt_status cu_lt_prepare (const kt_host *host, kt_prep *prep, const Product *p,
                         int32_t dtype, int32_t precision, CuLt **out);
CuAddend cu_lt_addend (const CuLt *l);
kt_status cu_lt_run (const kt_host *host, kt_run *run, CuLt *l, const Product *p,
                     const void *c);

#endif /* KETTE_CUDA_PRODUCT_H */
