/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-product.c: a block of a convolution's output: elements are gathered for as many
 * channels as stay in the cache, multiplied with the weights, and the next ones added.
 */
#include "conv-engine.h"
#include "half.h"

static int64_t
least (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t
parts_of (int64_t n, int64_t part)
{
  return (n + part - 1) / part;
}

/* Where the weights of row ROW and channel CHANNEL of the block's group begin. */
static int64_t
weights_at (const kt_conv_engine *e, const kt_conv_block *b, int64_t row, int64_t channel)
{
  return e->conv.out == KT_CONV_SMALL
             ? ((b->group * e->rows + row) * e->channels + channel) * e->cells
             : ((b->group * e->channels + channel) * e->rows + row) * e->cells;
}

#define ITSELF(x) (x)

/* The weights of a block, rows w_pitch apart. */
#define PACK(SUFFIX, T, A, LOAD)                                                         \
  static void pack_##SUFFIX (const kt_conv_engine *e, const kt_conv_block *b,            \
                             int64_t row, int64_t rows, const void *w_data, void *out)   \
  {                                                                                      \
    const int64_t *const cell = b->phase->cell + b->cell;                                \
    const bool in_order       = cell[b->cells - 1] - cell[0] == b->cells - 1;            \
    const bool whole          = e->conv.out == KT_CONV_SMALL && b->cells == e->cells;    \
                                                                                         \
    for (int64_t r = 0; whole && r < rows; r++)                                          \
      {                                                                                  \
        const T *const w = (const T *) w_data + weights_at (e, b, row + r, b->channel);  \
        A *const to      = (A *) out + r * e->w_pitch;                                   \
        for (int64_t k = 0; k < b->channels * b->cells; k++)                             \
          to[k] = LOAD (w[k]);                                                           \
      }                                                                                  \
    for (int64_t first = 0, n; !whole && first < rows;                                   \
         first += n) /* 16 stay in the cache */                                          \
      {                                                                                  \
        n = least (rows - first, 16);                                                    \
        for (int64_t c = 0; c < b->channels; c++)                                        \
          {                                                                              \
            const int64_t channel = b->channel + c, at = row + first;                    \
            const T *w = (const T *) w_data + weights_at (e, b, at, channel);            \
            const int64_t next                                                           \
                = weights_at (e, b, at + 1, channel) - weights_at (e, b, at, channel);   \
            A *to = (A *) out + first * e->w_pitch + c * b->cells;                       \
            for (int64_t r = 0; r < n; r++, w += next, to += e->w_pitch)                 \
              if (in_order && b->cells == 9)                                             \
                for (int64_t k = 0; k < 9; k++)                                          \
                  to[k] = LOAD (w[cell[0] + k]);                                         \
              else if (in_order)                                                         \
                for (int64_t k = 0; k < b->cells; k++)                                   \
                  to[k] = LOAD (w[cell[0] + k]);                                         \
              else                                                                       \
                for (int64_t k = 0; k < b->cells; k++)                                   \
                  to[k] = LOAD (w[cell[k]]);                                             \
          }                                                                              \
      }                                                                                  \
  }                                                                                      \
  static void start_##SUFFIX (const void *bias, int64_t first, int64_t rows,             \
                              int64_t cols, void *out, int64_t pitch)                    \
  {                                                                                      \
    for (int64_t r = 0; r < rows; r++)                                                   \
      {                                                                                  \
        const A v   = bias ? LOAD (((const T *) bias)[first + r]) : 0;                   \
        A *const to = (A *) out + r * pitch;                                             \
        for (int64_t i = 0; i < cols; i++)                                               \
          to[i] = v;                                                                     \
      }                                                                                  \
  }

PACK (f32, float, float, ITSELF)
PACK (f64, double, double, ITSELF)
PACK (f16, uint16_t, float, kt_f16_to_f32)
PACK (bf16, uint16_t, float, kt_bf16_to_f32)

static void
pack (const kt_conv_engine *e, const kt_conv_block *b, int64_t row, int64_t rows,
      const void *w, void *out)
{
  switch (e->conv.dtype)
    {
    case KT_F32:
      pack_f32 (e, b, row, rows, w, out);
      return;
    case KT_F64:
      pack_f64 (e, b, row, rows, w, out);
      return;
    case KT_F16:
      pack_f16 (e, b, row, rows, w, out);
      return;
    default:
      pack_bf16 (e, b, row, rows, w, out);
    }
}

/* The bias, or zeros. */
static void
start (const kt_conv_engine *e, const void *bias, const kt_conv_block *b, char *y,
       int64_t y_row)
{
  const int64_t first = b->group * e->rows + b->row;

  switch (e->conv.dtype)
    {
    case KT_F32:
      start_f32 (bias, first, b->rows, b->cols, y, y_row);
      return;
    case KT_F64:
      start_f64 (bias, first, b->rows, b->cols, y, y_row);
      return;
    case KT_F16:
      start_f16 (bias, first, b->rows, b->cols, y, y_row);
      return;
    default:
      start_bf16 (bias, first, b->rows, b->cols, y, y_row);
    }
}

/* Rows ROW .. ROW + ROWS - 1 of the block by the gathered elements at B. T holds what is the
 * same for all tiles and the weights of the first row. */
static void
multiply_rows (const kt_conv_engine *e, const kt_conv_block *block, int64_t row,
               int64_t rows, const char *b, kt_tile t, char *y, bool again)
{
  const kt_tiles *const tiles = e->tiles;
  const int64_t row_tiles     = parts_of (rows, tiles->rows);
  const int64_t small = rows / row_tiles, larger = rows % row_tiles;
  const char *const w       = t.a;
  const int64_t panel_bytes = e->direct_x ? e->panel * e->size : t.k * e->panel * e->size;

  for (int64_t j = 0; j < block->cols; j += e->panel)
    {
      t.cols               = least (e->panel, block->cols - j);
      const int64_t vector = parts_of (t.cols, tiles->width);
      t.b                  = b + j / e->panel * panel_bytes;
      for (int64_t i = 0, r = 0, n; i < row_tiles; i++, r += n)
        {
          n   = small + (i < larger);
          t.a = w + r * t.a_row * e->size;
          t.y = y + ((row - block->row + r) * t.y_row + j) * e->size;
          t.c = again ? t.y : NULL;
          tiles->tile[n - 1][vector - 1](&t);
        }
    }
}

static void
multiply_block (const kt_conv_engine *e, const kt_run *run, const kt_conv_block *b,
                char *scratch, char *y, int64_t y_row, bool again)
{
  const kt_gather *const g = &b->phase->gather;
  const char *const x
      = (const char *) run->in[0].data
        + ((b->image * e->conv.group + b->group) * e->channels + b->channel)
              * e->source_area * e->element;
  const char *const w = run->in[1].data;
  kt_tile t           = { .k     = b->channels * b->cells,
                          .a_row = e->direct_w ? e->channels * e->cells : e->w_pitch,
                          .a_col = 1,
                          .b_row = e->direct_x ? e->source_area : e->panel,
                          .y_row = y_row,
                          .c_row = y_row,
                          .alpha = 1,
                          .beta  = 1 };

  if (!e->direct_x)
    e->gather (g,
               &(kt_gather_block){ x, b->channels, b->cell, b->cell + b->cells, b->first,
                                   b->cols, e->panel },
               scratch);
  for (int64_t row = b->row, n; row < b->row + b->rows; row += n)
    {
      n = least (e->block_rows, b->row + b->rows - row);
      if (e->direct_w)
        t.a = w + (weights_at (e, b, row, b->channel) + b->cell) * e->size;
      else
        {
          pack (e, b, row, n, w, scratch + e->w_at);
          t.a = scratch + e->w_at;
        }
      multiply_rows (e, b, row, n, e->direct_x ? x + b->first * e->size : scratch, t, y,
                     again);
    }
}

void
kt_conv_multiply (const kt_conv_engine *e, const kt_run *run, kt_conv_block *b,
                  char *scratch, char *y, int64_t y_row)
{
  const int64_t cells    = b->phase->gather.cells;
  const void *const bias = e->has_bias ? run->in[2].data : NULL;
  bool again             = bias || cells == 0 || e->channels == 0;

  if (again)
    start (e, bias, b, y, y_row);
  for (b->channel = 0; b->channel < e->channels; b->channel += b->channels)
    {
      b->channels = least (e->depth_channels, e->channels - b->channel);
      for (b->cell = 0; b->cell < cells; b->cell += b->cells)
        {
          b->cells = least (e->depth_cells, cells - b->cell);
          multiply_block (e, run, b, scratch, y, y_row, again);
          again = true;
        }
    }
}
