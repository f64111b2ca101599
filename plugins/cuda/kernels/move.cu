/* SPDX-License-Identifier: Apache-2.0
 *
 * move.cu: elements from one place to another, by their size, whatever their type: strided copies,
 * fills, Where, rows that indices name.
 */
#include "place.h"
#include <string.h>

template <class T>
KT_GLOBAL void
move_kernel (const kt_move_params q)
{
  for (int64_t i = KT_FIRST; i < q.count; i += KT_STEP)
    {
      int64_t rest = i, from = q.first_in, to = q.first_out;
      for (int d = q.ndim - 1; d >= 0; d--)
        {
          const int64_t up = d ? kt_over (rest, q.dims[d]) : 0, c = rest - up * q.dims[d];
          from += c * q.in[d];
          to += c * q.out[d];
          rest = up;
        }
      ((T *) q.y)[to] = ((const T *) q.x)[from];
    }
}

void
kt_move_launch (const kt_move_params *q, void *stream)
{
  KT_BY_SIZE (move_kernel, q, q->count, stream)
}

#define TILE 32

template <class T>
KT_GLOBAL void
tiles_kernel (const kt_tiles_params q)
{
  KT_SHARED T tile[TILE][TILE + 1]; /* + 1: columns are in different banks */

  for (int64_t b = KT_BLOCK_INDEX; b < q.tiles; b += KT_N_BLOCKS)
    {
      const int64_t row = kt_over (b, q.across), c0 = (b - row * q.across) * TILE;
      int64_t rest = kt_over (row, q.down), r0 = (row - rest * q.down) * TILE;
      int64_t from = q.first_in, to = q.first_out;
      for (int d = q.ndim - 1; d >= 0; d--)
        {
          const int64_t up = d ? kt_over (rest, q.dims[d]) : 0, c = rest - up * q.dims[d];
          from += c * q.in[d];
          to += c * q.out[d];
          rest = up;
        }
      KT_EACH (t)
      {
        const int64_t r = r0 + t % TILE;
        for (int k = t / TILE; k < TILE; k += KT_THREADS / TILE)
          if (r < q.length && c0 + k < q.width)
            tile[k][t % TILE] = ((const T *) q.x)[from + r + (c0 + k) * q.in_width];
      }
      KT_EACH (t)
      {
        const int64_t c = c0 + t % TILE;
        for (int k = t / TILE; k < TILE; k += KT_THREADS / TILE)
          if (c < q.width && r0 + k < q.length)
            ((T *) q.y)[to + (r0 + k) * q.out_length + c] = tile[t % TILE][k];
      }
    }
}

void
kt_tiles_launch (const kt_tiles_params *q, void *stream)
{
  switch (q->size)
    {
    case 1:
      kt_launch_blocks (tiles_kernel<uint8_t>, q->tiles, *q, stream);
      break;
    case 2:
      kt_launch_blocks (tiles_kernel<uint16_t>, q->tiles, *q, stream);
      break;
    case 4:
      kt_launch_blocks (tiles_kernel<uint32_t>, q->tiles, *q, stream);
      break;
    case 8:
      kt_launch_blocks (tiles_kernel<uint64_t>, q->tiles, *q, stream);
      break;
    default:
      kt_launch_blocks (tiles_kernel<KtPair>, q->tiles, *q, stream);
    }
}

template <class T>
KT_GLOBAL void
fill_kernel (const kt_fill_params q)
{
  T v;

  memcpy (&v, q.element, sizeof v);
  for (int64_t i = KT_FIRST; i < q.count; i += KT_STEP)
    ((T *) q.y)[i] = v;
}

void
kt_fill_launch (const kt_fill_params *q, void *stream)
{
  KT_BY_SIZE (fill_kernel, q, q->count, stream)
}

template <class T>
KT_GLOBAL void
where_kernel (const kt_where_params q)
{
  for (int64_t i = KT_FIRST; i < q.at.count; i += KT_STEP)
    {
      int64_t at[3];
      kt_places<3> (q.at, i, at);
      ((T *) q.y)[i] = ((const uint8_t *) q.c)[at[0]] ? ((const T *) q.a)[at[1]]
                                                      : ((const T *) q.b)[at[2]];
    }
}

void
kt_where_launch (const kt_where_params *q,
                 void *stream){ KT_BY_SIZE (where_kernel, q, q->at.count, stream) }

/* Index K, from 0 on; -1: it is out of range, and told. */
KT_HD int64_t index_at (const kt_rows_params &q, int64_t k)
{
  int64_t v = q.wide ? ((const int64_t *) q.at)[k] : ((const int32_t *) q.at)[k];

  if (v < -q.n || v >= q.n)
    {
      kt_tell (q.fault, k, 0, v);
      return -1;
    }
  return v < 0 ? v + q.n : v;
}

template <class T>
KT_GLOBAL void
gather_kernel (const kt_rows_params q)
{
  for (int64_t i = KT_FIRST; i < q.outer * q.count * q.inner; i += KT_STEP)
    {
      const int64_t row = kt_over (i, q.inner), outer = kt_over (row, q.count);
      const int64_t k = index_at (q, row - outer * q.count);
      if (k >= 0)
        ((T *) q.y)[i]
            = ((const T *) q.x)[(outer * q.n + k) * q.inner + (i - row * q.inner)];
    }
}

void
kt_gather_launch (const kt_rows_params *q, void *stream)
{
  KT_BY_SIZE (gather_kernel, q, q->outer * q->count * q->inner, stream)
}
