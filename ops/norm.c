/* SPDX-License-Identifier: Apache-2.0
 *
 * norm.c: what norm.h declares, for kernels: the walk over channels, moments and maps.
 */
#include "norm.h"
#include "elementwise.h"
#include "half.h"

#define BLOCK 4096  /* elements */
#define WIDE 32     /* partial sums of rows */
#define NARROW 8    /* partial sums of what is left of a row */
#define PIECE 32768 /* elements that a thread takes at a time */

void
kt_norm_init (kt_norm *s, int32_t dtype, int64_t rows, int64_t channels, int64_t inner)
{
  const int64_t unit    = inner == 1 ? KT_NORM_COLUMNS : 1;
  const int64_t each    = rows > 0 && channels > 0 && inner > 0 ? rows * inner : 1;
  const int64_t several = PIECE / each / unit;

  *s = (kt_norm){ dtype, rows, channels, inner, (several > 0 ? several : 1) * unit };
}

void
kt_norm_of_type (kt_norm *s, const kt_type *t)
{
  if (t->ndim < 2)
    kt_norm_init (s, t->dtype, 1, 1, kt_count (t->dims, t->ndim));
  else
    kt_norm_init (s, t->dtype, t->dims[0], t->dims[1],
                  kt_count (t->dims + 2, t->ndim - 2));
}

double
kt_norm_get (int32_t dtype, const void *data, int64_t i)
{
  switch (dtype)
    {
    case KT_F64:
      return ((const double *) data)[i];
    case KT_F16:
      return (double) kt_f16_to_f32 (((const uint16_t *) data)[i]);
    case KT_BF16:
      return (double) kt_bf16_to_f32 (((const uint16_t *) data)[i]);
    default:
      return (double) ((const float *) data)[i];
    }
}

void
kt_norm_set (int32_t dtype, void *data, int64_t i, double v)
{
  switch (dtype)
    {
    case KT_F64:
      ((double *) data)[i] = v;
      break;
    case KT_F16:
      ((uint16_t *) data)[i] = kt_f64_to_f16 (v);
      break;
    case KT_BF16:
      ((uint16_t *) data)[i] = kt_f64_to_bf16 (v);
      break;
    default:
      ((float *) data)[i] = (float) v;
    }
}

/* Walk over channels -------------------------------------------------------------------- */

typedef struct
{
  const kt_norm *s;
  kt_norm_work *work;
  void *job;
} Walk;

static void
walk_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Walk *walk   = arg;
  const int64_t step = walk->s->inner == 1 ? KT_NORM_COLUMNS : 1;

  (void) worker;
  for (int64_t c = begin; c < end; c += step)
    walk->work (walk->job, c, end - c < step ? end - c : step);
}

kt_status
kt_norm_run (const kt_host *host, kt_run *run, const kt_norm *s, kt_norm_work *work,
             void *job)
{
  Walk walk = { s, work, job };

  if (s->channels > s->grain)
    return host->parallel_for (run, s->channels, s->grain, walk_piece, &walk);
  walk_piece (&walk, 0, s->channels, 0);
  return KT_OK;
}

/* Sums over a tile: ROWS rows of N elements, STEP apart -------------------------------------- */

typedef enum
{
  SUM_X, /* of x */
  SUM_D, /* of d = x - m, and of d^2 */
  SUM_DY /* of dy, and of dy d */
} Which;

/* MEAN was rounded: the deviations from it have the sum P, not 0. */
static void
centre (kt_moments *tile, double p)
{
  const double r = p / tile->n, m2 = tile->m2 - p * r;

  tile->m2 = m2 < 0 ? 0 : m2;
  tile->mean += r;
  tile->dot -= r * tile->sum;
}

/* What an element adds to two sums. WHICH is a constant where this is inlined. */
#define ADD(P, Q, AT)                                                                    \
  {                                                                                      \
    if (which == SUM_X)                                                                  \
      P += x[AT];                                                                        \
    else if (which == SUM_D)                                                             \
      {                                                                                  \
        P += x[AT] - m;                                                                  \
        Q += (x[AT] - m) * (x[AT] - m);                                                  \
      }                                                                                  \
    else                                                                                 \
      {                                                                                  \
        P += dy[AT];                                                                     \
        Q += dy[AT] * (x[AT] - m);                                                       \
      }                                                                                  \
  }

#define JOIN(TOTAL, LANE, N)                                                             \
  for (int half = (N) / 2; half > 0; half /= 2)                                          \
    for (int l = 0; l < half; l++)                                                       \
      LANE[l] += LANE[l + half];                                                         \
  TOTAL += LANE[0];

/* rows: all of the tile belongs to one channel. columns: each of N <= KT_NORM_COLUMNS columns
 * belongs to one. */
#define SUMS(SUFFIX, T)                                                                  \
  KT_INLINE void rows_##SUFFIX (Which which, const T *x, const T *dy, int64_t step,      \
                                int64_t rows, int64_t n, T m, T out[2])                  \
  {                                                                                      \
    T wide_p[WIDE] = { 0 }, wide_q[WIDE] = { 0 }, p = 0, q = 0;                          \
    T narrow_p[NARROW] = { 0 }, narrow_q[NARROW] = { 0 };                                \
                                                                                         \
    for (int64_t r = 0; r < rows; r++, x += step, dy += step)                            \
      {                                                                                  \
        int64_t i = 0;                                                                   \
        for (; i + WIDE <= n; i += WIDE)                                                 \
          for (int l = 0; l < WIDE; l++)                                                 \
            ADD (wide_p[l], wide_q[l], i + l)                                            \
        for (; i + NARROW <= n; i += NARROW)                                             \
          for (int l = 0; l < NARROW; l++)                                               \
            ADD (narrow_p[l], narrow_q[l], i + l)                                        \
        for (; i < n; i++)                                                               \
          ADD (p, q, i)                                                                  \
      }                                                                                  \
    JOIN (p, narrow_p, NARROW)                                                           \
    JOIN (p, wide_p, WIDE)                                                               \
    JOIN (q, narrow_q, NARROW)                                                           \
    JOIN (q, wide_q, WIDE)                                                               \
    out[0] = p;                                                                          \
    out[1] = q;                                                                          \
  }                                                                                      \
  KT_VECTOR static void rows_x_##SUFFIX (const T *x, int64_t step, int64_t rows,         \
                                         int64_t n, T out[2])                            \
  {                                                                                      \
    rows_##SUFFIX (SUM_X, x, x, step, rows, n, 0, out);                                  \
  }                                                                                      \
  KT_VECTOR static void rows_d_##SUFFIX (const T *x, int64_t step, int64_t rows,         \
                                         int64_t n, T m, T out[2])                       \
  {                                                                                      \
    rows_##SUFFIX (SUM_D, x, x, step, rows, n, m, out);                                  \
  }                                                                                      \
  KT_VECTOR static void rows_dy_##SUFFIX (const T *x, const T *dy, int64_t step,         \
                                          int64_t rows, int64_t n, T m, T out[2])        \
  {                                                                                      \
    rows_##SUFFIX (SUM_DY, x, dy, step, rows, n, m, out);                                \
  }                                                                                      \
  KT_VECTOR static void columns_##SUFFIX (const T *x, const T *dy, int64_t step,         \
                                          int64_t rows, int64_t n, kt_moments *out)      \
  {                                                                                      \
    T m[KT_NORM_COLUMNS] = { 0 }, p[KT_NORM_COLUMNS] = { 0 };                            \
    T q[KT_NORM_COLUMNS] = { 0 }, sum[KT_NORM_COLUMNS] = { 0 };                          \
    T dot[KT_NORM_COLUMNS] = { 0 };                                                      \
                                                                                         \
    for (int64_t r = 0; r < rows; r++)                                                   \
      for (int64_t j = 0; j < n; j++)                                                    \
        m[j] += x[r * step + j];                                                         \
    for (int64_t j = 0; j < n; j++)                                                      \
      m[j] /= (T) rows;                                                                  \
    for (int64_t r = 0; r < rows; r++)                                                   \
      for (int64_t j = 0; j < n; j++)                                                    \
        {                                                                                \
          const T d = x[r * step + j] - m[j];                                            \
          p[j] += d;                                                                     \
          q[j] += d * d;                                                                 \
        }                                                                                \
    for (int64_t r = 0; dy && r < rows; r++)                                             \
      for (int64_t j = 0; j < n; j++)                                                    \
        {                                                                                \
          sum[j] += dy[r * step + j];                                                    \
          dot[j] += dy[r * step + j] * (x[r * step + j] - m[j]);                         \
        }                                                                                \
    for (int64_t j = 0; j < n; j++)                                                      \
      out[j] = (kt_moments){ (double) rows, (double) m[j], (double) q[j],                \
                             (double) sum[j], (double) dot[j] },                         \
      centre (&out[j], (double) p[j]);                                                   \
  }                                                                                      \
  /* Maps: y = (x - m) a + b (+ dy c). y may be x or dy. */                              \
  KT_VECTOR static void map_rows_##SUFFIX (const T *x, const T *dy, T *y, int64_t n,     \
                                           const kt_norm_line *line)                     \
  {                                                                                      \
    const T m = (T) line->m, a = (T) line->a, b = (T) line->b, c = (T) line->c;          \
                                                                                         \
    if (dy)                                                                              \
      KT_LOOP for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a + b + dy[i] * c;     \
    else                                                                                 \
      KT_LOOP for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) * a + b;                 \
  }                                                                                      \
  KT_VECTOR static void map_columns_##SUFFIX (const T *x, const T *dy, T *y,             \
                                              int64_t step, int64_t rows, int64_t n,     \
                                              const kt_norm_line *line)                  \
  {                                                                                      \
    T m[KT_NORM_COLUMNS], a[KT_NORM_COLUMNS], b[KT_NORM_COLUMNS], c[KT_NORM_COLUMNS];    \
                                                                                         \
    for (int64_t j = 0; j < n; j++)                                                      \
      {                                                                                  \
        m[j] = (T) line[j].m;                                                            \
        a[j] = (T) line[j].a;                                                            \
        b[j] = (T) line[j].b;                                                            \
        c[j] = (T) line[j].c;                                                            \
      }                                                                                  \
    for (int64_t r = 0; r < rows; r++, x += step, y += step)                             \
      if (dy)                                                                            \
        {                                                                                \
          KT_LOOP for (int64_t j = 0; j < n; j++) y[j]                                   \
              = (x[j] - m[j]) * a[j] + b[j] + dy[j] * c[j];                              \
          dy += step;                                                                    \
        }                                                                                \
      else                                                                               \
        KT_LOOP for (int64_t j = 0; j < n; j++) y[j] = (x[j] - m[j]) * a[j] + b[j];      \
  }                                                                                      \
  /* The moments of a tile that belongs to one channel. */                               \
  static kt_moments tile_##SUFFIX (const T *x, const T *dy, int64_t step, int64_t rows,  \
                                   int64_t n)                                            \
  {                                                                                      \
    T mean[2], spread[2], grad[2] = { 0 };                                               \
                                                                                         \
    rows_x_##SUFFIX (x, step, rows, n, mean);                                            \
    const T m = mean[0] / (T) (rows * n);                                                \
    rows_d_##SUFFIX (x, step, rows, n, m, spread);                                       \
    if (dy)                                                                              \
      rows_dy_##SUFFIX (x, dy, step, rows, n, m, grad);                                  \
    kt_moments tile = { (double) (rows * n), (double) m, (double) spread[1],             \
                        (double) grad[0], (double) grad[1] };                            \
    centre (&tile, (double) spread[0]);                                                  \
    return tile;                                                                         \
  }

SUMS (f32, float)
SUMS (f64, double)

/* Adds a tile to what there is. */
static void
join (kt_moments *a, const kt_moments *b)
{
  if (a->n == 0)
    {
      *a = *b;
      return;
    }

  const double n = a->n + b->n, delta = b->mean - a->mean, move = delta * b->n / n;

  a->m2 += b->m2 + delta * move * a->n;
  a->dot += b->dot - move * a->sum + (delta - move) * b->sum;
  a->mean += move;
  a->sum += b->sum;
  a->n = n;
}

/* Blocks -------------------------------------------------------------------------------- */

/* A tile of X or DY in memory, as float where the element type is a half. */
static const void *
tile_of (const kt_norm *s, const void *data, int64_t first, int64_t step, int64_t rows,
         int64_t n, float *buffer)
{
  if (!data || s->dtype == KT_F32)
    return data ? (const float *) data + first : NULL;
  if (s->dtype == KT_F64)
    return (const double *) data + first;
  for (int64_t r = 0; r < rows; r++)
    kt_widen (s->dtype, (const uint16_t *) data + first + r * step, buffer + r * n, n);
  return buffer;
}

/* The tile of ROWS rows of N elements from element FIRST on, for the channels of OUT. */
static void
add_tile (const kt_norm *s, const void *x_data, const void *dy_data, int64_t first,
          int64_t rows, int64_t n, kt_moments *out)
{
  const int64_t step = s->channels * s->inner;
  const bool half    = s->dtype == KT_F16 || s->dtype == KT_BF16;
  const int64_t at   = half ? n : step;
  float buffers[2][BLOCK];
  kt_moments tile[KT_NORM_COLUMNS];
  const void *x  = tile_of (s, x_data, first, step, rows, n, buffers[0]);
  const void *dy = tile_of (s, dy_data, first, step, rows, n, buffers[1]);

  if (s->inner == 1)
    {
      if (s->dtype == KT_F64)
        columns_f64 (x, dy, at, rows, n, tile);
      else
        columns_f32 (x, dy, at, rows, n, tile);
      for (int64_t j = 0; j < n; j++)
        join (&out[j], &tile[j]);
      return;
    }
  tile[0] = s->dtype == KT_F64 ? tile_f64 (x, dy, at, rows, n)
                               : tile_f32 (x, dy, at, rows, n);
  join (out, tile);
}

void
kt_norm_moments (const kt_norm *s, const void *x, const void *dy, int64_t first,
                 int64_t n, kt_moments *out)
{
  const int64_t width   = s->inner == 1 ? n : s->inner;
  const int64_t at_once = BLOCK / (width > BLOCK ? BLOCK : width > 0 ? width : 1);

  memset (out, 0, (size_t) n * sizeof *out);
  for (int64_t r = 0; r < s->rows; r += at_once)
    for (int64_t i = 0; i < width; i += BLOCK)
      add_tile (s, x, dy, (r * s->channels + first) * s->inner + i,
                s->rows - r < at_once ? s->rows - r : at_once,
                width - i < BLOCK ? width - i : BLOCK, out);
  for (int64_t j = 0; j < n; j++)
    if (out[j].n == 0)
      out[j].mean = out[j].m2 = NAN;
}

/* Maps ---------------------------------------------------------------------------------- */

/* One row of a half type, in blocks. */
static void
map_half (const kt_norm *s, const uint16_t *x, const uint16_t *dy, uint16_t *y, int64_t n,
          const kt_norm_line *line)
{
  float a[BLOCK], b[BLOCK];

  for (int64_t i = 0; i < n; i += BLOCK)
    {
      const int64_t m = n - i < BLOCK ? n - i : BLOCK;
      kt_widen (s->dtype, x + i, a, m);
      if (dy)
        kt_widen (s->dtype, dy + i, b, m);
      if (s->inner == 1)
        map_columns_f32 (a, dy ? b : NULL, a, 0, 1, m, line);
      else
        map_rows_f32 (a, dy ? b : NULL, a, m, line);
      kt_narrow (s->dtype, a, y + i, m);
    }
}

void
kt_norm_map (const kt_norm *s, const void *x, const void *dy, void *y, int64_t first,
             int64_t n, const kt_norm_line *line)
{
  const int64_t step = s->channels * s->inner;
  const int64_t size = (int64_t) kt_size_of (s->dtype);

  if (s->inner == 1 && s->dtype == KT_F32)
    {
      const float *g = dy;
      map_columns_f32 ((const float *) x + first, g ? g + first : NULL,
                       (float *) y + first, step, s->rows, n, line);
      return;
    }
  if (s->inner == 1 && s->dtype == KT_F64)
    {
      const double *g = dy;
      map_columns_f64 ((const double *) x + first, g ? g + first : NULL,
                       (double *) y + first, step, s->rows, n, line);
      return;
    }
  for (int64_t r = 0; r < s->rows; r++)
    {
      const int64_t at = (r * step + first * s->inner) * size;
      const char *a    = (const char *) x + at;
      const char *b    = dy ? (const char *) dy + at : NULL;
      char *c          = (char *) y + at;
      if (s->dtype == KT_F32)
        map_rows_f32 ((const void *) a, (const void *) b, (void *) c, s->inner, line);
      else if (s->dtype == KT_F64)
        map_rows_f64 ((const void *) a, (const void *) b, (void *) c, s->inner, line);
      else
        map_half (s, (const void *) a, (const void *) b, (void *) c,
                  s->inner == 1 ? n : s->inner, line);
    }
}
