/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-loops.c: the portable loop nest of matrix products. Four rows of y take four columns of
 * a at a time, so that per load of b there is enough arithmetic; the innermost loop runs along
 * the rows of b and y and becomes vector code. A turned b is first turned back, block by block.
 */
#include "elementwise.h"
#include "gemm.h"

#define DEPTH 128        /* rows of a block of b */
#define PACKED_COLS 128  /* columns of a block of b that is turned */
#define PITCH 144        /* of such a block: no power of two, for the sake of the cache */
#define COLS 512         /* columns of a tile, at most */
#define ROWS 64          /* rows of a tile, at most */
#define TILE_WORK 0x1p20 /* additions and products that are worth a hand-over */

typedef void kt_gemm_block (const void *a, int64_t a_row, int64_t a_col, const void *b,
                            int64_t b_row, void *y, int64_t y_row, int64_t rows,
                            int64_t cols, int64_t depth, double alpha);
typedef void kt_gemm_turn (const void *b, int64_t b_row, int64_t b_col, void *out,
                           int64_t cols, int64_t depth);
typedef void kt_gemm_start (const void *c, int64_t c_row, int64_t c_col, void *y,
                            int64_t y_row, int64_t rows, int64_t cols, double v);

/* block: y += v a b; turn: out[k,j] = b[k,j] with rows of PITCH; start: y = v c, or 0. FACTOR
 * is v as an element. */
#define KETTE_GEMM(SUFFIX, T, FACTOR)                                                    \
  KT_INLINE void add_4x4_##SUFFIX (const T f[16], const T *restrict b, int64_t b_row,    \
                                   T *restrict y0, T *restrict y1, T *restrict y2,       \
                                   T *restrict y3, int64_t cols)                         \
  {                                                                                      \
    const T *const b1 = b + b_row, *const b2 = b1 + b_row, *const b3 = b2 + b_row;       \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      {                                                                                  \
        y0[j] = (((y0[j] + f[0] * b[j]) + f[1] * b1[j]) + f[2] * b2[j]) + f[3] * b3[j];  \
        y1[j] = (((y1[j] + f[4] * b[j]) + f[5] * b1[j]) + f[6] * b2[j]) + f[7] * b3[j];  \
        y2[j]                                                                            \
            = (((y2[j] + f[8] * b[j]) + f[9] * b1[j]) + f[10] * b2[j]) + f[11] * b3[j];  \
        y3[j] = (((y3[j] + f[12] * b[j]) + f[13] * b1[j]) + f[14] * b2[j])               \
                + f[15] * b3[j];                                                         \
      }                                                                                  \
  }                                                                                      \
  KT_INLINE void add_1x4_##SUFFIX (const T f[4], const T *restrict b, int64_t b_row,     \
                                   T *restrict y, int64_t cols)                          \
  {                                                                                      \
    const T *const b1 = b + b_row, *const b2 = b1 + b_row, *const b3 = b2 + b_row;       \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      y[j] = (((y[j] + f[0] * b[j]) + f[1] * b1[j]) + f[2] * b2[j]) + f[3] * b3[j];      \
  }                                                                                      \
  KT_INLINE void add_1x1_##SUFFIX (T f, const T *restrict b, T *restrict y,              \
                                   int64_t cols)                                         \
  {                                                                                      \
    for (int64_t j = 0; j < cols; j++)                                                   \
      y[j] = y[j] + f * b[j];                                                            \
  }                                                                                      \
  KT_VECTOR static void block_##SUFFIX (                                                 \
      const void *a_data, int64_t a_row, int64_t a_col, const void *b_data,              \
      int64_t b_row, void *y_data, int64_t y_row, int64_t rows, int64_t cols,            \
      int64_t depth, double v)                                                           \
  {                                                                                      \
    const T *const a = a_data, *const b = b_data;                                        \
    T *const y     = y_data;                                                             \
    const T factor = FACTOR;                                                             \
    T f[16];                                                                             \
                                                                                         \
    for (int64_t i = 0, step; i < rows; i += step)                                       \
      {                                                                                  \
        const T *const ai = a + i * a_row;                                               \
        T *const yi       = y + i * y_row;                                               \
        int64_t k         = 0;                                                           \
        step              = i + 4 <= rows ? 4 : 1;                                       \
        for (; k + 4 <= depth; k += 4)                                                   \
          {                                                                              \
            for (int64_t q = 0; q < 4 * step; q++)                                       \
              f[q] = factor * ai[(q >> 2) * a_row + (k + (q & 3)) * a_col];              \
            if (step == 4)                                                               \
              add_4x4_##SUFFIX (f, b + k * b_row, b_row, yi, yi + y_row, yi + 2 * y_row, \
                                yi + 3 * y_row, cols);                                   \
            else                                                                         \
              add_1x4_##SUFFIX (f, b + k * b_row, b_row, yi, cols);                      \
          }                                                                              \
        for (; k < depth; k++)                                                           \
          for (int64_t r = 0; r < step; r++)                                             \
            add_1x1_##SUFFIX (factor *ai[r * a_row + k * a_col], b + k * b_row,          \
                              yi + r * y_row, cols);                                     \
      }                                                                                  \
  }                                                                                      \
  static void turn_##SUFFIX (const void *b_data, int64_t b_row, int64_t b_col,           \
                             void *out, int64_t cols, int64_t depth)                     \
  {                                                                                      \
    const T *const b = b_data;                                                           \
    T *const o       = out;                                                              \
                                                                                         \
    for (int64_t j = 0; j < cols; j++)                                                   \
      for (int64_t k = 0; k < depth; k++)                                                \
        o[k * PITCH + j] = b[k * b_row + j * b_col];                                     \
  }                                                                                      \
  static void start_##SUFFIX (const void *c_data, int64_t c_row, int64_t c_col,          \
                              void *y_data, int64_t y_row, int64_t rows, int64_t cols,   \
                              double v)                                                  \
  {                                                                                      \
    const T *const c = c_data;                                                           \
    T *const y       = y_data;                                                           \
    const T factor   = FACTOR;                                                           \
                                                                                         \
    for (int64_t i = 0; i < rows; i++)                                                   \
      for (int64_t j = 0; j < cols; j++)                                                 \
        y[i * y_row + j] = c ? factor * c[i * c_row + j * c_col] : 0;                    \
  }

/* Integers wrap; signed ones are computed as unsigned ones, which gives the same bits. */
KETTE_GEMM (f32, float, (float) v)
KETTE_GEMM (f64, double, v)
KETTE_GEMM (w32, uint32_t, (uint32_t) (int64_t) v)
KETTE_GEMM (w64, uint64_t, (uint64_t) (int64_t) v)

typedef struct
{
  int32_t size;
  kt_gemm_block *block;
  kt_gemm_turn *turn;
  kt_gemm_start *start;
} Loops;

static const Loops *
loops_for (int32_t dtype)
{
  static const Loops f32 = { 4, block_f32, turn_f32, start_f32 };
  static const Loops f64 = { 8, block_f64, turn_f64, start_f64 };
  static const Loops w32 = { 4, block_w32, turn_w32, start_w32 };
  static const Loops w64 = { 8, block_w64, turn_w64, start_w64 };

  if (dtype == KT_F32 || dtype == KT_F64)
    return dtype == KT_F32 ? &f32 : &f64;
  return kt_size_of (dtype) == 4 ? &w32 : &w64;
}

void
kt_loops_start (const kt_gemm *g, const void *c, void *y)
{
  loops_for (g->dtype)->start (c, g->c_row, g->c_col, y, g->n, g->m, g->n, g->beta);
}

size_t
kt_loops_scratch (const kt_gemm *g)
{
  return g->b_col == 1 || g->n == 1 || g->k == 0
             ? 0
             : (size_t) DEPTH * PITCH * kt_size_of (g->dtype);
}

void
kt_loops_choose (kt_gemm *g)
{
  const double rows   = g->m < ROWS ? (double) g->m + 1 : ROWS;
  const double column = 2.0 * rows * (double) (g->k + 1);

  g->tile_rows = g->m < ROWS ? g->m : ROWS;
  g->tile_cols = column * COLS <= TILE_WORK ? COLS : 1 + (int64_t) (TILE_WORK / column);
  g->tile_cols = (g->tile_cols + 63) / 64 * 64;
  g->tile_cols = g->n < g->tile_cols ? g->n : g->tile_cols;
  g->row_tiles = g->tile_rows ? (g->m + g->tile_rows - 1) / g->tile_rows : 0;
  g->col_tiles = g->tile_cols ? (g->n + g->tile_cols - 1) / g->tile_cols : 0;
  g->grain     = 1 + (int64_t) (TILE_WORK / (column * (double) (g->tile_cols + 1)));
}

void
kt_loops_tile (const kt_gemm *g, const char *a, const char *b, const char *c, char *y,
               char *packed, const int64_t at[2], const int64_t size[2])
{
  const Loops *const loops = loops_for (g->dtype);
  const int64_t s = loops->size, i = at[0], j = at[1], rows = size[0], cols = size[1];
  const bool turned = g->b_col != 1 && g->n != 1;

  y += (i * g->n + j) * s;
  loops->start (c ? c + (i * g->c_row + j * g->c_col) * s : NULL, g->c_row, g->c_col, y,
                g->n, rows, cols, g->beta);
  for (int64_t k = 0; k < g->k; k += DEPTH)
    {
      const int64_t depth = g->k - k < DEPTH ? g->k - k : DEPTH;
      const char *ak      = a + (i * g->a_row + k * g->a_col) * s;
      for (int64_t q = 0, n; q < cols; q += n)
        {
          const char *bk = b + (k * g->b_row + (j + q) * g->b_col) * s;
          n              = turned && cols - q > PACKED_COLS ? PACKED_COLS : cols - q;
          if (turned)
            loops->turn (bk, g->b_row, g->b_col, packed, n, depth);
          loops->block (ak, g->a_row, g->a_col, turned ? packed : bk,
                        turned ? PITCH : g->b_row, y + q * s, g->n, rows, n, depth,
                        g->alpha);
        }
    }
}
