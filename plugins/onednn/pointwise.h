/* SPDX-License-Identifier: Apache-2.0
 *
 * pointwise.h: tiles of a convolution with windows of one pixel, which is a product of pixels
 * and weights: up to 14 pixels by two vectors of 16 channels of the result, 9 by three or 6 by
 * four. The wider, the fewer loads there are for a product.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum
{
  POINT_ROWS    = 14, /* pixels of a tile at most */
  POINT_WIDTH   = 16, /* channels of a vector */
  POINT_VECTORS = 4   /* of a tile at most */
};

/* Steps are in floats. */
typedef struct
{
  const float *x;          /* the first pixel's first channel */
  int64_t x_pixel, x_step; /* to the next pixel; to the next block of channels */
  int64_t blocks, block;   /* of the channels of X; channels in each: 8 or 16 */
  const float *w;          /* a row of the tile's channels for each channel of X */
  const float *bias;       /* the sums begin with it; NULL: with zeros */
  const float *sum;        /* lies like Y and is added behind; NULL: nothing is */
  float *y;
  int64_t y_step;    /* to the next block of channels */
  int eights;        /* Y lies in blocks of 8, of which so many are there; 0: of 16 */
  int rows, vectors; /* of the tile */
  bool relu;         /* what is less than 0 becomes 0 at last; NaN stays */
} PointTile;

/* FALSE: this processor has no such tiles (AVX-512F). */
bool point_can (void);
/* Most pixels of a tile of so many vectors. */
int point_rows (int vectors);
void point_tile (const PointTile *tile);
