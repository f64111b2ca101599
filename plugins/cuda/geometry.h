/* SPDX-License-Identifier: Apache-2.0
 *
 * geometry.h: windows for kernels, and how sums are cut into parts: by the shape alone.
 */
#ifndef KETTE_CUDA_GEOMETRY_H
#define KETTE_CUDA_GEOMETRY_H

#include "../../ops/window.h"
#include "windows.h"

/* false: more than three spatial dims, or numbers beyond 32 bits. */
bool cu_geometry (const kt_window *w, CuGeometry *g);
/* Parts of a sum of DEPTH products, for each of COUNT x ROWS x COLS elements. */
int64_t cu_conv_parts (int64_t rows, int64_t cols, int64_t count, int64_t depth);
/* Pieces of a channel of ELEMENTS. */
int64_t cu_norm_pieces (int64_t channels, int64_t elements);

#endif /* KETTE_CUDA_GEOMETRY_H */
