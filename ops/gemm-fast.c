/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-fast.c: blocks and passes of matrix products around the micro-kernels.
 */
#include "gemm-fast.h"
#include <stdatomic.h>

#define FORK 2e6        /* additions and products that are worth a hand-over: 15-30 us */
#define MOST_BLOCKS 32  /* unless they would be longer than ... */
#define ENOUGH_BLOCKS 8 /* of whole rows; columns are cut where there are fewer */
#define LONG 32e6 /* ... about half a millisecond, after which a run can be stopped */
#define PASS_BYTES 1024      /* along k, in a pass over a packed b */
#define PASS_COLS 1024       /* columns of a pass */
#define COPY_ROWS 64         /* rows of a that are copied at a time */
#define COPY_BYTES 81920     /* which lie on the stack */
#define WHOLE_BYTES 0x100000 /* of a b that is packed at once, not pass by pass */
#define STRIP 64        /* rows of a wide b that a few rows of a go through at a time */
#define AT_ONCE 16      /* panels that are written at a time, each in pages of its own */
#define PACK_WORK 32768 /* elements of b that one thread packs at least */

static int64_t
least (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t
parts (int64_t n, int64_t part)
{
  return (n + part - 1) / part;
}

/* Where part I of N begins when TOTAL is cut into N parts that differ by at most 1. */
static int64_t
part_begin (int64_t total, int64_t n, int64_t i)
{
  const int64_t longer = total % n;

  return i * (total / n) + least (i, longer);
}

/* The grid of blocks: whole rows where there are enough of them, so that what follows a
 * product finds whole rows in the cache. */
static void
choose_blocks (kt_fast *f, bool share)
{
  const int64_t unit = f->tiles->width * (f->m <= 2 ? 4 : 2);
  double work        = 2.0 * (double) f->m * (double) f->chunk * (double) f->span;
  double count       = work / FORK < MOST_BLOCKS ? work / FORK : MOST_BLOCKS;
  int64_t blocks     = 1, rows;

  count = work / LONG > count ? work / LONG : count;
  while (share && blocks * 2 <= (int64_t) count && blocks < 4096)
    blocks *= 2;
  /* A packed panel of b is read from a further cache for each block of rows. */
  rows = f->m / (f->pack ? 28 : f->tiles->rows);
  for (f->row_blocks = 1; f->row_blocks * 2 <= least (blocks, rows);)
    f->row_blocks *= 2;
  if (f->copy && f->m > f->row_blocks * COPY_ROWS)
    f->row_blocks = parts (f->m, COPY_ROWS);
  f->col_blocks = 1;
  if (f->row_blocks * 2 <= least (blocks, ENOUGH_BLOCKS))
    f->col_blocks
        = least (least (blocks, ENOUGH_BLOCKS) / f->row_blocks, parts (f->chunk, unit));
  f->block_cols = parts (parts (f->chunk, f->col_blocks), unit) * unit;
  f->block_cols = least (f->block_cols, f->chunk);
  f->col_blocks = parts (f->chunk, f->block_cols);
}

bool
kt_fast_prepare (kt_fast *f, int32_t dtype, bool share)
{
  f->tiles = kt_tiles_for (dtype);
  if (!f->tiles || f->m == 0 || f->n == 0 || f->k == 0
      || (f->a_row != 1 && f->a_col != 1 && f->m > 1 && f->k > 1)
      || (f->b_row != 1 && f->b_col != 1 && f->n > 1 && f->k > 1))
    return false;

  const bool turned  = f->b_col != 1 && f->n > 1;
  const int64_t size = f->tiles->size, row = f->b_row * size;
  const bool a_rows = f->a_col == 1 || f->k == 1;
  /* Rows of b that fall upon each other in the cache, or more of it than stays there. */
  const bool apart = f->m >= 32 && f->k > 32 && (row % 2048 == 0 || f->k * row > 1 << 20);

  f->dot  = turned && a_rows && f->m <= KT_MOST_DOT_ROWS && f->k >= f->tiles->width;
  f->pack = !f->dot && (turned || apart || (!a_rows && f->m >= 128 && f->k >= 128));
  f->copy = f->pack && f->m >= 32 && f->n >= 64 && f->k >= 64
            && (!a_rows || f->a_row * size % 1024 == 0);
  f->depth = f->k;
  f->chunk = f->n;
  if (f->pack)
    {
      f->depth = parts (f->k, parts (f->k, PASS_BYTES / size));
      f->chunk = least (f->n, PASS_COLS);
    }
  f->span  = f->k * f->n * size <= WHOLE_BYTES && f->chunk == f->n ? f->k : f->depth;
  f->strip = f->depth;
  if (!f->pack && !f->dot && f->m < 32 && row > 1024)
    f->strip = STRIP;
  choose_blocks (f, share);
  return true;
}

/* Microseconds of one thread, these micro-kernels / OpenBLAS 0.3.21 / dnnl_sgemm 2.6; T: turned.
 * The same processor (AVX-512) with all its instructions, and held to AVX2.
 *
 *     m x    n x    k        AVX-512               AVX2
 *    10     30    784      3.4   9.3   4.5      5.6   16    6.1
 *   784T    30     10      4.8   6.5   4.4      7.4   10    6.6
 *     1    128    784      3.0   2.8   3.1      3.5   22    3.6
 *     1    128    784T     2.8   2.8   3.7      3.5   37    3.8
 *    64    128    784       77   110    74      123  144   124
 *    64    128    784T     102   129   103      144  158   139
 *   784T   128     64       81   101    79      134  137   127
 *    64    128     10T     1.5   2.2   1.6      2.6  2.6   2.3
 *    64     10    128      2.0   2.5   2.5      2.6  3.7   2.9
 *    64    784    128T     100   123    87      141  160   137
 *   128    128     64T    14.4  19.3  14.4     21.9 24.4  21.9
 *   256   1024   1024     4540  4790  4020     6400 6050  6300
 *  1024T  1024    256     4400  4310  3710     6170 6070  5680
 *    64   1024    784      960  1190   820     1470 1360  1090
 *   128   3072    768     5850  6530  5010     8040 7120  8510
 *  2048   2048   2048      131   127   115      188  185   188   ms
 *
 * So OpenBLAS has the long products that need packing, with AVX2; from where packing has become
 * a small part. (What the two give up there, a tenth at most, is less than a pass over y: a
 * product that takes over what follows stays here.) */
#define LONG_PRODUCT 30e6 /* additions and products */

bool
kt_fast_is_best (const kt_fast *f)
{
  return f->tiles->rows > 6 || !f->pack
         || 2.0 * (double) f->m * (double) f->n * (double) f->k <= LONG_PRODUCT;
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
  return parts (f->chunk, panel (f)) * panel_step (f, f->depth);
}

size_t
kt_fast_scratch (const kt_fast *f)
{
  return f->pack ? (size_t) (parts (f->span, f->depth) * pass_step (f)) : 0;
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
  const int64_t all  = least (end * wide, s->cols * size) - begin * wide;
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
      pack_rows (s, i, least (i + AT_ONCE, end), s->scratch + i * step,
                 from + (i - begin) * wide * size);
  else
    for (int64_t i = begin; i < end; i++)
      f->tiles->turn (from + (i - begin) * wide * f->b_col * size, f->b_col,
                      s->scratch + i * step, wide, least (wide, s->cols - i * wide),
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
                 .scratch = s->scratch + (f->pack ? q * pass_step (f) : 0),
                 .j       = s->j,
                 .cols    = s->cols,
                 .p       = p,
                 .depth   = least (s->depth, s->end - p) };
}

/* Panels BEGIN .. END - 1 of a region, pass by pass. */
static void
pack (const Pass *s, int64_t begin, int64_t end)
{
  const int64_t panels = parts (s->cols, panel (s->f));

  for (int64_t n; begin < end; begin += n)
    {
      const Pass pass = pass_of (s, begin / panels);
      const int64_t i = begin % panels;
      n               = least (panels - i, end - begin);
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
      rows             = least (at[1] - i, KT_MOST_DOT_ROWS);
      const int64_t by = f->tiles->dot_cols[rows];
      t->a             = (const char *) o->a + i * f->a_row * size;
      for (int64_t j = at[2]; j < at[3]; j += by)
        {
          t->cols = least (by, at[3] - j);
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
                       .beta  = again ? 1 : o->beta };

  if (f->dot)
    {
      t.b_row = f->b_col;
      dot_block (f, &t, at, o);
      return;
    }

  const int64_t row_tiles = parts (rows, tiles->rows), most = parts (rows, row_tiles);
  const int64_t vectors = f->pack ? 2 : tiles->vectors[most];
  const int64_t all = parts (at[3] - at[2], width), col_tiles = parts (all, vectors);
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
          = f->pack ? least (all, q * 2 + 2) : part_begin (all, col_tiles, q + 1);
      const int64_t j = at[2] + v0 * width;
      t.cols          = least ((v1 - v0) * width, at[3] - j);
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
  _Alignas(64) char copy[COPY_BYTES];

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
  at[2] = s->j + least (j * f->block_cols, s->cols);
  at[3] = s->j + least ((j + 1) * f->block_cols, s->cols);
}

void
kt_fast_block (const kt_fast *f, const kt_fast_operands *o, int64_t block, int64_t at[4])
{
  const Pass s = { .f = f, .o = o, .cols = f->n, .depth = f->strip, .end = f->k };

  bounds (&s, block, at);
  compute (&s, at);
}

void
kt_fast_product (const kt_fast *f, const kt_fast_operands *o, void *scratch)
{
  Pass s = { .f = f, .o = o, .scratch = scratch, .depth = f->strip };

  for (s.j = 0; s.j < f->n; s.j += s.cols)
    {
      s.cols = least (f->chunk, f->n - s.j);
      for (s.p = 0; s.p < f->k; s.p = s.end)
        {
          s.end = least (s.p + f->span, f->k);
          if (f->pack)
            pack (&s, 0, parts (s.end - s.p, s.depth) * parts (s.cols, panel (f)));
          for (int64_t block = 0; block < f->row_blocks * f->col_blocks; block++)
            {
              int64_t at[4];
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

      bounds (s, block, at);
      if (at[2] >= at[3])
        continue;
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
      s.cols = least (f->chunk, f->n - s.j);
      for (s.p = 0; s.p < f->k; s.p = s.end)
        {
          s.end = least (s.p + f->span, f->k);
          if (f->pack)
            {
              const int64_t panels
                  = parts (s.end - s.p, s.depth) * parts (s.cols, panel (f));
              const int64_t grain = 1 + PACK_WORK / (panel (f) * s.depth);
              KT_TRY (loop (&s, panels, blocks == 1 ? panels : grain, pack_piece));
            }
          KT_TRY (loop (&s, blocks, 1, compute_piece));
        }
    }
  return atomic_load (&s.status);
}
