/* SPDX-License-Identifier: Apache-2.0
 *
 * sort.cu: lines of entries sorted in the device's memory: what lies within a tile in fast memory,
 * the steps over longer distances one launch each.
 */
#include "sort.h"

#define TILE KT_SORT_TILE

/* All steps of runs up to q.size, or, from runs of 2 TILE on, those of runs of q.size that stay
 * within a tile. */
static KT_GLOBAL void
sort_tiles (const kt_sort_params q)
{
  KT_SHARED kt_sorted tile[TILE];

  for (int64_t b = KT_BLOCK_INDEX; b * TILE < q.count; b += KT_N_BLOCKS)
    {
      const int64_t first = b * TILE, n = q.count - first < TILE ? q.count - first : TILE;
      KT_EACH (t)
      {
        for (int64_t i = t; i < n; i += KT_THREADS)
          tile[i] = q.entries[first + i];
      }
      kt_sort_tile (tile, n, q.size > TILE ? q.size : 2, q.size, first, q.length);
      KT_EACH (t)
      {
        for (int64_t i = t; i < n; i += KT_THREADS)
          q.entries[first + i] = tile[i];
      }
    }
}

static KT_GLOBAL void
sort_step (const kt_sort_params q)
{
  for (int64_t p = KT_FIRST; p < q.count / 2; p += KT_STEP)
    kt_sort_pair (q.entries, p, q.size & (q.length - 1), q.distance, 0);
}

void
kt_sort_launch (const kt_sort_params *q, void *stream)
{
  const int64_t tiles = (q->count + TILE - 1) / TILE;
  kt_sort_params p    = *q;

  p.size = q->length < TILE ? q->length : TILE;
  kt_launch_blocks (sort_tiles, tiles, p, stream);
  for (p.size = 2 * TILE; p.size <= q->length; p.size *= 2)
    {
      for (p.distance = p.size / 2; p.distance >= TILE; p.distance /= 2)
        kt_launch (sort_step, p.count / 2, p, stream);
      kt_launch_blocks (sort_tiles, tiles, p, stream);
    }
}
