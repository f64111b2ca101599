/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-fast.c: blocks and passes of matrix products around the micro-kernels.
 */
#include "gemm-fast.h"
#include <stdatomic.h>

#define AT_ONCE 16      /* panels that are written at a time, each in pages of its own */
#define PACK_WORK 32768 /* elements of b that one thread packs at least */

/* Where part I of N begins when TOTAL is cut into N parts that differ by at most 1. */
static int64_t
part_begin (int64_t total, int64_t n, int64_t i)
{
  const int64_t longer = total % n;

  return i * (total / n) + kt_least (i, longer);
}

static int64_t
panel (const kt_fast *f)
{
  return 2 * f->tiles->width;
}

/* From one panel to the next: a line more than it needs, for the sake of the cache. */
static int64_t
panel_step (const kt_fast *f, int64_t depth)
{
  return depth * panel (f) * f->tiles->size + 64;
}

/* From one pass to the next, of those that are packed at once. */
static int64_t
pass_step (const kt_fast *f)
{
  return kt_parts (f->chunk, panel (f)) * panel_step (f, f->depth);
}

size_t
kt_fast_scratch (const kt_fast *f)
{
  return f->pack ? (size_t) (kt_parts (f->span, f->depth) * pass_step (f)) : 0;
}

/* A pass: columns J .. J + COLS - 1, P .. P + DEPTH - 1 along k; or a region of several
 * passes, P .. END - 1. */
typedef struct
{
  const kt_host *host;
  kt_run *run;
  const kt_fast *f;
  const kt_fast_operands *o;
  char *scratch;
  int64_t j, cols, p, depth, end, first;
  _Atomic kt_status status; /* of what follows the product */
} Pass;

/* Rows of b, cut into panels. Along the rows: they are read as they lie in memory. */
static void
pack_rows (const Pass *s, int64_t begin, int64_t end, char *to, const char *from)
{
  const int64_t size = s->f->tiles->size, wide = panel (s->f) * size;
  const int64_t all  = kt_least (end * wide, s->cols * size) - begin * wide;
  const int64_t step = panel_step (s->f, s->depth);

  for (int64_t p = 0; p < s->depth; p++)
    {
      const char *const row = from + p * s->f->b_row * size;
      char *out             = to + p * wide;
      int64_t j             = 0;
      /* The processor does not look beyond a page by itself. */
      const char *const ahead = p + 3 < s->depth ? row + 3 * s->f->b_row * size : row;
      for (; wide == 128 && j + 128 <= all; j += 128, out += step)
        {
          __builtin_prefetch (ahead + j);
          __builtin_prefetch (ahead + j + 64);
          memcpy (out, row + j, 128);
        }
      for (; wide == 64 && j + 64 <= all; j += 64, out += step)
        {
          __builtin_prefetch (ahead + j);
          memcpy (out, row + j, 64);
        }
      if (j < all)
        memcpy (out, row + j, (size_t) (all - j));
    }
}

/* Panels BEGIN .. END - 1 of b for a pass, each with rows of its own. */
static void
pack_panels (const Pass *s, int64_t begin, int64_t end)
{
  const kt_fast *const f = s->f;
  const int64_t size = f->tiles->size, wide = panel (f);
  const int64_t step     = panel_step (f, s->depth);
  const char *const from = (const char *) s->o->b
                           + (s->p * f->b_row + (s->j + begin * wide) * f->b_col) * size;

  if (f->b_col == 1)
    for (int64_t i = begin; i < end; i += AT_ONCE)
      pack_rows (s, i, kt_least (i + AT_ONCE, end), s->scratch + i * step,
                 from + (i - begin) * wide * size);
  else
    for (int64_t i = begin; i < end; i++)
      f->tiles->turn (from + (i - begin) * wide * f->b_col * size, f->b_col,
                      s->scratch + i * step, wide, kt_least (wide, s->cols - i * wide),
                      s->depth);
}

/* Pass Q of a region. */
static Pass
pass_of (const Pass *s, int64_t q)
{
  const kt_fast *const f = s->f;
  const int64_t p        = s->p + q * s->depth;

  return (Pass){ .f       = f,
                 .o       = s->o,
                 .scratch = f->pack ? s->scratch + q * pass_step (f) : s->scratch,
                 .j       = s->j,
                 .cols    = s->cols,
                 .p       = p,
                 .depth   = kt_least (s->depth, s->end - p) };
}

/* Panels BEGIN .. END - 1 of a region, pass by pass. */
static void
pack (const Pass *s, int64_t begin, int64_t end)
{
  const int64_t panels = kt_parts (s->cols, panel (s->f));

  for (int64_t n; begin < end; begin += n)
    {
      const Pass pass = pass_of (s, begin / panels);
      const int64_t i = begin % panels;
      n               = kt_least (panels - i, end - begin);
      pack_panels (&pass, i, i + n);
    }
}

/* ROWS rows of a, or columns where they are what is contiguous, into a copy whose rows do not
 * fall upon each other in the cache. */
static void
copy_rows (const kt_fast *f, const char *a, int64_t rows, int64_t depth, char *copy,
           kt_tile *t)
{
  const int64_t size  = f->tiles->size;
  const bool turned   = f->a_col != 1;
  const int64_t lines = turned ? depth : rows, length = turned ? rows : depth;
  const int64_t pitch = (length * size + 63) / 64 * 64 / size + 16;
  const int64_t step  = turned ? f->a_col : f->a_row;

  for (int64_t i = 0; i < lines; i++)
    memcpy (copy + i * pitch * size, a + i * step * size, (size_t) (length * size));
  t->a     = copy;
  t->a_row = turned ? 1 : pitch;
  t->a_col = turned ? pitch : 1;
}

static void
dot_block (const kt_fast *f, kt_tile *t, const int64_t at[4], const kt_fast_operands *o)
{
  const int64_t size = f->tiles->size;

  for (int64_t i = at[0], rows; i < at[1]; i += rows)
    {
      rows             = kt_least (at[1] - i, KT_MOST_DOT_ROWS);
      const int64_t by = f->tiles->dot_cols[rows];
      t->a             = (const char *) o->a + i * f->a_row * size;
      for (int64_t j = at[2]; j < at[3]; j += by)
        {
          t->cols = kt_least (by, at[3] - j);
          t->b    = (const char *) o->b + j * f->b_col * size;
          t->y    = (char *) o->y + (i * f->n + j) * size;
          t->c    = o->c ? (const char *) o->c + (i * f->c_row + j) * size : NULL;
          f->tiles->dot[rows - 1](t);
        }
    }
}

/* Rows AT[0] .. AT[1] - 1 and columns AT[2] .. AT[3] - 1 in a pass; COPY is room for a. */
static void
compute_pass (const Pass *s, const int64_t at[4], char *copy)
{
  const kt_fast *const f          = s->f;
  const kt_tiles *const tiles     = f->tiles;
  const kt_fast_operands *const o = s->o;
  const int64_t size = tiles->size, width = tiles->width, rows = at[1] - at[0];
  const bool again = s->p > 0; /* y holds the sums of the passes before */
  kt_tile t        = { .k     = s->depth,
                       .a_row = f->a_row,
                       .a_col = f->a_col,
                       .b_row = f->b_row,
                       .y_row = f->n,
                       .c_row = again ? f->n : f->c_row,
                       .alpha = o->alpha,
                       .beta  = again ? 1 : o->beta,
                       .relu  = f->relu && s->p + s->depth == f->k };

  if (f->dot)
    {
      t.b_row = f->b_col;
      dot_block (f, &t, at, o);
      return;
    }

  const int64_t row_tiles = kt_parts (rows, tiles->rows),
                most      = kt_parts (rows, row_tiles);
  const int64_t vectors   = f->pack ? 2 : tiles->vectors[most];
  const int64_t all       = kt_parts (at[3] - at[2], width),
                col_tiles = kt_parts (all, vectors);
  const char *a = (const char *) o->a + (at[0] * f->a_row + s->p * f->a_col) * size;
  const char *const from = again ? o->y : o->c;

  if (f->copy)
    {
      copy_rows (f, a, rows, s->depth, copy, &t);
      a = copy;
    }
  if (f->pack)
    t.b_row = panel (f);
  for (int64_t q = 0; q < col_tiles; q++)
    {
      /* Packed panels have their place; others may differ by one vector. */
      const int64_t v0 = f->pack ? q * 2 : part_begin (all, col_tiles, q);
      const int64_t v1
          = f->pack ? kt_least (all, q * 2 + 2) : part_begin (all, col_tiles, q + 1);
      const int64_t j = at[2] + v0 * width;
      t.cols          = kt_least ((v1 - v0) * width, at[3] - j);
      t.b = f->pack ? s->scratch + (j - s->j) / panel (f) * panel_step (f, s->depth)
                    : (const char *) o->b + (s->p * f->b_row + j) * size;
      for (int64_t r = 0; r < row_tiles; r++)
        {
          const int64_t i0 = part_begin (rows, row_tiles, r);
          const int64_t n  = part_begin (rows, row_tiles, r + 1) - i0;
          t.a              = a + i0 * t.a_row * size;
          t.y              = (char *) o->y + ((at[0] + i0) * f->n + j) * size;
          t.c              = from ? from + ((at[0] + i0) * t.c_row + j) * size : NULL;
          tiles->tile[n - 1][v1 - v0 - 1](&t);
        }
    }
}

static void
compute (const Pass *s, const int64_t at[4])
{
  _Alignas(64) char copy[KT_COPY_BYTES];

  for (int64_t q = 0; s->p + q * s->depth < s->end; q++)
    {
      const Pass pass = pass_of (s, q);
      compute_pass (&pass, at, copy);
    }
}

/* What block BLOCK of a region covers. */
static void
bounds (const Pass *s, int64_t block, int64_t at[4])
{
  const kt_fast *const f = s->f;
  const int64_t i = block / f->col_blocks, j = block % f->col_blocks;

  /* Blocks of rows differ by at most one row; of columns, all but the last are alike. */
  at[0] = part_begin (f->m, f->row_blocks, i);
  at[1] = part_begin (f->m, f->row_blocks, i + 1);
  at[2] = s->j + kt_least (j * f->block_cols, s->cols);
  at[3] = s->j + kt_least ((j + 1) * f->block_cols, s->cols);
}

void
kt_fast_block (const kt_fast *f, const kt_fast_operands *o, int64_t block, int64_t at[4])
{
  const Pass s = { .f = f, .o = o, .cols = f->n, .depth = f->strip, .end = f->k };

  bounds (&s, block, at);
  compute (&s, at);
}

void
kt_fast_pack (const kt_fast *f, const void *b, void *packed)
{
  const kt_fast_operands o = { .b = b };
  const Pass s             = {
                .f = f, .o = &o, .scratch = packed, .cols = f->n, .depth = f->depth, .end = f->k
  };

  pack (&s, 0, kt_parts (f->k, f->depth) * kt_parts (f->n, panel (f)));
}

/* Block BLOCK of columns, all passes. What one thread packs it reads itself: it need not wait for
 * others, nor fetch from their caches. */
static void
compute_own (const Pass *s, int64_t block, int64_t at[4])
{
  const kt_fast *const f = s->f;

  bounds (s, block, at);
  for (int64_t p = 0; p < f->k && at[2] < at[3]; p += f->depth)
    {
      const Pass pass
          = { .f = f,
              .o = s->o,
              .scratch
              = s->scratch + (at[2] - s->j) / panel (f) * panel_step (f, f->depth),
              .j     = at[2],
              .cols  = at[3] - at[2],
              .p     = p,
              .depth = kt_least (f->depth, f->k - p) };
      pack_panels (&pass, 0, kt_parts (pass.cols, panel (f)));
      compute_pass (&pass, at, NULL);
    }
}

void
kt_fast_product (const kt_fast *f, const kt_fast_operands *o, void *scratch)
{
  Pass s = { .f = f, .o = o, .scratch = scratch, .depth = f->strip };

  for (s.j = 0; s.j < f->n; s.j += s.cols)
    {
      int64_t at[4];
      s.cols = kt_least (f->chunk, f->n - s.j);
      for (int64_t block = 0; f->own && block < f->col_blocks; block++)
        compute_own (&s, block, at);
      for (s.p = 0; !f->own && s.p < f->k; s.p = s.end)
        {
          s.end = kt_least (s.p + f->span, f->k);
          if (f->pack && !f->packed)
            pack (&s, 0, kt_parts (s.end - s.p, s.depth) * kt_parts (s.cols, panel (f)));
          for (int64_t block = 0; block < f->row_blocks * f->col_blocks; block++)
            {
              bounds (&s, block, at);
              if (at[2] < at[3])
                compute (&s, at);
            }
        }
    }
}

static void
pack_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) worker;
  pack (arg, begin, end);
}

kt_status
kt_fast_report (const kt_host *host, kt_run *run, int64_t first, int64_t n,
                const int64_t at[4], int32_t worker)
{
  if (at[3] - at[2] == n)
    return host->epilogue (run, first + at[0] * n, first + at[1] * n, worker);
  for (int64_t i = at[0]; i < at[1]; i++)
    KT_TRY (host->epilogue (run, first + i * n + at[2], first + i * n + at[3], worker));
  return KT_OK;
}

static void
compute_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Pass *const s          = arg;
  const kt_fast *const f = s->f;

  for (int64_t block = begin; block < end; block++)
    {
      kt_status status = KT_OK;
      int64_t at[4];

      if (f->own)
        compute_own (s, block, at);
      else
        bounds (s, block, at);
      if (at[2] >= at[3])
        continue;
      if (!f->own)
        compute (s, at);
      if (s->end == f->k)
        status = kt_fast_report (s->host, s->run, s->first, f->n, at, worker);
      if (status != KT_OK)
        atomic_store (&s->status, status);
    }
}

/* A loop of N pieces, on several threads unless there is only one piece. */
static kt_status
loop (Pass *s, int64_t n, int64_t grain, kt_body *body)
{
  if (n > grain)
    return s->host->parallel_for (s->run, n, grain, body, s);
  body (s, 0, n, 0);
  return KT_OK;
}

kt_status
kt_fast_run (const kt_host *host, kt_run *run, const kt_fast *f,
             const kt_fast_operands *o, void *scratch, int64_t first)
{
  const int64_t blocks = f->row_blocks * f->col_blocks;
  Pass s               = { .host    = host,
                           .run     = run,
                           .f       = f,
                           .o       = o,
                           .scratch = scratch,
                           .first   = first,
                           .depth   = f->strip };

  for (s.j = 0; s.j < f->n; s.j += s.cols)
    {
      s.cols = kt_least (f->chunk, f->n - s.j);
      for (s.p = 0; s.p < f->k; s.p = s.end)
        {
          s.end = f->own ? f->k : kt_least (s.p + f->span, f->k);
          if (f->pack && !f->packed && !f->own)
            {
              const int64_t panels
                  = kt_parts (s.end - s.p, s.depth) * kt_parts (s.cols, panel (f));
              const int64_t grain = 1 + PACK_WORK / (panel (f) * s.depth);
              KT_TRY (loop (&s, panels, blocks == 1 ? panels : grain, pack_piece));
            }
          KT_TRY (loop (&s, blocks, 1, compute_piece));
        }
    }
  return atomic_load (&s.status);
}
