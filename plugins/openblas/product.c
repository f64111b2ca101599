/* SPDX-License-Identifier: Apache-2.0
 *
 * product.c: tiles of matrix products, and the CBLAS call of each.
 */
#include "product.h"
#include <cblas.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

/* Additions and products: below, one tile; above, a tile has at least so many... */
#define SMALL 4e6
/* ... and at most about so many: a millisecond, after which a run can be stopped. */
#define LARGE 64e6
#define MOST_TILES 8 /* unless they would be too large */

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const Product *p;
  _Atomic kt_status status;
} Work;

kt_status
fail (const kt_host *host, const void *ctx, kt_status code, const char *text)
{
  return host->fail (ctx, code, text, strlen (text));
}

static int64_t
round_up (int64_t n, int64_t unit)
{
  return (n + unit - 1) / unit * unit;
}

/* Cuts (m,n) into about COUNT tiles. Each tile packs its rows of A and columns of B, so
 * R x C tiles pack C times A and R times B: the grid that packs least is taken. */
static void
choose_tiles (Product *p, int64_t count)
{
  double least = 0;

  p->tile_rows = p->m;
  p->tile_cols = p->n;
  for (int64_t r = 1; r <= count; r++)
    {
      const int64_t c    = (count + r - 1) / r;
      const int64_t rows = round_up ((p->m + r - 1) / r, 16);
      const int64_t cols = round_up ((p->n + c - 1) / c, 32);
      const double cost  = (double) c * (double) p->m + (double) r * (double) p->n;
      if ((r > 1 && rows * (r - 1) >= p->m) || (c > 1 && cols * (c - 1) >= p->n))
        continue; /* the rounding left a row or column of the grid without work */
      if (least == 0 || cost < least)
        {
          least        = cost;
          p->tile_rows = rows < p->m ? rows : p->m;
          p->tile_cols = cols < p->n ? cols : p->n;
        }
    }
}

kt_status
product_prepare (const kt_host *host, kt_prep *prep, Product *p)
{
  const double work = 2.0 * (double) p->m * (double) p->n * (double) p->k;
  double count      = work / SMALL < MOST_TILES ? work / SMALL : MOST_TILES;
  int64_t batch     = 1;

  if (p->m > INT_MAX || p->n > INT_MAX || p->k > INT_MAX || p->lda > INT_MAX
      || p->ldb > INT_MAX)
    return fail (host, prep, KT_E_UNSUPPORTED, "a dim is beyond CBLAS's int");
  if (!buffer_take ())
    return fail (host, prep, KT_E_UNSUPPORTED, "no memory for the buffers of OpenBLAS");
  buffer_give ();

  count = work / LARGE > count ? work / LARGE : count;
  choose_tiles (p, count > 1 ? (count < 4096 ? (int64_t) count : 4096) : 1);
  for (int32_t d = 0; d < p->n_dims; d++)
    batch *= p->dims[d];
  p->row_tiles = p->m ? (p->m + p->tile_rows - 1) / p->tile_rows : 0;
  p->col_tiles = p->n ? (p->n + p->tile_cols - 1) / p->tile_cols : 0;
  p->n_items   = batch * p->row_tiles * p->col_tiles;
  p->grain     = p->n_items
                     ? (int64_t) (SMALL / (work * (double) batch / (double) p->n_items + 1))
                     : 0;
  p->grain     = p->grain < 1 ? 1 : p->grain;
  return KT_OK;
}

/* y = beta C, or 0, for a tile. */
#define START(SUFFIX, T)                                                                 \
  static void start_##SUFFIX (const Product *p, const T *c, T *y, int64_t rows,          \
                              int64_t cols)                                              \
  {                                                                                      \
    const T beta = (T) p->beta;                                                          \
                                                                                         \
    for (int64_t i = 0; i < rows; i++)                                                   \
      {                                                                                  \
        const T *const from = c ? c + i * p->c_row : NULL;                               \
        T *const to         = y + i * p->n;                                              \
        if (!c)                                                                          \
          memset (to, 0, (size_t) cols * sizeof (T));                                    \
        else if (p->c_col == 1 && beta == 1)                                             \
          memcpy (to, from, (size_t) cols * sizeof (T));                                 \
        else                                                                             \
          for (int64_t j = 0; j < cols; j++)                                             \
            to[j] = beta * from[j * p->c_col];                                           \
      }                                                                                  \
  }

/* One tile. A product with one row or one column is a matrix times a vector; these add to y,
 * which is started with zeros: multiplying what lies there by 0 would keep a NaN. */
#define TILE(SUFFIX, T, LETTER)                                                          \
  static void tile_##SUFFIX (const Product *p, const T *a, const T *b, const T *c, T *y, \
                             int64_t rows, int64_t cols)                                 \
  {                                                                                      \
    const bool vector = p->m == 1 || p->n == 1;                                          \
                                                                                         \
    if (c || vector || p->k == 0)                                                        \
      start_##SUFFIX (p, c, y, rows, cols);                                              \
    if (p->k == 0)                                                                       \
      return;                                                                            \
    if (p->m == 1)                                                                       \
      cblas_##LETTER##gemv (CblasRowMajor, p->turn_b ? CblasNoTrans : CblasTrans,        \
                            (blasint) (p->turn_b ? cols : p->k),                         \
                            (blasint) (p->turn_b ? p->k : cols), (T) p->alpha, b,        \
                            (blasint) p->ldb, a, 1, 1, y, 1);                            \
    else if (p->n == 1)                                                                  \
      cblas_##LETTER##gemv (CblasRowMajor, p->turn_a ? CblasTrans : CblasNoTrans,        \
                            (blasint) (p->turn_a ? p->k : rows),                         \
                            (blasint) (p->turn_a ? rows : p->k), (T) p->alpha, a,        \
                            (blasint) p->lda, b, 1, 1, y, 1);                            \
    else                                                                                 \
      cblas_##LETTER##gemm (CblasRowMajor, p->turn_a ? CblasTrans : CblasNoTrans,        \
                            p->turn_b ? CblasTrans : CblasNoTrans, (blasint) rows,       \
                            (blasint) cols, (blasint) p->k, (T) p->alpha, a,             \
                            (blasint) p->lda, b, (blasint) p->ldb, c ? 1 : 0, y,         \
                            (blasint) p->n);                                             \
  }

START (f32, float)
START (f64, double)
TILE (f32, float, s)
TILE (f64, double, d)

/* Where batch entry BATCH begins in an operand with the steps STEP. */
static int64_t
batch_offset (const Product *p, const int64_t *step, int64_t batch)
{
  int64_t offset = 0;

  for (int32_t d = p->n_dims - 1; d > 0; d--)
    {
      offset += batch % p->dims[d] * step[d];
      batch /= p->dims[d];
    }
  return p->n_dims ? offset + batch * step[0] : 0;
}

/* Has what follows the product done with the elements of a tile that is finished. */
static kt_status
report (const Work *work, int64_t first, int64_t rows, int64_t cols, int32_t worker)
{
  const int64_t n = work->p->n;

  if (!KT_HAS (kt_host, work->host, epilogue))
    return KT_OK;
  if (cols == n)
    return work->host->epilogue (work->run, first, first + rows * n, worker);
  for (int64_t i = 0; i < rows; i++)
    {
      const kt_status status
          = work->host->epilogue (work->run, first + i * n, first + i * n + cols, worker);
      if (status != KT_OK)
        return status;
    }
  return KT_OK;
}

static kt_status
compute_item (const Work *work, int64_t item, int32_t worker)
{
  const Product *const p  = work->p;
  const kt_run *const run = work->run;
  const int64_t tiles     = p->row_tiles * p->col_tiles;
  const int64_t batch     = tiles == 1 ? item : item / tiles;
  const int64_t i         = tiles == 1 ? 0 : item % tiles / p->col_tiles * p->tile_rows;
  const int64_t j         = tiles == 1 ? 0 : item % p->col_tiles * p->tile_cols;
  const int64_t rows      = p->m - i < p->tile_rows ? p->m - i : p->tile_rows;
  const int64_t cols      = p->n - j < p->tile_cols ? p->n - j : p->tile_cols;
  const int64_t a = batch_offset (p, p->a_step, batch) + (p->turn_a ? i : i * p->lda);
  const int64_t b = batch_offset (p, p->b_step, batch) + (p->turn_b ? j * p->ldb : j);
  const int64_t c = i * p->c_row + j * p->c_col, y = (batch * p->m + i) * p->n + j;
  const void *const addend = p->has_c ? run->in[2].data : NULL;

  if (p->wide)
    tile_f64 (p, (const double *) run->in[0].data + a,
              (const double *) run->in[1].data + b,
              addend ? (const double *) addend + c : NULL,
              (double *) run->out[0].data + y, rows, cols);
  else
    tile_f32 (p, (const float *) run->in[0].data + a, (const float *) run->in[1].data + b,
              addend ? (const float *) addend + c : NULL, (float *) run->out[0].data + y,
              rows, cols);
  return report (work, y, rows, cols, worker);
}

static void
compute_items (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Work *const work = arg;

  if (!buffer_take ())
    {
      work->status = KT_E_NOMEM;
      return;
    }
  for (int64_t item = begin; item < end; item++)
    {
      const kt_status status = compute_item (work, item, worker);
      if (status != KT_OK)
        work->status = status;
    }
  buffer_give ();
}

kt_status
product_run (const kt_host *host, kt_run *run, void *state)
{
  const Product *const p = state;
  Work work              = { host, run, p, KT_OK };

  if (p->n_items <= p->grain)
    compute_items (&work, 0, p->n_items, 0);
  else
    {
      const kt_status status
          = host->parallel_for (run, p->n_items, p->grain, compute_items, &work);
      if (status != KT_OK)
        return status;
    }
  return work.status == KT_E_NOMEM
             ? fail (host, run, work.status, "no memory for the buffers of OpenBLAS")
             : work.status;
}
