/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-gather.c: the loops of conv-gather.h. A run of places in one row of the output is cut
 * to what lies inside the source once for all channels; what is left is copied.
 */
#include "conv-gather.h"
#include "elementwise.h"
#include "half.h"

/* A run of LEN places: those from A to B - 1 lie inside, the first of them at OFFSET. */
typedef struct
{
  int64_t len, a, b, offset;
} Run;

/* The run that begins at place AT of dim n - 1 in row OUTER of the other dims. */
static Run
run_at (const kt_gather *g, const int64_t *offset, int64_t outer, int64_t at, int64_t len)
{
  const int32_t last = g->n - 1;
  const int64_t step = g->step[last], size = g->size[last];
  const int64_t first = at * step + offset[last];
  int64_t base = 0, plane = size;

  for (int32_t d = last - 1; d >= 0; d--)
    {
      const int64_t rest = d > 0 ? outer / g->count[d] : 0;
      const int64_t i    = (outer - rest * g->count[d]) * g->step[d] + offset[d];
      if (i < 0 || i >= g->size[d])
        return (Run){ len, len, len, 0 };
      base += i * plane;
      plane *= g->size[d];
      outer = rest;
    }

  int64_t a = first < 0 ? (step == 1 ? -first : (-first + step - 1) / step) : 0;
  int64_t b = first >= size ? 0
              : step == 1   ? size - first
                            : (size - first + step - 1) / step;
  a         = a < len ? a : len;
  b         = b < len ? b : len;
  b         = a < b ? b : a;
  return (Run){ len, a, b, base + first + a * step };
}

/* Runs are short: copied in vectors, of which the last two may overlap, without a call. */
#define COPY(SUFFIX, T)                                                                  \
  typedef T wide_##SUFFIX                                                                \
      __attribute__ ((vector_size (8 * sizeof (T)), aligned (sizeof (T)), may_alias));   \
  typedef T half_##SUFFIX                                                                \
      __attribute__ ((vector_size (4 * sizeof (T)), aligned (sizeof (T)), may_alias));   \
  KT_INLINE void plain_copy_##SUFFIX (const T *x, T *y, int64_t n)                       \
  {                                                                                      \
    int64_t i = 0;                                                                       \
                                                                                         \
    if (n >= 8)                                                                          \
      {                                                                                  \
        for (; i + 8 <= n; i += 8)                                                       \
          *(wide_##SUFFIX *) (y + i) = *(const wide_##SUFFIX *) (x + i);                 \
        *(wide_##SUFFIX *) (y + n - 8) = *(const wide_##SUFFIX *) (x + n - 8);           \
      }                                                                                  \
    else if (n >= 4)                                                                     \
      {                                                                                  \
        const half_##SUFFIX a          = *(const half_##SUFFIX *) x;                     \
        const half_##SUFFIX b          = *(const half_##SUFFIX *) (x + n - 4);           \
        *(half_##SUFFIX *) y           = a;                                              \
        *(half_##SUFFIX *) (y + n - 4) = b;                                              \
      }                                                                                  \
    else                                                                                 \
      {                                                                                  \
        y[0] = x[0];                                                                     \
        if (n > 1)                                                                       \
          y[1] = x[1];                                                                   \
        if (n > 2)                                                                       \
          y[2] = x[2];                                                                   \
      }                                                                                  \
  }

COPY (f32, float)
COPY (f64, double)

#define ITSELF(x) (x)

#define GATHER(SUFFIX, T, A, LOAD, COPY_RUN)                                             \
  KT_INLINE void copy_##SUFFIX (const T *restrict x, int64_t step, A *restrict y,        \
                                int64_t n)                                               \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = LOAD (x[i * step]);                                                         \
  }                                                                                      \
  KT_INLINE void channels_##SUFFIX (const Run *r, const T *x, int64_t area,              \
                                    int64_t step, int64_t channels, A *y, int64_t next)  \
  {                                                                                      \
    const int64_t n = r->b - r->a;                                                       \
                                                                                         \
    for (int64_t i = 0; i < r->a; i++)                                                   \
      for (int64_t c = 0; c < channels; c++)                                             \
        y[c * next + i] = 0;                                                             \
    for (int64_t i = r->b; i < r->len; i++)                                              \
      for (int64_t c = 0; c < channels; c++)                                             \
        y[c * next + i] = 0;                                                             \
    if (n == 0)                                                                          \
      return;                                                                            \
    x += r->offset;                                                                      \
    y += r->a;                                                                           \
    if (step == 1 && n == 32)                                                            \
      for (int64_t c = 0; c < channels; c++)                                             \
        COPY_RUN (SUFFIX, x + c * area, y + c * next, 32);                               \
    else if (step == 1)                                                                  \
      for (int64_t c = 0; c < channels; c++)                                             \
        COPY_RUN (SUFFIX, x + c * area, y + c * next, n);                                \
    else if (step == 2)                                                                  \
      for (int64_t c = 0; c < channels; c++)                                             \
        copy_##SUFFIX (x + c * area, 2, y + c * next, n);                                \
    else                                                                                 \
      for (int64_t c = 0; c < channels; c++)                                             \
        copy_##SUFFIX (x + c * area, step, y + c * next, n);                             \
  }                                                                                      \
  KT_VECTOR static void gather_##SUFFIX (const kt_gather *g, const kt_gather_block *b,   \
                                         void *out)                                      \
  {                                                                                      \
    const int64_t width = g->count[g->n - 1], cells = b->end_cell - b->first_cell;       \
    const int64_t step = g->step[g->n - 1], end = b->first + b->cols;                    \
    A *panel = out;                                                                      \
                                                                                         \
    for (int64_t t = b->first; t < end; t += b->pitch)                                   \
      {                                                                                  \
        const int64_t stop = t + b->pitch < end ? t + b->pitch : end;                    \
        for (int64_t k = 0; k < cells; k++)                                              \
          {                                                                              \
            const int64_t *const offset = g->offset + (b->first_cell + k) * g->n;        \
            int64_t outer = t / width, at = t - outer * width;                           \
            for (int64_t i = t, len; i < stop; i += len, outer++, at = 0)                \
              {                                                                          \
                len         = width - at < stop - i ? width - at : stop - i;             \
                const Run r = run_at (g, offset, outer, at, len);                        \
                channels_##SUFFIX (&r, b->x, g->area, step, b->channels,                 \
                                   panel + k * b->pitch + (i - t), cells * b->pitch);    \
              }                                                                          \
          }                                                                              \
        panel += b->channels * cells * b->pitch;                                         \
      }                                                                                  \
  }

#define PLAIN_COPY(SUFFIX, x, y, n) plain_copy_##SUFFIX (x, y, n)
#define LOOP_COPY(SUFFIX, x, y, n) copy_##SUFFIX (x, 1, y, n)

GATHER (f32, float, float, ITSELF, PLAIN_COPY)
GATHER (f64, double, double, ITSELF, PLAIN_COPY)
GATHER (f16, uint16_t, float, kt_f16_to_f32, LOOP_COPY)
GATHER (bf16, uint16_t, float, kt_bf16_to_f32, LOOP_COPY)

kt_gather_fn *
kt_gather_for (int32_t dtype)
{
  return dtype == KT_F32   ? gather_f32
         : dtype == KT_F64 ? gather_f64
         : dtype == KT_F16 ? gather_f16
                           : gather_bf16;
}

/* -- micro-kernels where the processor has none of gemm-tiles.h ----------------------------- */

#define MOST_ROWS 4
#define WIDTH 8

#define PLAIN(SUFFIX, T)                                                                 \
  KT_INLINE void plain_##SUFFIX (const kt_tile *t, const int rows)                       \
  {                                                                                      \
    T sums[MOST_ROWS][WIDTH] = { { 0 } };                                                \
    const T *const a = t->a, *const c = t->c;                                            \
    const int cols = (int) t->cols;                                                      \
    T row[WIDTH]   = { 0 };                                                              \
                                                                                         \
    for (int64_t p = 0; p < t->k; p++)                                                   \
      {                                                                                  \
        const T *const b = (const T *) t->b + p * t->b_row;                              \
        for (int j = 0; j < cols; j++)                                                   \
          row[j] = b[j];                                                                 \
        for (int i = 0; i < rows; i++)                                                   \
          for (int j = 0; j < WIDTH; j++)                                                \
            sums[i][j] += a[i * t->a_row + p * t->a_col] * row[j];                       \
      }                                                                                  \
    for (int i = 0; i < rows; i++)                                                       \
      for (int j = 0; j < cols; j++)                                                     \
        ((T *) t->y)[i * t->y_row + j]                                                   \
            = (T) t->alpha * sums[i][j] + (c ? (T) t->beta * c[i * t->c_row + j] : 0);   \
  }                                                                                      \
  static void plain_1_##SUFFIX (const kt_tile *t) { plain_##SUFFIX (t, 1); }             \
  static void plain_2_##SUFFIX (const kt_tile *t) { plain_##SUFFIX (t, 2); }             \
  static void plain_3_##SUFFIX (const kt_tile *t) { plain_##SUFFIX (t, 3); }             \
  static void plain_4_##SUFFIX (const kt_tile *t) { plain_##SUFFIX (t, 4); }             \
  static void turn_##SUFFIX (const void *b_data, int64_t b_col, void *out_data,          \
                             int64_t pitch, int64_t cols, int64_t depth)                 \
  {                                                                                      \
    const T *const b = b_data;                                                           \
    T *const out     = out_data;                                                         \
                                                                                         \
    for (int64_t j = 0; j < pitch; j++)                                                  \
      for (int64_t p = 0; p < depth; p++)                                                \
        out[p * pitch + j] = j < cols ? b[j * b_col + p] : 0;                            \
  }                                                                                      \
  static const kt_tiles tiles_##SUFFIX = { .name    = "plain",                           \
                                           .size    = sizeof (T),                        \
                                           .width   = WIDTH,                             \
                                           .rows    = MOST_ROWS,                         \
                                           .vectors = { 0, 1, 1, 1, 1 },                 \
                                           .tile    = { { plain_1_##SUFFIX },            \
                                                        { plain_2_##SUFFIX },            \
                                                        { plain_3_##SUFFIX },            \
                                                        { plain_4_##SUFFIX } },          \
                                           .turn    = turn_##SUFFIX };

PLAIN (f32, float)
PLAIN (f64, double)

const kt_tiles *
kt_conv_tiles (int32_t dtype)
{
  const kt_tiles *const best = kt_tiles_for (dtype);

  return best ? best : dtype == KT_F64 ? &tiles_f64 : &tiles_f32;
}
