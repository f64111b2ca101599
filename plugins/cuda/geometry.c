/* SPDX-License-Identifier: Apache-2.0
 *
 * geometry.c: the windows of an operator (ops/window.h) for kernels.
 */
#include "geometry.h"

bool
cu_geometry (const kt_window *w, CuGeometry *g)
{
  *g = (CuGeometry){ .large_area = 1, .small_area = 1, .cells = 1 };
  if (w->n < 1 || w->n > CU_DIMS)
    return false;
  for (int32_t d = 0; d < CU_DIMS; d++)
    {
      const int32_t s = d - (CU_DIMS - w->n); /* of the operator's dims; < 0: missing */
      g->large[d] = g->small[d] = g->kernel[d] = g->stride[d] = g->dilation[d] = 1;
      if (s < 0)
        continue;
      if (w->kernel[s] < 0 || w->kernel[s] > INT32_MAX || w->stride[s] > INT32_MAX
          || w->dilation[s] > INT32_MAX || w->begin[s] > INT32_MAX
          || w->begin[s] < INT32_MIN || w->end[s] > INT32_MAX || w->end[s] < INT32_MIN)
        return false;
      g->large[d]    = w->large[s];
      g->small[d]    = w->small[s];
      g->kernel[d]   = (int32_t) w->kernel[s];
      g->stride[d]   = (int32_t) w->stride[s];
      g->dilation[d] = (int32_t) w->dilation[s];
      g->begin[d]    = (int32_t) w->begin[s];
      g->end[d]      = (int32_t) w->end[s];
      g->large_area *= g->large[d];
      g->small_area *= g->small[d];
      if (__builtin_mul_overflow (g->cells, (int64_t) g->kernel[d], &g->cells))
        return false;
    }
  return g->cells <= INT32_MAX;
}

int64_t
cu_conv_parts (int64_t rows, int64_t cols, int64_t count, int64_t depth)
{
  enum
  {
    TILES = 512,     /* that keep a card busy */
    LEAST = 256,     /* of the sum, for a part */
    MOST  = 64 << 20 /* elements of all parts */
  };
  const int64_t tiles = ((rows + 63) / 64) * ((cols + 63) / 64) * count;
  const int64_t all   = rows * cols * count;
  int64_t parts       = tiles > 0 ? TILES / tiles : 1;

  if (parts > depth / LEAST)
    parts = depth / LEAST;
  if (all > 0 && parts > MOST / all)
    parts = MOST / all;
  return parts < 1 ? 1 : parts;
}

int64_t
cu_norm_pieces (int64_t channels, int64_t elements)
{
  enum
  {
    BLOCKS = 1024, /* of all channels */
    LEAST  = 4096  /* elements of a piece */
  };
  int64_t pieces = channels > 0 ? BLOCKS / channels : 1;

  if (pieces > elements / LEAST)
    pieces = elements / LEAST;
  return pieces < 1 ? 1 : pieces;
}
