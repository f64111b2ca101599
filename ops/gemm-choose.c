/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm-choose.c: how a product is cut into blocks and passes, and who computes it.
 */
#include "gemm-fast.h"

#define FORK 2e6 /* additions and products that are worth a hand-over: 15-30 us */
/* Bytes of b, likewise, where each is read for a few products only. */
#define READ 0x40000
#define MOST_BLOCKS 32 /* unless they would be longer than ... */
#define LONG 32e6    /* ... about half a millisecond, after which a run can be stopped */
#define MOST_COLS 16 /* blocks side by side: each reads all of its rows of a */
/* Along k, in a pass over a packed b; four times that if b is small, or what it is multiplied
 * with. */
#define PASS_BYTES 1024
#define PASS_COLS 1024       /* columns of a pass */
#define WHOLE_BYTES 0x100000 /* of a b that is packed at once, not pass by pass */
#define MOST_PACKED 0x800000 /* bytes of a b that is kept packed beside itself */
#define FEW_ROWS 128  /* for which packing b is a good part of the work: more than 5 % */
#define PANEL_ROWS 64 /* of a, at least, for which a packed b is read */
#define OWN_BYTES                                                                        \
  0x80000 /* of a, in a pass, beside blocks of columns that pack b themselves */
#define OWN_COLS 128   /* of such a block, at least */
#define PACKED_ROWS 24 /* of a, from which a b that is kept packed pays anyhow */
#define STRIP 64       /* rows of a wide b that a few rows of a go through at a time */

double
kt_fast_cost (const kt_fast *f, int64_t cols, int64_t depth)
{
  const double work = 2.0 * (double) f->m * (double) cols * (double) depth;
  const double read = (double) cols * (double) depth * f->tiles->size;

  return work / FORK > read / READ ? work / FORK : read / READ;
}

/* Blocks for all processors of this machine; columns are cut where there are fewer blocks of
 * whole rows. How a product is cut into blocks changes no bit of it. */
static int64_t
enough_blocks (int32_t processors)
{
  int64_t n = 2;

  while (n < processors && n < MOST_COLS)
    n *= 2;
  return n;
}

/* About BLOCKS blocks of rows, which are full tiles. */
static int64_t
row_blocks (const kt_fast *f, int64_t blocks)
{
  const int64_t tiles = kt_parts (f->m, f->tiles->rows);
  int64_t n           = 1;

  if (f->pack)
    { /* A packed panel of b is read from a further cache for each block of rows. */
      while (n * 2 <= kt_least (blocks, f->m / PANEL_ROWS))
        n *= 2;
      return f->copy && f->m > n * KT_COPY_ROWS ? kt_parts (f->m, KT_COPY_ROWS) : n;
    }
  if (blocks == 1 || tiles == 1)
    return 1;
  n = kt_parts (tiles, tiles / kt_least (blocks, tiles));
  return n % 2 && n < f->m ? n + 1 : n; /* for two threads */
}

/* Blocks of columns that pack b for themselves, where all rows of a stay in the cache: how many,
 * of BLOCKS at best; 0: they would be too narrow for this machine. */
static int64_t
own_blocks (const kt_fast *f, int64_t blocks, int32_t processors)
{
  const int64_t most = f->chunk / OWN_COLS;

  if (!f->pack || f->packed || f->copy || blocks < 2
      || f->m * f->depth * f->tiles->size > OWN_BYTES || most < enough_blocks (processors)
      || processors > MOST_COLS)
    return 0;
  return kt_least (blocks, most);
}

/* The grid of blocks: whole rows where there are enough of them, so that what follows a
 * product finds whole rows in the cache. */
static void
choose_blocks (kt_fast *f, int32_t processors)
{
  const int64_t unit = f->tiles->width * (f->m <= 2 ? 4 : 2);
  const double work  = 2.0 * (double) f->m * (double) f->chunk * (double) f->span;
  const double cost  = kt_fast_cost (f, f->chunk, f->span);
  double count       = cost < MOST_BLOCKS ? cost : MOST_BLOCKS;
  int64_t blocks     = 1;

  count = work / LONG > count ? work / LONG : count;
  while (processors > 1 && blocks * 2 <= (int64_t) count && blocks < 4096)
    blocks *= 2;
  f->col_blocks = own_blocks (f, blocks, processors);
  f->own        = f->col_blocks > 0;
  f->row_blocks = f->own ? 1 : row_blocks (f, blocks);
  f->col_blocks = f->own ? f->col_blocks : 1;
  blocks        = kt_least (blocks, enough_blocks (processors));
  if (!f->own && f->row_blocks * 2 <= blocks)
    f->col_blocks = kt_least (blocks / f->row_blocks, kt_parts (f->chunk, unit));
  f->block_cols = kt_parts (kt_parts (f->chunk, f->col_blocks), unit) * unit;
  f->block_cols = kt_least (f->block_cols, f->chunk);
  f->col_blocks = kt_parts (f->chunk, f->block_cols);
}

bool
kt_fast_prepare (kt_fast *f, int32_t dtype, int32_t processors)
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

  f->dot   = turned && a_rows && f->m <= KT_MOST_DOT_ROWS && f->k >= f->tiles->width;
  f->pack  = !f->dot && (turned || apart || (!a_rows && f->m >= 128 && f->k >= 128));
  f->copy  = f->pack && f->m >= 32 && f->n >= 64 && f->k >= 64 && !a_rows;
  f->depth = f->k;
  f->chunk = f->n;
  if (f->pack)
    {
      const bool near
          = !f->copy && (f->k * f->n * size <= WHOLE_BYTES || f->m <= PANEL_ROWS);
      const int64_t most = (near ? 4 : 1) * PASS_BYTES / size;
      f->depth           = kt_parts (f->k, kt_parts (f->k, most));
      f->chunk           = kt_least (f->n, PASS_COLS);
    }
  f->span  = f->k * f->n * size <= WHOLE_BYTES && f->chunk == f->n ? f->k : f->depth;
  f->strip = f->depth;
  if (!f->pack && !f->dot && f->m < 32 && row > 1024)
    f->strip = STRIP;
  choose_blocks (f, processors);
  return true;
}

size_t
kt_fast_prepack (kt_fast *f, int32_t processors)
{
  if (f->dot || f->m > FEW_ROWS || f->k * f->n * f->tiles->size > MOST_PACKED
      || (!f->pack && f->m < PACKED_ROWS && (f->strip == f->depth || f->m <= 2)))
    return 0;
  if (!f->pack)
    f->depth = f->strip; /* the same sums, and bits, as when b is not known */
  f->pack   = true;
  f->packed = true;
  f->chunk  = f->n;
  f->span   = f->k;
  choose_blocks (f, processors);
  return kt_fast_scratch (f);
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
