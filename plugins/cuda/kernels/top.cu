/* SPDX-License-Identifier: Apache-2.0
 *
 * top.cu: TopK. What is best first is sorted: a line by a block of threads, in fast memory, part
 * after part; where that does not hold what is asked for, all lines in the device's memory.
 */
#include "key.h"
#include "sort.h"

#define TILE KT_SORT_TILE

/* Element I of LINE, best first. */
KT_HD kt_sorted
item_of (const kt_top_params &q, int64_t line, int64_t i)
{
  const int64_t outer = kt_over (line, q.inner), column = line - outer * q.inner;
  const int64_t at = (outer * q.n + i) * q.inner + column;
  kt_sorted item;
  uint64_t key;

  if (i >= q.n)
    {
      item.key = UINT64_MAX;
      item.at  = KT_NO_ENTRY;
      return item;
    }
  switch (q.dtype)
    {
    case KT_F32:
    case KT_F16:
    case KT_BF16:
      key = kt_key_f32 (KtMemory<float>::load (q.x, at, q.dtype));
      break;
    case KT_F64:
      key = kt_key_f64 (((const double *) q.x)[at]);
      break;
    case KT_I8:
    case KT_I16:
    case KT_I32:
    case KT_I64:
      key = kt_key_i64 ((int64_t) kt_load_whole (q.x, at, q.dtype));
      break;
    default:
      key = kt_load_whole (q.x, at, q.dtype);
    }
  item.key = ~(key ^ q.flip);
  item.at  = i;
  return item;
}

/* Result I of LINE is element AT. */
KT_HD void
put_result (const kt_top_params &q, int64_t line, int64_t i, int64_t at)
{
  const int64_t outer = kt_over (line, q.inner), column = line - outer * q.inner;
  const int64_t to   = (outer * q.k + i) * q.inner + column,
                from = (outer * q.n + at) * q.inner + column;

  if (q.places)
    q.places[to] = at;
  if (!q.values)
    return;
  if (q.size == 8)
    ((uint64_t *) q.values)[to] = ((const uint64_t *) q.x)[from];
  else if (q.size == 4)
    ((uint32_t *) q.values)[to] = ((const uint32_t *) q.x)[from];
  else if (q.size == 2)
    ((uint16_t *) q.values)[to] = ((const uint16_t *) q.x)[from];
  else
    ((uint8_t *) q.values)[to] = ((const uint8_t *) q.x)[from];
}

/* A line per block: the first part of it is sorted; of each further one, half a tile, what is
 * better than the K-th so far takes part. */
static KT_GLOBAL void
top_tiles (const kt_top_params q)
{
  KT_SHARED kt_sorted tile[TILE];
  KT_SHARED int finds[1];

  for (int64_t line = KT_BLOCK_INDEX; line < q.lines; line += KT_N_BLOCKS)
    {
      KT_EACH (t)
      {
        for (int64_t i = t; i < q.length; i += KT_THREADS)
          tile[i] = item_of (q, line, i);
      }
      kt_sort_tile (tile, q.length, 2, q.length, 0, q.length);
      for (int64_t first = q.length; first < q.n; first += TILE / 2)
        {
          KT_EACH (t)
          {
            if (t == 0)
              finds[0] = 0;
          }
          KT_EACH (t)
          {
            for (int64_t i = t; i < TILE / 2; i += KT_THREADS)
              {
                tile[TILE / 2 + i] = item_of (q, line, first + i);
                if (kt_is_before (tile[TILE / 2 + i], tile[q.k - 1]))
                  finds[0] = 1;
              }
          }
          KT_EACH (t) {}
          if (finds[0])
            kt_sort_tile (tile, TILE, 2, TILE, 0, TILE);
        }
      KT_EACH (t)
      {
        for (int64_t i = t; i < q.k; i += KT_THREADS)
          put_result (q, line, i, tile[i].at);
      }
    }
}

static KT_GLOBAL void
list_items (const kt_top_params q)
{
  for (int64_t i = KT_FIRST; i < q.lines * q.length; i += KT_STEP)
    {
      const int64_t line = kt_over (i, q.length);
      q.entries[i]       = item_of (q, line, i - line * q.length);
    }
}

static KT_GLOBAL void
put_best (const kt_top_params q)
{
  for (int64_t i = KT_FIRST; i < q.lines * q.k; i += KT_STEP)
    {
      const int64_t line = kt_over (i, q.k), k = i - line * q.k;
      put_result (q, line, k, q.entries[line * q.length + k].at);
    }
}

void
kt_top_launch (const kt_top_params *q, void *stream)
{
  const kt_sort_params sort = { q->entries, q->lines * q->length, q->length, 0, 0 };

  if (!q->entries)
    {
      kt_launch_blocks (top_tiles, q->lines, *q, stream);
      return;
    }
  kt_launch (list_items, sort.count, *q, stream);
  kt_sort_launch (&sort, stream);
  kt_launch (put_best, q->lines * q->k, *q, stream);
}
