/* SPDX-License-Identifier: Apache-2.0
 *
 * move.h: copying of elements between two strided layouts, by element size, whatever the
 * type: Transpose, Expand, Concat, Split, Slice, Tile. Strings move as their kt_str.
 *
 * A plan drops dims of 1 and merges neighbours that are contiguous on both sides. Its items
 * depend on shape and strides only, and no element is written twice.
 */
#pragma once
#include "shape.h"

typedef struct kt_move
{
  enum
  {
    KT_MOVE_COPY,    /* both sides are contiguous along the innermost dim         */
    KT_MOVE_STRIDED, /* one element after the other                               */
    KT_MOVE_TILES,   /* the input is contiguous along another dim than the output */
    KT_MOVE_BITS     /* elements smaller than a byte                              */
  } kind;
  int32_t bits, ndim; /* of an element; outer dims */
  int64_t dims[KT_MAX_RANK], in[KT_MAX_RANK], out[KT_MAX_RANK]; /* strides in elements */
  int64_t inner, inner_in, inner_out; /* the innermost dim of the output */
  int64_t tile, tile_out; /* TILES: the dim along which the input's stride is 1 */
  int64_t n_strips, chunk, n_chunks; /* strips of the tile dim, pieces of the inner dim */
  int64_t n_items, grain;
} kt_move;

/* N elements of BITS (2 or 4) from the IN_FIRST-th of IN on, STEP apart, to the OUT_FIRST-th of
 * OUT and those behind it. The first element of a byte is in its low bits. */
void kt_copy_small (int32_t bits, const void *in, int64_t in_first, int64_t step,
                    void *out, int64_t out_first, int64_t n);

/* Element (i0, i1, ..) of DIMS moves from sum i * IN[] to sum i * OUT[]; strides in elements,
 * those of IN may be 0 or negative. */
void kt_move_plan (kt_move *m, int32_t dtype, int32_t ndim, const int64_t *dims,
                   const int64_t *in, const int64_t *out);
/* The origins lie IN_FIRST and OUT_FIRST elements behind IN and OUT. */
kt_status kt_move_run (const kt_host *host, kt_run *run, const kt_move *m, const void *in,
                       int64_t in_first, void *out, int64_t out_first);
