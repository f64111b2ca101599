/* SPDX-License-Identifier: Apache-2.0
 *
 * test-far.cc: kernels at elements beyond 2^32: of a grid of that many one thread, or one block,
 * runs alone, in memory of which only what it touches exists. And grids of nothing.
 */
#include "gpu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const int64_t far
    = ((int64_t) 1 << 32) + 12345; /* an element behind all 32-bit ones */
static const int64_t all = far + ((int64_t) 1 << 25);
static int number, failed;

static void
check (bool good, const char *what)
{
  printf ("%sok %d - %s\n", good ? "" : "not ", ++number, what);
  failed += !good;
}

/* N elements of SIZE bytes, all 0; pages come into being when they are written. */
static void *
space (int64_t n, int64_t size)
{
  void *const p = mmap (NULL, (size_t) (n * size), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (p == MAP_FAILED)
    {
      printf ("1..0 # skipped: no room for so many addresses\n");
      exit (0);
    }
  return p;
}

static void
alone (int64_t index)
{
  kt_alone = index;
}

static void
test_moves (float *x, float *y)
{
  kt_move_params m = { x, y, all, 0, 0, { all }, { 1 }, { 1 }, 1, 4 };
  kt_fill_params f = { y, all, { 7 }, 1, 0 };
  x[far]           = 5;
  alone (far);
  kt_move_launch (&m, nullptr);
  check (y[far] == 5, "move");
  kt_fill_launch (&f, nullptr);
  check (((unsigned char *) y)[far] == 7, "fill");

  /* A transposition of [2^20, 4112]: the tile that holds the last elements. */
  const int64_t h = (int64_t) 1 << 20, w = 4112;
  kt_tiles_params t      = { x, y, 0, 0, w, h, w, h, {}, {}, {}, 0, h / 32, 0, 0, 4 };
  t.down                 = (w + 31) / 32;
  t.tiles                = t.down * t.across;
  x[(h - 3) * w + w - 2] = 9;
  alone (t.tiles - 1);
  kt_tiles_launch (&t, nullptr);
  check (y[(w - 2) * h + h - 3] == 9, "tiles");
}

static const kt_formula_row *
row_of (const kt_formula_row *row, const char *word)
{
  while (strcmp (row->word, word) != 0)
    row++;
  return row;
}

static void
test_elements (float *x, float *y)
{
  kt_map_params m = { x, y, all, KT_F32, 0, {} };
  x[far / 4 * 4]  = -3;
  alone (far / 4);
  row_of (kt_map_table, "abs")->f32 (&m, nullptr);
  check (y[far / 4 * 4] == 3, "map, four at a time");

  kt_zip_params z = {};
  z.a = z.b = x;
  z.y       = y;
  z.dtype = z.out_dtype = KT_F32;
  z.at.n                = 2;
  z.at.ndim             = 1;
  z.at.dims[0]          = all / 64;
  z.at.inner            = 64;
  z.at.count            = all / 64 * 64;
  z.at.in[0].step = z.at.in[1].step = 1;
  z.at.in[0].stride[0] = z.at.in[1].stride[0] = 64;
  x[far]                                      = 4;
  alone (far);
  row_of (kt_zip_table, "mul")->f32 (&z, nullptr);
  check (y[far] == 16, "zip");

  kt_clip_params c = { x, nullptr, nullptr, nullptr, y, all, KT_F32, 0 };
  y[far]           = 0;
  kt_clip_launch (&c, nullptr);
  check (y[far] == 4, "clip");
  kt_cast_params k = { x, y, all, KT_F32, KT_U8 };
  kt_cast_launch (&k, nullptr);
  check (((unsigned char *) y)[far] == 4, "cast");

  kt_update_params u = {};
  const float rate   = 0.5f;
  u.rate             = &rate;
  u.x                = x;
  u.g                = x;
  u.new_x            = y;
  u.n                = all;
  alone (far / KT_THREADS);
  kt_sgd_launch (&u, nullptr);
  check (y[far] == 2, "gradient descent");
}

static void
test_indices (float *x, float *y)
{
  int64_t *const at   = (int64_t *) space (all, 8);
  int64_t fault[2]    = {};
  kt_take_params take = {};
  take.p.at           = at;
  take.p.fault        = fault;
  take.p.wide         = 1;
  take.p.count        = all;
  take.p.inner        = 1;
  take.p.n            = all;
  take.p.step         = 1;
  take.x              = x;
  take.y              = y;
  take.size           = 4;
  at[far]             = -7;
  x[all - 7]          = 11;
  alone (far);
  kt_take_launch (&take, nullptr);
  check (y[far] == 11 && fault[0] == 0, "elements that indices name");
  at[far] = all;
  kt_take_launch (&take, nullptr);
  check (fault[0] == far * 2 + 1 && fault[1] == all, "an index out of range is told");

  kt_rows_params rows = { x, at, y, fault, 1, all, 1, all, 4, 1 };
  at[far]             = far + 1;
  x[far + 1]          = 13;
  kt_gather_launch (&rows, nullptr);
  check (y[far] == 13, "rows that indices name");

  const float values[] = { 1, 2 };
  kt_hot_params hot    = { at, values, y, all / 1024, 1024, 1, -1024, KT_I64, 4 };
  at[far / 1024]       = far % 1024;
  kt_hot_launch (&hot, nullptr);
  check (y[far] == 2, "one hot");
  munmap (at, (size_t) (all * 8));
}

static void
test_sort ()
{
  const int64_t n         = (int64_t) 1 << 33;
  kt_sorted *const e      = (kt_sorted *) space (n, sizeof *e);
  const kt_sort_params p  = { e, n, n, 0, 0 };
  const int64_t last_tile = n / KT_SORT_TILE - 1;

  /* The last tile alone goes through the launches; in all but the last it falls. */
  for (int i = 0; i < KT_SORT_TILE; i++)
    {
      e[n - KT_SORT_TILE + i].key = (uint64_t) (i * 37 % KT_SORT_TILE);
      e[n - KT_SORT_TILE + i].at  = i;
    }
  alone (last_tile);
  kt_sort_launch (&p, nullptr);
  bool sorted = true;
  for (int i = 0; i + 1 < KT_SORT_TILE; i++)
    sorted = sorted && e[n - KT_SORT_TILE + i].key < e[n - KT_SORT_TILE + i + 1].key;
  check (sorted, "the last tile of a list");

  /* 2^32 lines of two elements each, of which one is taken. */
  munmap (e, (size_t) n * sizeof *e);
  unsigned char *const x = (unsigned char *) space (2 * all, 1);
  int64_t *const places  = (int64_t *) space (all, 8);
  kt_top_params t        = {};
  t.x                    = x;
  t.places               = places;
  t.lines                = all;
  t.n                    = 2;
  t.inner                = 1;
  t.k                    = 1;
  t.length               = 2;
  t.dtype                = KT_U8;
  t.size                 = 1;
  x[2 * far + 1]         = 1;
  alone (far);
  kt_top_launch (&t, nullptr);
  check (places[far] == 1, "the best of a line");
  munmap (x, (size_t) (2 * all));
  munmap (places, (size_t) (all * 8));
}

static void
test_resize (float *x, float *y)
{
  static const int32_t first[] = { 0, 0 }, range[] = { 0, 2 };
  static const float weight[] = { 1, 2 };
  kt_resize_params p          = {};
  p.x                         = x;
  p.y                         = y;
  p.weight                    = weight;
  p.first                     = first;
  p.pre                       = all / 2;
  p.in                        = 1;
  p.out                       = 2;
  p.inner                     = 1;
  p.taps                      = 1;
  p.from = p.to = KT_F32;
  x[far / 2]    = 3;
  alone (far);
  kt_resize_launch (&p, nullptr);
  check (y[far] == (far % 2 ? 6 : 3), "resize");

  p.range                    = range;
  p.pre                      = all;
  p.in                       = 1;
  p.out                      = 1;
  x[far]                     = 5;
  static const int32_t one[] = { 0, 1 };
  p.range                    = one;
  kt_resize_launch (&p, nullptr);
  check (y[far] == 5, "resize, transposed");

  kt_nearest_params n = {};
  n.x                 = x;
  n.y                 = y;
  n.count             = all;
  n.ndim              = 1;
  n.out[0]            = all;
  n.stride[0]         = 1;
  n.size              = 4;
  y[far]              = 0;
  kt_nearest_launch (&n, nullptr);
  check (y[far] == 5, "the nearest element");
}

static void
test_sums (float *x, float *y)
{
  kt_reduce_params r = {};
  r.x                = x;
  r.y                = y;
  r.outs             = all / 2;
  r.count = r.run = 2;
  r.columns = r.step = r.stride = r.runs = r.parts = r.group = r.blocks = 1;
  r.n_kept                                                              = 1;
  r.kept_dims[0]                                                        = all / 2;
  r.kept[0]                                                             = 2;
  r.rows                                                                = 1;
  const kt_reduce_row *row                                              = kt_reduce_table;
  while (strcmp (row->word, "reduce_sum") != 0 || row->dtype != KT_F32)
    row++;
  x[far / 2 * 2]     = 3;
  x[far / 2 * 2 + 1] = 4;
  alone (far / 2 / 16);
  row->launch (&r, nullptr);
  check (y[far / 2] == 7, "a sum");

  kt_softmax_params s        = { x, x, y, all / 2, 2, 1, KT_F32, 0 };
  const kt_softmax_row *soft = kt_softmax_table;
  while (strcmp (soft->word, "softmax") != 0)
    soft++;
  x[far / 2 * 2 + 1] = 3;
  soft->f32 (&s, nullptr);
  check (y[far / 2 * 2] == 0.5f, "softmax");

  int64_t *const at = (int64_t *) space (all / 2, 8);
  kt_arg_params a   = { x, at, all / 2, 2, 1, KT_F32, 0, 0, 0 };
  x[far / 2 * 2]    = 1;
  alone (far / 2);
  kt_arg_launch (&a, nullptr);
  check (at[far / 2] == 1, "the largest of two");
  munmap (at, (size_t) (all / 2 * 8));
}

/* The launches of nothing touch nothing (but OneHot its two values). */
static void
test_nothing ()
{
  const kt_put_params put         = {};
  kt_sort_params sort             = {};
  const kt_take_params take       = {};
  static const float values[2]    = {};
  const kt_hot_params hot         = { nullptr, values, nullptr, 0, 0, 0, 0, KT_I64, 4 };
  const kt_top_params top         = {};
  kt_resize_params pass           = {};
  const kt_nearest_params nearest = {};
  static const int32_t range[1]   = {};

  kt_alone    = -1;
  sort.length = 1;
  kt_put_launch (&put, nullptr);
  kt_sort_launch (&sort, nullptr);
  kt_take_launch (&take, nullptr);
  kt_hot_launch (&hot, nullptr);
  kt_top_launch (&top, nullptr);
  kt_resize_launch (&pass, nullptr);
  pass.range = range;
  kt_resize_launch (&pass, nullptr);
  kt_nearest_launch (&nearest, nullptr);
  check (true, "nothing");
}

int
main ()
{
  setvbuf (stdout, nullptr, _IOLBF, 0);

  float *const x = (float *) space (all, 4), *const y = (float *) space (all, 4);

  test_moves (x, y);
  test_elements (x, y);
  test_indices (x, y);
  test_sort ();
  test_resize (x, y);
  test_sums (x, y);
  test_nothing ();
  printf ("1..%d\n", number);
  return failed ? 1 : 0;
}
