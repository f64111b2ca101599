/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-engine.c: phases, blocks and pieces of a convolution, and the loop over the pieces.
 * All are fixed by the shapes: the bits do not depend on the number of threads.
 */
#include "conv-engine.h"
#include "conv-depthwise.h"
#include "half.h"
#include <stdatomic.h>

#define DEPTH 288        /* rows of a gathered block */
#define COLS 256         /* its columns */
#define BLOCK_ROWS 112   /* of weights that are used together */
#define SCRATCH_ROWS 128 /* of products that do not go to the output at once */
#define FORK 2e6         /* additions and products that are worth a hand-over */
#define MOST_PIECES 16   /* that rows are cut for */

static int64_t
parts_of (int64_t n, int64_t part)
{
  return (n + part - 1) / part;
}

static int64_t
common_divisor (int64_t a, int64_t b)
{
  while (b)
    {
      const int64_t rest = a % b;
      a                  = b;
      b                  = rest;
    }
  return a;
}

/* Along dim D, cells PERIOD apart look from the same places of the large side, modulo the
 * stride: as many phases as there are cells before they repeat. */
static int64_t
period_of (const kt_window *w, int32_t d, bool back)
{
  return back ? w->stride[d] / common_divisor (w->stride[d], w->dilation[d]) : 1;
}

static int64_t
phases_along (const kt_window *w, int32_t d, bool back)
{
  const int64_t period = period_of (w, d, back);

  return period < w->kernel[d] ? period : w->kernel[d];
}

/* Phase I: its places, its cells and where they look. */
static kt_status
plan_phase (const kt_host *host, kt_prep *prep, const kt_conv_engine *e, int64_t i,
            kt_conv_phase *phase)
{
  const kt_window *const w = &e->conv.w;
  const bool back          = e->conv.out == KT_CONV_LARGE;
  kt_gather *const g       = &phase->gather;
  int64_t first[KT_WINDOW_DIMS], n[KT_WINDOW_DIMS];
  void *cell, *offset;

  *g = (kt_gather){ .n = w->n, .area = e->source_area, .cells = 1 };
  for (int32_t d = w->n - 1; d >= 0; d--)
    {
      const int64_t period = period_of (w, d, back), phases = phases_along (w, d, back);
      const int64_t stride = back ? w->stride[d] : 1;
      const int64_t total  = back ? w->large[d] : w->small[d];
      first[d]             = i % phases;
      i /= phases;
      n[d] = (w->kernel[d] - first[d] + period - 1) / period;

      const int64_t at = (first[d] * w->dilation[d] - w->begin[d]) % stride;
      phase->origin[d] = at < 0 ? at + stride : at;
      g->size[d]       = back ? w->small[d] : w->large[d];
      g->step[d]       = back ? 1 : w->stride[d];
      g->count[d]      = total > phase->origin[d]
                             ? (total - phase->origin[d] + stride - 1) / stride
                             : 0;
      g->cells *= n[d];
    }
  g->places = kt_count (g->count, w->n);
  KT_TRY (host->keep (prep, (size_t) g->cells * sizeof (int64_t), &cell));
  KT_TRY (host->keep (prep, (size_t) (g->cells * w->n) * sizeof (int64_t), &offset));
  phase->cell = cell;
  g->offset   = offset;
  for (int64_t k = 0; k < g->cells; k++)
    {
      int64_t rest = k, step = 1, number = 0;
      for (int32_t d = w->n - 1; d >= 0; d--)
        {
          const int64_t j  = first[d] + rest % n[d] * period_of (w, d, back);
          const int64_t at = j * w->dilation[d] - w->begin[d];
          rest /= n[d];
          number += j * step;
          step *= w->kernel[d];
          ((int64_t *) offset)[k * w->n + d]
              = back ? (phase->origin[d] - at) / w->stride[d] : at;
        }
      ((int64_t *) cell)[k] = number;
    }
  return KT_OK;
}

static kt_status
plan_phases (const kt_host *host, kt_prep *prep, kt_conv_engine *e)
{
  const kt_window *const w = &e->conv.w;
  const bool back          = e->conv.out == KT_CONV_LARGE;
  int64_t most             = 1;
  void *p;

  e->n_phases = 1;
  e->tiled    = true;
  for (int32_t d = 0; d < w->n; d++)
    {
      e->n_phases *= phases_along (w, d, back);
      e->tiled = e->tiled && (!back || w->stride[d] == 1);
      e->gaps  = e->gaps || (back && phases_along (w, d, back) < w->stride[d]);
    }
  KT_TRY (host->keep (prep, (size_t) e->n_phases * sizeof *e->phases, &p));
  e->phases = p;
  for (int64_t i = 0; i < e->n_phases; i++)
    {
      KT_TRY (plan_phase (host, prep, e, i, &e->phases[i]));
      most = e->phases[i].gather.places > most ? e->phases[i].gather.places : most;
    }
  e->most_places = most;
  e->cols        = parts_of (most, parts_of (most, COLS));
  return KT_OK;
}

/* May weights and source be read where they are? Rows of weights that fall upon each other in
 * the cache are copied. */
static void
choose_sources (kt_conv_engine *e)
{
  const kt_window *const w = &e->conv.w;
  const bool forward       = e->conv.out == KT_CONV_SMALL;
  bool plain               = forward && !e->half && e->cells == 1;

  for (int32_t d = 0; d < w->n; d++)
    plain = plain && w->stride[d] == 1 && w->begin[d] == 0 && w->large[d] == w->small[d];
  e->direct_x = plain && (e->rows <= 32 || e->source_area * e->size % 1024 != 0);
  e->direct_w = forward && !e->half
                && (e->channels * e->cells * e->size % 4096 != 0 || e->cols < 32);
}

static void
choose_blocks (kt_conv_engine *e)
{
  const kt_tiles *const t = e->tiles;
  const int64_t tiles     = parts_of (e->rows, t->rows);
  const int64_t most      = parts_of (e->rows, tiles > 0 ? tiles : 1);

  e->panel          = (most > 0 ? t->vectors[most] : 1) * t->width;
  e->cols           = parts_of (e->cols, e->panel) * e->panel;
  e->col_tiles      = parts_of (e->most_places, e->cols);
  e->depth_cells    = e->cells <= DEPTH + DEPTH / 2 ? e->cells : DEPTH;
  e->depth_channels = e->cells < DEPTH ? DEPTH / e->cells : 1;
  if (e->depth_channels < e->channels)
    e->depth_channels = parts_of (e->channels, parts_of (e->channels, e->depth_channels));
  else
    e->depth_channels = e->channels;

  const double row_work = 2.0 * (double) e->channels * (double) e->cells;
  const double work     = row_work * (double) e->rows * (double) e->out_area;
  const int64_t planes  = e->conv.batch * e->conv.group;
  const double wanted   = (double) planes * work / FORK;
  const int64_t tiled   = e->tiled ? e->col_tiles : 1;
  int64_t parts         = 1;

  if (planes > 0 && planes * tiled < MOST_PIECES && wanted > (double) (planes * tiled))
    parts = parts_of (wanted < MOST_PIECES ? (int64_t) wanted : MOST_PIECES,
                      planes * tiled);
  if (parts > e->rows / (2 * t->rows))
    parts = e->rows / (2 * t->rows) > 0 ? e->rows / (2 * t->rows) : 1;
  if (!e->direct_y && parts < parts_of (e->rows, SCRATCH_ROWS))
    parts = parts_of (e->rows, SCRATCH_ROWS);
  e->part_rows = parts_of (e->rows, parts);
  e->parts     = e->part_rows > 0 ? parts_of (e->rows, e->part_rows) : 0;
  e->block_rows
      = parts_of (e->part_rows, parts_of (e->part_rows, BLOCK_ROWS) + !e->part_rows);
  e->pieces = planes * e->parts * tiled;

  const double piece = work / (double) (e->parts * tiled + 1);
  e->grain           = piece < FORK ? (int64_t) (FORK / (piece + 1)) : 1;
}

size_t
kt_conv_engine_scratch (const kt_conv_engine *e)
{
  const int64_t most_channels = e->depth_channels, depth = most_channels * e->depth_cells;
  int64_t bytes = e->direct_x ? 0 : e->cols * depth * e->size;

  bytes += e->direct_w ? 0 : e->block_rows * e->w_pitch * e->size;
  bytes += e->direct_y ? 0 : e->part_rows * e->cols * e->size;
  return (size_t) bytes + 128;
}

kt_status
kt_conv_engine_plan (const kt_host *host, kt_prep *prep, kt_conv_engine *e)
{
  const kt_conv *const c = &e->conv;
  const bool back        = c->out == KT_CONV_LARGE;

  e->half        = c->dtype == KT_F16 || c->dtype == KT_BF16;
  e->tiles       = kt_conv_tiles (e->half ? KT_F32 : c->dtype);
  e->gather      = kt_gather_for (c->dtype);
  e->size        = e->tiles->size;
  e->element     = (int64_t) kt_size_of (c->dtype);
  e->rows        = back ? c->c : c->m;
  e->channels    = back ? c->m : c->c;
  e->cells       = kt_count (c->w.kernel, c->w.n);
  e->source_area = kt_count (back ? c->w.small : c->w.large, c->w.n);
  e->out_area    = kt_count (back ? c->w.large : c->w.small, c->w.n);
  if (c->batch == 0 || e->rows == 0 || e->out_area == 0)
    return KT_OK;
  KT_TRY (plan_phases (host, prep, e));
  e->direct_y = !e->half && e->tiled;
  choose_sources (e);
  choose_blocks (e);

  const int64_t depth = e->depth_channels * e->depth_cells;
  e->w_pitch          = (depth + 15) / 16 * 16 + 16;
  e->w_at             = e->direct_x ? 0 : (e->cols * depth * e->size + 63) / 64 * 64;
  e->y_at             = e->w_at
            + (e->direct_w ? 0 : (e->block_rows * e->w_pitch * e->size + 63) / 64 * 64);
  return KT_OK;
}

typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_conv_engine *e;
  _Atomic kt_status status; /* of what follows */
} Job;

/* Where place T of PHASE lies in a plane of the output. */
static int64_t
place_at (const kt_conv_engine *e, const kt_conv_phase *phase, int64_t t)
{
  const kt_window *const w   = &e->conv.w;
  const bool back            = e->conv.out == KT_CONV_LARGE;
  const int64_t *const total = back ? w->large : w->small;
  int64_t at = 0, step = 1;

  for (int32_t d = w->n - 1; d >= 0; d--)
    {
      const int64_t i = t % phase->gather.count[d];
      at += (phase->origin[d] + i * (back ? w->stride[d] : 1)) * step;
      step *= total[d];
      t /= phase->gather.count[d];
    }
  return at;
}

/* The products of a block from scratch memory to their places in the output. */
static void
spread (const kt_conv_engine *e, const kt_conv_block *b, const char *from, char *plane)
{
  const kt_gather *const g = &b->phase->gather;
  const int32_t last       = g->n - 1;
  const int64_t width      = g->count[last];
  const int64_t step       = e->conv.out == KT_CONV_LARGE ? e->conv.w.stride[last] : 1;

  for (int64_t t = b->first, n; t < b->first + b->cols; t += n)
    {
      const int64_t left = b->first + b->cols - t, in_row = width - t % width;
      const int64_t at = place_at (e, b->phase, t);
      n                = left < in_row ? left : in_row;
      for (int64_t r = 0; r < b->rows; r++)
        {
          const char *const x = from + (r * e->cols + t - b->first) * e->size;
          char *const y       = plane + (r * e->out_area + at) * e->element;
          if (e->conv.dtype == KT_F32)
            for (int64_t i = 0; i < n; i++)
              ((float *) (void *) y)[i * step] = ((const float *) (const void *) x)[i];
          else if (e->conv.dtype == KT_F64)
            for (int64_t i = 0; i < n; i++)
              ((double *) (void *) y)[i * step] = ((const double *) (const void *) x)[i];
          else
            for (int64_t i = 0; i < n; i++)
              kt_narrow (e->conv.dtype, (const float *) (const void *) x + i,
                         (uint16_t *) (void *) y + i * step, 1);
        }
    }
}

/* Tells what follows of the rows and places of B, which are in the output. */
static void
report (Job *job, const kt_conv_block *b, bool whole, int32_t worker)
{
  const kt_conv_engine *const e = job->e;
  const int64_t area            = e->out_area;
  const int64_t first = ((b->image * e->conv.group + b->group) * e->rows + b->row) * area;
  kt_status status    = KT_OK;

  if (whole || b->cols == area)
    status = job->host->epilogue (job->run, first, first + b->rows * area, worker);
  else
    for (int64_t r = 0; r < b->rows && status == KT_OK; r++)
      status = job->host->epilogue (job->run, first + r * area + b->first,
                                    first + r * area + b->first + b->cols, worker);
  if (status != KT_OK)
    atomic_store (&job->status, status);
}

/* The bias, or zeros, in the planes of B: some of their places are in no phase. */
static void
fill (const Job *job, const kt_conv_block *b, char *y)
{
  const kt_conv_engine *const e = job->e;
  const int64_t n               = e->out_area;

  for (int64_t r = 0; r < b->rows; r++)
    {
      char *const plane   = y + r * n * e->element;
      const char *const v = e->has_bias
                                ? (const char *) job->run->in[2].data
                                      + (b->group * e->rows + b->row + r) * e->element
                                : NULL;
      if (!v)
        memset (plane, 0, (size_t) (n * e->element));
      else if (e->element == 4)
        for (int64_t i = 0; i < n; i++)
          ((float *) (void *) plane)[i] = *(const float *) (const void *) v;
      else if (e->element == 8)
        for (int64_t i = 0; i < n; i++)
          ((double *) (void *) plane)[i] = *(const double *) (const void *) v;
      else
        for (int64_t i = 0; i < n; i++)
          ((uint16_t *) (void *) plane)[i] = *(const uint16_t *) (const void *) v;
    }
}

static void
compute_pieces (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Job *const job                = arg;
  const kt_conv_engine *const e = job->e;
  char *const scratch           = job->host->workspace (job->run, worker, NULL);
  const bool tiled              = e->tiled;

  for (int64_t i = begin; i < end; i++)
    {
      const int64_t tile = tiled ? i % e->col_tiles : 0;
      const int64_t rest = tiled ? i / e->col_tiles : i;
      const int64_t part = rest % e->parts, plane = rest / e->parts;
      kt_conv_block b = { .image = plane / e->conv.group,
                          .group = plane % e->conv.group,
                          .row   = part * e->part_rows };
      b.rows          = e->part_rows < e->rows - b.row ? e->part_rows : e->rows - b.row;
      char *const y   = (char *) job->run->out[0].data
                      + (plane * e->rows + b.row) * e->out_area * e->element;

      if (e->gaps)
        fill (job, &b, y);
      for (int64_t p = 0; p < e->n_phases; p++)
        {
          const int64_t places = e->phases[p].gather.places;
          b.phase              = &e->phases[p];
          for (b.first = tiled ? tile * e->cols : 0; b.first < places; b.first += e->cols)
            {
              b.cols = e->cols < places - b.first ? e->cols : places - b.first;
              if (e->direct_y)
                kt_conv_multiply (e, job->run, &b, scratch, y + b.first * e->size,
                                  e->out_area);
              else
                {
                  kt_conv_multiply (e, job->run, &b, scratch, scratch + e->y_at, e->cols);
                  spread (e, &b, scratch + e->y_at, y);
                }
              if (tiled)
                break;
            }
        }
      if (b.first < e->out_area || !tiled)
        report (job, &b, !tiled, worker);
    }
}

kt_status
kt_conv_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c, void **state)
{
  kt_conv_engine *e;

  if (kt_conv_is_depthwise (c))
    return kt_depthwise_prepare (host, prep, c, state);
  KT_TRY (host->keep (prep, sizeof *e, state));
  e       = *state;
  e->conv = *c;
  e->has_bias
      = (c->out == KT_CONV_SMALL || c->spread) && kt_in_type (host, prep, 2).kind != 0;
  KT_TRY (kt_conv_engine_plan (host, prep, e));
  return e->pieces > 0 ? host->want_workspace (prep, kt_conv_engine_scratch (e), 1)
                       : KT_OK;
}

kt_status
kt_conv_run (const kt_host *host, kt_run *run, void *state)
{
  const kt_conv_engine *const e = state; /* begins with the kt_conv, as all states here */
  Job job                       = { .host = host, .run = run, .e = e };

  if (kt_conv_is_depthwise (&e->conv))
    return kt_depthwise_run (host, run, state);
  if (e->pieces > e->grain)
    KT_TRY (host->parallel_for (run, e->pieces, e->grain, compute_pieces, &job));
  else
    compute_pieces (&job, 0, e->pieces, 0);
  return atomic_load (&job.status);
}
