/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-weights.c: the weights' gradient as a product of gathered elements with dY, turned. A
 * piece is a block of dW and goes through all images: nothing is left to be added up, and the
 * bits do not depend on the number of threads.
 */
#include "conv-weights.h"
#include "conv-depthwise.h"
#include "conv-gather.h"
#include "half.h"
#include "sum.h"
#include <stdatomic.h>

#define ROWS 288      /* of dW, turned: channels and cells of a piece */
#define COLS 128      /* of it: channels of dY */
#define PLACES 240    /* that are gathered at a time */
#define FORK 2e6      /* additions and products that are worth a hand-over */
#define MOST_PIECES 8 /* that blocks are made smaller for */

typedef struct
{
  kt_conv conv;
  const kt_tiles *tiles;
  kt_gather_fn *gather;
  kt_gather windows;
  bool half;
  int64_t size, element, cells, large, small; /* bytes; of the kernel and of the sides */
  int64_t channels, block_cells, cols, panel, pitch; /* of a piece */
  int64_t channel_blocks, cell_blocks, col_blocks, pieces, grain;
  int64_t turned_at, sums_at, wide_at; /* in a worker's scratch memory */
} State;

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

static kt_status
plan_windows (const kt_host *host, kt_prep *prep, State *s)
{
  const kt_window *const w = &s->conv.w;
  kt_gather *const g       = &s->windows;
  void *p;

  *g = (kt_gather){ .n = w->n, .area = s->large, .places = s->small, .cells = s->cells };
  KT_TRY (host->keep (prep, (size_t) (s->cells * w->n) * sizeof (int64_t), &p));
  g->offset = p;
  for (int32_t d = 0; d < w->n; d++)
    {
      g->size[d]  = w->large[d];
      g->step[d]  = w->stride[d];
      g->count[d] = w->small[d];
    }
  for (int64_t k = 0; k < s->cells; k++)
    for (int64_t d = w->n - 1, rest = k; d >= 0; d--)
      {
        ((int64_t *) p)[k * w->n + d]
            = rest % w->kernel[d] * w->dilation[d] - w->begin[d];
        rest /= w->kernel[d];
      }
  return KT_OK;
}

static void
choose_blocks (State *s)
{
  const kt_conv *const c = &s->conv;
  const double work      = 2.0 * (double) c->batch * (double) s->small * (double) c->m
                      * (double) c->c * (double) s->cells;
  const int64_t width = s->tiles->width;
  /* Turning dY costs three times as much as gathering, unless that is done in steps. */
  const int64_t turning = c->w.stride[c->w.n - 1] == 1 ? 3 : 0;
  int64_t rows          = least (ROWS, c->c * s->cells);
  int64_t cols          = least (COLS, c->m);

  for (;;)
    {
      s->block_cells    = s->cells <= rows + rows / 2 ? s->cells : rows;
      s->channels       = s->cells < rows ? rows / s->cells : 1;
      s->channel_blocks = parts_of (c->c, s->channels);
      s->channels       = parts_of (c->c, s->channel_blocks);
      s->cell_blocks    = parts_of (s->cells, s->block_cells);
      s->col_blocks     = parts_of (c->m, cols);
      s->cols           = parts_of (c->m, s->col_blocks);
      s->pieces         = c->group * s->channel_blocks * s->cell_blocks * s->col_blocks;
      if (s->pieces >= MOST_PIECES
          || (double) s->pieces * FORK > (double) c->group * work)
        break;
      if (rows > 4 * s->tiles->rows && (rows > turning * cols || cols <= 2 * width))
        rows /= 2;
      else if (cols > 2 * width || (cols > width && s->pieces == 1))
        cols /= 2;
      else
        break;
    }

  const int64_t most = least (s->tiles->rows, s->channels * s->block_cells);
  s->panel           = s->tiles->vectors[most] * width;
  s->pitch           = parts_of (s->cols, s->panel) * s->panel;

  const double piece = (double) c->group * work / (double) s->pieces;
  s->grain           = piece < FORK ? (int64_t) (FORK / (piece + 1)) : 1;
}

kt_status
kt_conv_weights_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c,
                         void **state)
{
  State *s;

  if (kt_conv_is_depthwise (c))
    return kt_depthwise_prepare (host, prep, c, state);
  KT_TRY (host->keep (prep, sizeof *s, state));
  s          = *state;
  s->conv    = *c;
  s->half    = c->dtype == KT_F16 || c->dtype == KT_BF16;
  s->tiles   = kt_conv_tiles (s->half ? KT_F32 : c->dtype);
  s->gather  = kt_gather_for (c->dtype);
  s->size    = s->tiles->size;
  s->element = (int64_t) kt_size_of (c->dtype);
  s->cells   = kt_count (c->w.kernel, c->w.n);
  s->large   = kt_count (c->w.large, c->w.n);
  s->small   = kt_count (c->w.small, c->w.n);
  if (c->c == 0 || c->m == 0)
    return KT_OK;
  KT_TRY (plan_windows (host, prep, s));
  choose_blocks (s);

  const int64_t rows = s->channels * s->block_cells;
  s->turned_at       = (rows * (PLACES + 16) * s->size + 63) / 64 * 64;
  s->sums_at         = s->turned_at + s->pitch * PLACES * s->size;
  s->wide_at         = s->sums_at + rows * s->pitch * s->size;
  return host->want_workspace (
      prep, (size_t) (s->wide_at + (s->half ? s->cols * PLACES * s->size : 0)), 1);
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const State *s;
  _Atomic kt_status status; /* of what follows */
} Job;

/* A block of dW: channels of x and cells, channels of dy. */
typedef struct
{
  int64_t group, channel, channels, cell, cells, col, cols;
} Block;

/* dY of places FIRST .. FIRST + N - 1 in panels of columns. */
static void
turn (const State *s, const Block *b, const char *dy, int64_t first, int64_t n,
      char *scratch)
{
  const char *from = dy + first * s->element;
  int64_t row      = s->small;

  if (s->half)
    {
      float *const wide = (float *) (void *) (scratch + s->wide_at);
      for (int64_t j = 0; j < b->cols; j++)
        kt_widen (s->conv.dtype, (const uint16_t *) (const void *) from + j * row,
                  wide + j * PLACES, n);
      from = scratch + s->wide_at;
      row  = PLACES;
    }
  for (int64_t j = 0; j < b->cols; j += s->panel)
    s->tiles->turn (from + j * row * s->size, row,
                    scratch + s->turned_at + j * PLACES * s->size, s->panel,
                    least (s->panel, b->cols - j), n);
}

static void
add_places (const State *s, const Block *b, int64_t n, char *scratch, bool again)
{
  const kt_tiles *const tiles = s->tiles;
  const int64_t rows = b->channels * b->cells, row_tiles = parts_of (rows, tiles->rows);
  kt_tile t = { .k     = n,
                .a_row = PLACES + 16,
                .a_col = 1,
                .b_row = s->panel,
                .y_row = s->pitch,
                .c_row = s->pitch,
                .alpha = 1,
                .beta  = 1 };

  for (int64_t j = 0; j < b->cols; j += s->panel)
    {
      t.cols               = least (s->panel, b->cols - j);
      t.b                  = scratch + s->turned_at + j * PLACES * s->size;
      const int64_t vector = parts_of (t.cols, tiles->width);
      for (int64_t i = 0, r = 0, of; i < row_tiles; i++, r += of)
        {
          of  = rows / row_tiles + (i < rows % row_tiles);
          t.a = scratch + r * t.a_row * s->size;
          t.y = scratch + s->sums_at + (r * s->pitch + j) * s->size;
          t.c = again ? t.y : NULL;
          tiles->tile[of - 1][vector - 1](&t);
        }
    }
}

/* N sums, a row of them apart. */
static void
store_row (const State *s, const char *sums, int64_t n, char *to)
{
  const float *const x = (const float *) (const void *) sums;

  if (s->half)
    for (int64_t r = 0; r < n; r++)
      kt_narrow (s->conv.dtype, x + r * s->pitch, (uint16_t *) (void *) to + r, 1);
  else if (s->size == 4)
    for (int64_t r = 0; r < n; r++)
      ((float *) (void *) to)[r] = x[r * s->pitch];
  else
    for (int64_t r = 0; r < n; r++)
      ((double *) (void *) to)[r] = ((const double *) (const void *) sums)[r * s->pitch];
}

/* The sums of a block to dW, whose rows are the channels of dY. */
static kt_status
store (Job *job, const Block *b, const char *scratch, bool none, int32_t worker)
{
  const State *const s   = job->s;
  const int64_t rows     = b->channels * b->cells;
  const char *const sums = scratch + s->sums_at;

  for (int64_t j = 0; j < b->cols; j++)
    {
      const int64_t first
          = ((b->group * s->conv.m + b->col + j) * s->conv.c + b->channel) * s->cells
            + b->cell;
      char *const to = (char *) job->run->out[0].data + first * s->element;
      if (none)
        memset (to, 0, (size_t) (rows * s->element));
      else
        store_row (s, sums + j * s->size, rows, to);
      KT_TRY (job->host->epilogue (job->run, first, first + rows, worker));
    }
  return KT_OK;
}

static Block
block_of (const State *s, int64_t i)
{
  Block b;

  b.col = i % s->col_blocks * s->cols;
  i /= s->col_blocks;
  b.cell = i % s->cell_blocks * s->block_cells;
  i /= s->cell_blocks;
  b.channel  = i % s->channel_blocks * s->channels;
  b.group    = i / s->channel_blocks;
  b.cols     = least (s->cols, s->conv.m - b.col);
  b.cells    = least (s->block_cells, s->cells - b.cell);
  b.channels = least (s->channels, s->conv.c - b.channel);
  return b;
}

static void
compute_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Job *const job         = arg;
  const State *const s   = job->s;
  const kt_conv *const c = &s->conv;
  char *const scratch    = job->host->workspace (job->run, worker, NULL);

  for (int64_t i = begin; i < end; i++)
    {
      const Block b = block_of (s, i);
      bool again    = false;
      if (b.cols <= 0 || b.channels <= 0)
        continue;
      for (int64_t image = 0; image < c->batch; image++)
        {
          const int64_t plane = image * c->group + b.group;
          const char *const x = (const char *) job->run->in[0].data
                                + (plane * c->c + b.channel) * s->large * s->element;
          const char *const dy = (const char *) job->run->in[1].data
                                 + (plane * c->m + b.col) * s->small * s->element;
          for (int64_t t = 0, n; t < s->small; t += n)
            {
              n = least (s->small - t, PLACES);
              s->gather (&s->windows,
                         &(kt_gather_block){ x, b.channels, b.cell, b.cell + b.cells, t,
                                             n, PLACES + 16 },
                         scratch);
              turn (s, &b, dy, t, n, scratch);
              add_places (s, &b, n, scratch, again);
              again = true;
            }
        }
      const kt_status status = store (job, &b, scratch, !again, worker);
      if (status != KT_OK)
        atomic_store (&job->status, status);
    }
}

/* Channels BEGIN .. END - 1 of dB: sums of rows in the order of sum.h, joined in double. */
static void
add_channels (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Job *const job   = arg;
  const State *const s   = job->s;
  const int64_t channels = s->conv.group * s->conv.m;

  (void) worker;
  for (int64_t m = begin; m < end; m++)
    {
      double sum = 0;
      for (int64_t i = 0; i < s->conv.batch; i++)
        {
          const char *const row = (const char *) job->run->in[1].data
                                  + (i * channels + m) * s->small * s->element;
          float wide[512];
          for (int64_t t = 0, n; s->half && t < s->small; t += n)
            {
              n = least (s->small - t, 512);
              kt_widen (s->conv.dtype, (const uint16_t *) (const void *) row + t, wide,
                        n);
              sum += (double) kt_sum_f32 (wide, n);
            }
          if (s->conv.dtype == KT_F32)
            sum += (double) kt_sum_f32 ((const float *) (const void *) row, s->small);
          else if (s->conv.dtype == KT_F64)
            sum += kt_sum_f64 ((const double *) (const void *) row, s->small);
        }
      void *const to     = (char *) job->run->out[1].data + m * s->element;
      const float narrow = (float) sum;
      if (s->conv.dtype == KT_F64)
        memcpy (to, &sum, sizeof sum);
      else if (s->conv.dtype == KT_F32)
        memcpy (to, &narrow, sizeof narrow);
      else
        kt_narrow (s->conv.dtype, &narrow, to, 1);
    }
}

kt_status
kt_conv_weights_run (const kt_host *host, kt_run *run, void *state)
{
  const State *const s = state;

  if (kt_conv_is_depthwise (state)) /* whose state begins with the kt_conv, too */
    return kt_depthwise_run (host, run, state);

  const int64_t channels = s->conv.group * s->conv.m;
  const int64_t each     = s->conv.batch * s->small;
  const int64_t grain    = each < 65536 ? 65536 / (each + 1) + 1 : 1;
  Job job                = { .host = host, .run = run, .s = s };

  if (s->pieces > s->grain)
    KT_TRY (host->parallel_for (run, s->pieces, s->grain, compute_pieces, &job));
  else
    compute_pieces (&job, 0, s->pieces, 0);
  KT_TRY (atomic_load (&job.status));
  if (run->n_out < 2 || !run->out[1].device_type)
    return KT_OK;
  if (channels > grain)
    return host->parallel_for (run, channels, grain, add_channels, &job);
  add_channels (&job, 0, channels, 0);
  return KT_OK;
}
