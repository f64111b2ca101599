/* SPDX-License-Identifier: Apache-2.0
 *
 * move.c: copying of elements between two strided layouts, by element size.
 */
#include "move.h"

#define PIECE_BYTES (256 * 1024) /* that a thread moves at a time: some 30 us */
#define STRIP 16                 /* columns of a tile */

typedef struct
{
  uint64_t a, b;
} Pair;

typedef struct
{
  const kt_move *m;
  const char *in;
  char *out;
} Job;

/* Loops over elements of one size. A tile is walked along the input's contiguous dim, in
 * squares that stay in the nearest cache on both sides. */
#define LOOPS(T, BITS)                                                                   \
  static void strided_##BITS (const void *in, int64_t in_step, void *out,                \
                              int64_t out_step, int64_t n)                               \
  {                                                                                      \
    const T *x = in;                                                                     \
    T *y       = out;                                                                    \
                                                                                         \
    if (in_step == 0 && out_step == 1)                                                   \
      for (int64_t i = 0; i < n; i++)                                                    \
        y[i] = x[0];                                                                     \
    else if (out_step == 1)                                                              \
      for (int64_t i = 0; i < n; i++)                                                    \
        y[i] = x[i * in_step];                                                           \
    else                                                                                 \
      for (int64_t i = 0; i < n; i++)                                                    \
        y[i * out_step] = x[i * in_step];                                                \
  }                                                                                      \
                                                                                         \
  static void tile_##BITS (const kt_move *m, const void *in, void *out, int64_t width,   \
                           int64_t n)                                                    \
  {                                                                                      \
    const T *x = in;                                                                     \
    T *y       = out;                                                                    \
                                                                                         \
    for (int64_t begin = 0; begin < n; begin += STRIP)                                   \
      {                                                                                  \
        const int64_t end = begin + STRIP < n ? begin + STRIP : n;                       \
        for (int64_t j = 0; j < width; j++)                                              \
          for (int64_t i = begin; i < end; i++)                                          \
            y[j * m->tile_out + i * m->inner_out] = x[j + i * m->inner_in];              \
      }                                                                                  \
  }

LOOPS (uint8_t, 8)
LOOPS (uint16_t, 16)
LOOPS (uint32_t, 32)
LOOPS (uint64_t, 64)
LOOPS (Pair, 128)

static void
strided (const kt_move *m, const void *in, void *out, int64_t n)
{
  switch (m->bits)
    {
    case 8:
      strided_8 (in, m->inner_in, out, m->inner_out, n);
      break;
    case 16:
      strided_16 (in, m->inner_in, out, m->inner_out, n);
      break;
    case 32:
      strided_32 (in, m->inner_in, out, m->inner_out, n);
      break;
    case 64:
      strided_64 (in, m->inner_in, out, m->inner_out, n);
      break;
    default:
      strided_128 (in, m->inner_in, out, m->inner_out, n);
    }
}

static void
tile (const kt_move *m, const void *in, void *out, int64_t width, int64_t n)
{
  switch (m->bits)
    {
    case 8:
      tile_8 (m, in, out, width, n);
      break;
    case 16:
      tile_16 (m, in, out, width, n);
      break;
    case 32:
      tile_32 (m, in, out, width, n);
      break;
    case 64:
      tile_64 (m, in, out, width, n);
      break;
    default:
      tile_128 (m, in, out, width, n);
    }
}

/* Drops dims of 1, merges dims that adjoin on both sides. */
static void
collapse (kt_move *m, int32_t ndim, const int64_t *dims, const int64_t *in,
          const int64_t *out)
{
  m->ndim = 0;
  for (int32_t d = 0; d < ndim; d++)
    {
      const int32_t last = m->ndim - 1;
      if (dims[d] == 1)
        continue;
      if (last >= 0 && m->in[last] == in[d] * dims[d] && m->out[last] == out[d] * dims[d])
        {
          m->dims[last] *= dims[d];
          m->in[last]  = in[d];
          m->out[last] = out[d];
          continue;
        }
      m->dims[m->ndim] = dims[d];
      m->in[m->ndim]   = in[d];
      m->out[m->ndim]  = out[d];
      m->ndim++;
    }
}

/* Takes the outer dim D out of the list. */
static void
remove_dim (kt_move *m, int32_t d)
{
  m->ndim--;
  for (; d < m->ndim; d++)
    {
      m->dims[d] = m->dims[d + 1];
      m->in[d]   = m->in[d + 1];
      m->out[d]  = m->out[d + 1];
    }
}

static void
choose_kind (kt_move *m)
{
  m->kind = m->inner_in == 1 && m->inner_out == 1 ? KT_MOVE_COPY : KT_MOVE_STRIDED;
  for (int32_t d = m->ndim - 1; d >= 0 && m->kind == KT_MOVE_STRIDED && m->inner_in != 0;
       d--)
    if (m->in[d] == 1)
      {
        m->kind     = KT_MOVE_TILES;
        m->tile     = m->dims[d];
        m->tile_out = m->out[d];
        remove_dim (m, d);
      }
  if (m->bits < 8)
    m->kind = KT_MOVE_BITS;
}

void
kt_move_plan (kt_move *m, int32_t dtype, int32_t ndim, const int64_t *dims,
              const int64_t *in, const int64_t *out)
{
  int64_t outer = 1, width = 1;

  *m = (kt_move){ .bits      = kt_bits_of (dtype),
                  .inner     = 1,
                  .inner_in  = 1,
                  .inner_out = 1,
                  .tile      = 1,
                  .n_strips  = 1,
                  .n_chunks  = 1,
                  .grain     = 1 };
  for (int32_t d = 0; d < ndim; d++)
    if (dims[d] == 0)
      return;
  collapse (m, ndim, dims, in, out);
  if (m->bits < 8)
    { /* neighbours share bytes: one thread, element by element */
      m->kind    = KT_MOVE_BITS;
      m->n_items = 1;
      return;
    }
  if (m->ndim > 0)
    {
      m->ndim--;
      m->inner     = m->dims[m->ndim];
      m->inner_in  = m->in[m->ndim];
      m->inner_out = m->out[m->ndim];
      choose_kind (m);
    }
  for (int32_t d = 0; d < m->ndim; d++)
    outer *= m->dims[d];
  if (m->kind == KT_MOVE_TILES)
    {
      width       = m->tile < STRIP ? m->tile : STRIP;
      m->n_strips = (m->tile + STRIP - 1) / STRIP;
    }

  const int64_t most = PIECE_BYTES / (m->bits / 8) / width;
  m->chunk           = m->inner < most ? m->inner : most;
  m->n_chunks        = (m->inner + m->chunk - 1) / m->chunk;
  m->n_items         = outer * m->n_strips * m->n_chunks;
  m->grain           = most / m->chunk;
}

/* The place of outer element INDEX on both sides, in elements. */
static void
locate (const kt_move *m, int64_t index, int64_t *in, int64_t *out)
{
  *in = *out = 0;
  for (int32_t d = m->ndim - 1; d >= 0; d--)
    {
      const int64_t rest = d ? index / m->dims[d] : 0, i = index - rest * m->dims[d];
      *in += i * m->in[d];
      *out += i * m->out[d];
      index = rest;
    }
}

/* Where a walk over the outer dims is. */
typedef struct
{
  int64_t at[KT_MAX_RANK], in, out;
} Place;

static void
step (const kt_move *m, Place *p)
{
  for (int32_t d = m->ndim - 1; d >= 0; d--)
    {
      p->in += m->in[d];
      p->out += m->out[d];
      if (++p->at[d] < m->dims[d])
        return;
      p->at[d] = 0;
      p->in -= m->dims[d] * m->in[d];
      p->out -= m->dims[d] * m->out[d];
    }
}

static void
start (const kt_move *m, int64_t index, Place *p)
{
  locate (m, index, &p->in, &p->out);
  for (int32_t d = m->ndim - 1; d >= 0; d--)
    {
      p->at[d] = index % m->dims[d];
      index /= m->dims[d];
    }
}

static void
move_items (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *job     = arg;
  const kt_move *m   = job->m;
  const int64_t size = m->bits / 8, parts = m->n_strips * m->n_chunks;
  int64_t part = begin % parts;
  Place place;

  (void) worker;
  start (m, begin / parts, &place);
  for (int64_t item = begin; item < end; item++)
    {
      const int64_t strip = part / m->n_chunks, first = (part % m->n_chunks) * m->chunk;
      const int64_t n = first + m->chunk < m->inner ? m->chunk : m->inner - first;
      const char *in  = job->in + (place.in + first * m->inner_in) * size;
      char *out       = job->out + (place.out + first * m->inner_out) * size;

      if (m->kind == KT_MOVE_COPY)
        memcpy (out, in, (size_t) (n * size));
      else if (m->kind == KT_MOVE_STRIDED)
        strided (m, in, out, n);
      else
        {
          const int64_t column = strip * STRIP;
          const int64_t width  = column + STRIP < m->tile ? STRIP : m->tile - column;
          tile (m, in + column * size, out + column * m->tile_out * size, width, n);
        }
      if (++part == parts)
        {
          part = 0;
          step (m, &place);
        }
    }
}

void
kt_copy_small (int32_t bits, const void *in, int64_t in_first, int64_t step, void *out,
               int64_t out_first, int64_t n)
{
  const int per      = 8 / bits;
  const uint8_t mask = (uint8_t) ((1 << bits) - 1), *x = in;
  uint8_t *y = out;

  for (int64_t i = 0; i < n; i++)
    {
      const int64_t from = in_first + i * step, to = out_first + i;
      const int shift   = (int) (to % per) * bits;
      const uint8_t bit = (uint8_t) (x[from / per] >> (from % per) * bits & mask);
      y[to / per]       = (uint8_t) ((y[to / per] & ~(mask << shift)) | bit << shift);
    }
}

/* Element by element. */
static void
move_bits (const kt_move *m, const uint8_t *in, int64_t in_first, uint8_t *out,
           int64_t out_first)
{
  int64_t count = 1;

  for (int32_t d = 0; d < m->ndim; d++)
    count *= m->dims[d];
  for (int64_t i = 0; i < count; i++)
    {
      int64_t from, to;
      locate (m, i, &from, &to);
      kt_copy_small (m->bits, in, in_first + from, 0, out, out_first + to, 1);
    }
}

kt_status
kt_move_run (const kt_host *host, kt_run *run, const kt_move *m, const void *in,
             int64_t in_first, void *out, int64_t out_first)
{
  const int64_t size = m->bits / 8;

  if (m->n_items == 0)
    return KT_OK;
  if (m->kind == KT_MOVE_BITS)
    {
      move_bits (m, in, in_first, out, out_first);
      return KT_OK;
    }

  Job job = { m, (const char *) in + in_first * size, (char *) out + out_first * size };
  if (m->n_items <= m->grain)
    {
      move_items (&job, 0, m->n_items, 0);
      return KT_OK;
    }
  return host->parallel_for (run, m->n_items, m->grain, move_items, &job);
}
