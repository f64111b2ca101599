/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm.h: the portable matrix product under MatMul and Gemm: one blocked loop nest.
 *
 * Every element of y is start + sum of alpha a[i,k] b[k,j], added up in the order of k: its
 * bits depend neither on the tiles nor on the threads.
 */
#pragma once
#include "gemm-fast.h"

/* Priority of the kernels that serve what no library does better. */
#define KT_GEMM_BEST 200

/* Y (m,n) = alpha A (m,k) B (k,n) + beta C, N_BATCH times. Steps are in elements. */
typedef struct kt_gemm
{
  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col, c_row,
      c_col; /* from one row (column) to the next */
  double alpha, beta;
  bool has_c, swapped; /* swapped: input 1 is A */
  /* The batch: its dims, and the steps of A and B along them (0: repeated). */
  int32_t n_dims;
  int64_t dims[KT_MAX_RANK], a_step[KT_MAX_RANK], b_step[KT_MAX_RANK];
  /* Set by kt_gemm_prepare. */
  int32_t dtype, start; /* start: the input that is C; 0: there is none */
  bool is_fast, spread; /* spread: C goes to y first, one number for each row or all */
  int32_t rate;         /* the input that is kette.SGD's rate; 0: there is none */
  int64_t n_batch, tile_rows, tile_cols, row_tiles, col_tiles, grain;
  kt_fast fast;
  void *packed; /* B, where it is known beforehand and packing it pays; else NULL */
  /* 16-bit floats: their type, else 0; elements of a, b, c, y, and where they are floats. */
  int32_t half;
  bool half_turned;
  int64_t half_count[4];
  size_t half_at[4];
} kt_gemm;

/* gemm-loops.c: fixes the tiles; bytes of scratch memory per worker; C times beta, or zeros,
 * as all of Y; rows AT[0] and following, columns AT[1] and following, SIZE many, of one
 * product. */
void kt_loops_choose (kt_gemm *g);
size_t kt_loops_scratch (const kt_gemm *g);
void kt_loops_start (const kt_gemm *g, const void *c, void *y);
void kt_loops_tile (const kt_gemm *g, const char *a, const char *b, const char *c,
                    char *y, char *packed, const int64_t at[2], const int64_t size[2]);

/* "[2,?]" */
void kt_dims_text (char *out, size_t size, const kt_type *t);
/* KT_E_SHAPE: the dims along which A and B are multiplied differ. */
kt_status kt_gemm_mismatch (const kt_host *host, const void *ctx, const kt_type *a,
                            const kt_type *b, int64_t k_a, int64_t k_b);

/* Decides how G, whose upper part is filled in, is computed for elements of type DTYPE: f32,
 * f64, a 16-bit float, or an integer of 32 or 64 bits. BEST: KT_E_UNSUPPORTED where a library is expected to
 * be faster. */
kt_status kt_gemm_prepare (const kt_host *host, kt_prep *prep, kt_gemm *g, int32_t dtype,
                           bool best);
/* Inputs 0, 1 and those of what was absorbed to output 0. STATE is the kt_gemm. */
kt_status kt_gemm_run (const kt_host *host, kt_run *run, void *state);
