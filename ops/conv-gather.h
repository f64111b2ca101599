/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-gather.h: the elements under the windows, as the rows of a matrix (im2col): a row per
 * channel and cell of the kernel, a column per place of the window. And the tables of
 * micro-kernels that multiply them.
 */
#pragma once
#include "gemm-tiles.h"
#include "window.h"

/* Place t of dim d and cell k look at element t step[d] + offset[k n + d] of the source, which
 * is 0 where there is none. */
typedef struct kt_gather
{
  int32_t n;
  int64_t size[KT_WINDOW_DIMS], count[KT_WINDOW_DIMS], step[KT_WINDOW_DIMS]; /* places */
  int64_t area, places; /* products */
  int64_t cells;
  const int64_t *offset;
} kt_gather;

/* What is gathered: cells first_cell .. end_cell - 1 of CHANNELS planes at X, at the places
 * first .. first + cols - 1. Row (channel, cell) of the panel of places begins at
 * out + panel (rows pitch) + row pitch, with pitch elements each. */
typedef struct kt_gather_block
{
  const void *x;
  int64_t channels, first_cell, end_cell, first, cols, pitch;
} kt_gather_block;

typedef void kt_gather_fn (const kt_gather *g, const kt_gather_block *b, void *out);
kt_gather_fn *kt_gather_for (int32_t dtype);

/* Micro-kernels for elements of DTYPE, f32 or f64, on any processor. */
const kt_tiles *kt_conv_tiles (int32_t dtype);
