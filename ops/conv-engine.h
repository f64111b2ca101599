/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-engine.h: the small or the large side of a convolution as products of weights with
 * gathered elements. The large side falls into phases, one per remainder of its places by the
 * strides, if the kernel has a cell for it; within a phase it is gathered from the small side in
 * steps of 1.
 */
#pragma once
#include "conv-gather.h"
#include "conv.h"

typedef struct kt_conv_phase
{
  kt_gather gather;
  const int64_t *cell; /* the kernel's cells that it uses, by cells of the gather */
  int64_t origin[KT_WINDOW_DIMS]; /* its first place in the output */
} kt_conv_phase;

typedef struct kt_conv_engine
{
  kt_conv conv;
  const kt_tiles *tiles;
  kt_gather_fn *gather;
  bool half, has_bias;
  bool tiled;    /* one phase that is all of the output; else a piece is whole planes */
  bool gaps;     /* places that no cell of the kernel looks from */
  bool direct_y; /* products go to the output, not to scratch memory first */
  bool direct_w; /* weights are read where they are */
  bool direct_x; /* and so is the source: one cell, all its places */
  int64_t size, element;  /* bytes: of what is computed with, of the tensors' elements */
  int64_t rows, channels; /* per group: of the output, of the source */
  int64_t cells, source_area, out_area;
  int64_t panel, cols, depth_channels, depth_cells, block_rows; /* of blocks */
  int64_t part_rows, parts, col_tiles, pieces, grain;
  int64_t w_pitch, w_at,
      y_at; /* in a worker's scratch memory, behind the gathered block */
  int64_t n_phases, most_places;
  kt_conv_phase *phases;
} kt_conv_engine;

/* Rows ROW .. ROW + ROWS - 1 of the weights of GROUP as a matrix: for channels CHANNEL ... and
 * cells CELL ... of PHASE. */
typedef struct kt_conv_block
{
  const kt_conv_phase *phase;
  int64_t image, group, row, rows, first, cols; /* places of the phase */
  int64_t channel, channels, cell, cells;
} kt_conv_block;

/* conv-engine.c plans, conv-product.c multiplies. */
kt_status kt_conv_engine_plan (const kt_host *host, kt_prep *prep, kt_conv_engine *e);
size_t kt_conv_engine_scratch (const kt_conv_engine *e);
/* Rows and places of B, whose lower part is scratch, to Y. */
void kt_conv_multiply (const kt_conv_engine *e, const kt_run *run, kt_conv_block *b,
                       char *scratch, char *y, int64_t y_row);
