/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-tiles.h: what the micro-kernels of matrix products are given, and the tables of them
 * that this processor can run (gemm-avx2.c, gemm-avx512.c, both made from gemm-kernel.h).
 */
#pragma once
#include "operator.h"

/* Micro-kernels unroll a hundred times: with a check at each access compilers take minutes for them,
 * and the sanitizer of gcc before 13 lays vectors of 64 bytes at multiples of 32 (its bug 110027).
 * What they touch is checked by a test between guard pages. */
#if defined(__clang__)
#define KT_UNCHECKED __attribute__ ((no_sanitize ("address", "undefined", "coverage")))
#else
#define KT_UNCHECKED __attribute__ ((no_sanitize ("address", "undefined")))
#endif

#define KT_MOST_ROWS 14   /* of a tile, in any table    */
#define KT_MOST_VECTORS 8 /* side by side in a tile     */
#define KT_MOST_DOT_ROWS 4

/* One tile: y (rows, cols) = alpha a b + beta c, or without c where it is NULL; RELU: 0 where that
 * is less. Steps are in elements. Sums run along k in one chain per element of y, by fused multiply-adds. */
typedef struct kt_tile
{
  const void *a, *b, *c;
  void *y;
  int64_t k, cols, a_row, a_col, b_row, y_row, c_row;
  double alpha, beta;
  bool relu;
} kt_tile;

typedef void kt_tile_fn (const kt_tile *t);
/* out[p, j] = b[j, p] with rows of PITCH elements: j < COLS <= PITCH, p < DEPTH; what lies
 * beyond COLS in a row of out is set to 0. */
typedef void kt_turn_fn (const void *b, int64_t b_col, void *out, int64_t pitch,
                         int64_t cols, int64_t depth);

typedef struct kt_tiles
{
  const char *name;
  int32_t size, width; /* bytes of an element; elements of a vector */
  int32_t rows;        /* most rows of a tile */
  int32_t dot_cols[KT_MOST_DOT_ROWS + 1];
  /* Most vectors side by side for so many rows; tile[rows - 1][vectors - 1]. b has rows of
   * b_row elements; where cols is no multiple of the vector, nothing beyond it is touched. */
  uint8_t vectors[KT_MOST_ROWS + 1];
  kt_tile_fn *tile[KT_MOST_ROWS][KT_MOST_VECTORS];
  /* b turned: element k of column j is b[j * b_row + k], a's rows are contiguous. Up to
   * dot_cols[rows] columns. The sums run along k in a vector. */
  kt_tile_fn *dot[KT_MOST_DOT_ROWS];
  kt_turn_fn *turn;
} kt_tiles;

kt_turn_fn kt_turn_f32, kt_turn_f64;
extern const kt_tiles kt_tiles_avx2_f32, kt_tiles_avx2_f64;
extern const kt_tiles kt_tiles_avx512_f32, kt_tiles_avx512_f64;

/* The best table for elements of DTYPE on this processor; NULL: there is none. The variable
 * KETTE_VECTORS ("avx2", "none") asks for less. */
const kt_tiles *kt_tiles_for (int32_t dtype);
