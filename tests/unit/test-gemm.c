/* SPDX-License-Identifier: Apache-2.0
 * The micro-kernels of matrix products against sums in double: all transpositions, all edges,
 * alpha and beta, what is added, NaN and infinities; nothing beyond the operands is touched.
 */
#include <glib.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "gemm-fast.h"

/* Operands end where memory ends: what is read beyond them is a crash. */
enum
{
  ROOM = 4 << 20,
  PAGE = 4096
};

static char *places[4];

static void *
place (int i, size_t bytes)
{
  if (!places[i])
    {
      places[i] = mmap (NULL, ROOM + PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      g_assert_true (places[i] != MAP_FAILED);
      g_assert_cmpint (mprotect (places[i] + ROOM, PAGE, PROT_NONE), ==, 0);
    }
  g_assert_cmpuint (bytes, <=, ROOM - 64);
  return places[i] + ROOM - bytes;
}

typedef struct
{
  int dtype, m, n, k, addend; /* 0: none; 1: a row; 2: a matrix; 3: what y holds */
  gboolean turn_a, turn_b, strange;
  double alpha, beta;
} Case;

static double
get (const Case *c, const void *data, int64_t i)
{
  return c->dtype == KT_F32 ? (double) ((const float *) data)[i]
                            : ((const double *) data)[i];
}

static void
set (const Case *c, void *data, int64_t i, double v)
{
  if (c->dtype == KT_F32)
    ((float *) data)[i] = (float) v;
  else
    ((double *) data)[i] = v;
}

static void *
fill (const Case *c, int at, int64_t n, uint32_t *state)
{
  void *data = place (at, (size_t) n * kt_size_of (c->dtype));

  for (int64_t i = 0; i < n; i++)
    {
      *state = *state * 1664525 + 1013904223;
      set (c, data, i,
           c->strange && *state >> 24 == 7    ? (double) NAN
           : c->strange && *state >> 24 == 11 ? (double) INFINITY
           : c->strange && *state >> 24 == 13 ? (double) -INFINITY
                                              : (double) (*state >> 8) / (1 << 23) - 1);
    }
  return data;
}

/* Element (i,j) as it should be, and the sum of the sizes of what was added up. */
static double
expected (const Case *c, const void *a, const void *b, double from, int i, int j,
          double *size)
{
  double sum = 0;

  *size = 0;
  for (int p = 0; p < c->k; p++)
    {
      const double x
          = get (c, a, c->turn_a ? p * (int64_t) c->m + i : i * (int64_t) c->k + p)
            * get (c, b, c->turn_b ? j * (int64_t) c->k + p : p * (int64_t) c->n + j);
      sum += x;
      *size += fabs (x);
    }
  *size = fabs (c->alpha) * *size + fabs (c->beta * from);
  return c->addend ? c->alpha * sum + c->beta * from : c->alpha * sum;
}

/* The same bits from a B that was packed before. */
static void
check_prepacked (kt_fast f, const kt_fast_operands *o, const void *old, const Case *c)
{
  const gsize bytes       = (gsize) (f.m * f.n) * kt_size_of (c->dtype);
  g_autofree char *again  = g_memdup2 (c->addend == 3 ? old : o->y, bytes);
  kt_fast_operands other  = *o;
  const size_t room       = kt_fast_prepack (&f, 2);
  g_autofree char *packed = g_malloc (room + 64);
  char *const at          = packed + (64 - (uintptr_t) packed % 64) % 64;

  if (room == 0)
    return;
  kt_fast_pack (&f, o->b, at);
  other.b = NULL;
  other.y = again;
  other.c = c->addend == 3 ? again : o->c;
  kt_fast_product (&f, &other, at);
  for (gsize i = 0; i < (gsize) (f.m * f.n); i++)
    if (!isnan (get (c, o->y, (int64_t) i)))
      g_assert_cmpfloat (get (c, again, (int64_t) i), ==, get (c, o->y, (int64_t) i));
}

static void
check (const Case *c)
{
  const int64_t s = (int64_t) kt_size_of (c->dtype), count = (int64_t) c->m * c->n;
  const double unit = c->dtype == KT_F32 ? 0x1p-24 : 0x1p-53;
  uint32_t state    = (uint32_t) (c->m * 131 + c->n * 17 + c->k);
  kt_fast f         = { .m     = c->m,
                        .n     = c->n,
                        .k     = c->k,
                        .a_row = c->turn_a ? 1 : c->k,
                        .a_col = c->turn_a ? c->m : 1,
                        .b_row = c->turn_b ? 1 : c->n,
                        .b_col = c->turn_b ? c->k : 1,
                        .c_row = c->addend == 1 ? 0 : c->n };
  void *a           = fill (c, 0, (int64_t) c->m * c->k, &state);
  void *b           = fill (c, 1, (int64_t) c->k * c->n, &state);
  void *y           = fill (c, 2, count, &state);
  void *from = c->addend == 3 ? y : fill (c, 3, c->addend == 1 ? c->n : count, &state);
  g_autofree char *old = g_memdup2 (from, (gsize) ((c->addend == 1 ? c->n : count) * s));
  const kt_fast_operands o = { a, b, c->addend ? from : NULL, y, c->alpha, c->beta };

  g_assert_true (kt_fast_prepare (&f, c->dtype, 1 + c->m % 4));
  g_autofree char *scratch = g_malloc (kt_fast_scratch (&f) + 64);
  memset ((char *) y - 32, 0x5a, 32);
  kt_fast_product (&f, &o, scratch + (64 - (uintptr_t) scratch % 64) % 64);
  check_prepacked (f, &o, old, c);
  for (int i = 0; i < 32; i++)
    g_assert_cmpint (((char *) y)[i - 32], ==, 0x5a);
  for (int64_t i = 0; i < count; i++)
    {
      double size;
      const double was = c->addend ? get (c, old, c->addend == 1 ? i % c->n : i) : 0;
      const double want
          = expected (c, a, b, was, (int) (i / c->n), (int) (i % c->n), &size);
      const double got = get (c, y, i);
      if (isnan (want)   ? isnan (got)
          : isinf (want) ? got == want
                         : fabs (got - want) <= (c->k + 3) * unit * size)
        continue;
      g_error ("%s, %d x %d x %d%s%s, addend %d, alpha %g: element %d is %.9g, not %.9g",
               f.tiles->name, c->m, c->n, c->k, c->turn_a ? ", A turned" : "",
               c->turn_b ? ", B turned" : "", c->addend, c->alpha, (int) i, got, want);
    }
}

static void
check_turned (Case c)
{
  for (int t = 0; t < 4; t++)
    {
      c.turn_a = t & 1;
      c.turn_b = t >> 1;
      c.addend = (c.m + c.n + t) % 4;
      c.alpha  = (c.m + t) % 3 ? 1 : -0.375;
      c.beta   = c.n % 3 ? 1 : 0.75;
      check (&c);
    }
}

static void
test_edges (gconstpointer vectors)
{
  g_setenv ("KETTE_VECTORS", vectors, TRUE);
  if (!kt_tiles_for (KT_F32) || !strstr (vectors, kt_tiles_for (KT_F32)->name))
    {
      g_test_skip ("this processor has no such vectors");
      return;
    }
  for (int m = 1; m <= 40; m++)
    for (int n = 1; n <= 40; n++)
      {
        const int k = 1 + (m * 7 + n * 13) % 40;
        check_turned ((Case){ .dtype = KT_F32, .m = m, .n = n, .k = k });
        check_turned ((Case){ .dtype = KT_F64, .m = m, .n = n, .k = k });
        check_turned ((Case){ .dtype = KT_F32, .m = m, .n = n, .k = k, .strange = TRUE });
      }
}

/* Sizes with passes, copies, strips; rows of b that fall upon each other in the cache. */
static void
test_large (gconstpointer vectors)
{
  static const int sizes[][3]
      = { { 1, 700, 300 },   { 2, 2000, 150 },  { 3, 1100, 70 },  { 5, 1025, 130 },
          { 40, 1024, 129 }, { 33, 1100, 65 },  { 65, 96, 1030 }, { 200, 70, 300 },
          { 129, 512, 257 }, { 300, 33, 1025 }, { 14, 64, 2000 }, { 512, 48, 64 } };

  g_setenv ("KETTE_VECTORS", vectors, TRUE);
  if (!kt_tiles_for (KT_F32) || !strstr (vectors, kt_tiles_for (KT_F32)->name))
    {
      g_test_skip ("this processor has no such vectors");
      return;
    }
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (int dtype = KT_F32; dtype <= KT_F64; dtype += KT_F64 - KT_F32)
      check_turned (
          (Case){ .dtype = dtype, .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2] });
}

static void
test_refused (void)
{
  kt_fast strange
      = { .m = 4, .n = 4, .k = 4, .a_row = 8, .a_col = 2, .b_row = 4, .b_col = 1 };
  kt_fast empty
      = { .m = 4, .n = 4, .k = 0, .a_row = 1, .a_col = 1, .b_row = 4, .b_col = 1 };
  kt_fast whole
      = { .m = 4, .n = 4, .k = 4, .a_row = 4, .a_col = 1, .b_row = 4, .b_col = 1 };

  g_unsetenv ("KETTE_VECTORS");
  g_assert_false (kt_fast_prepare (&strange, KT_F32, 2));
  g_assert_false (kt_fast_prepare (&empty, KT_F32, 2));
  g_assert_false (kt_fast_prepare (&whole, KT_I32, 2));
  g_setenv ("KETTE_VECTORS", "none", TRUE);
  g_assert_false (kt_fast_prepare (&whole, KT_F32, 2));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/gemm/edges/avx2", "avx2", test_edges);
  g_test_add_data_func ("/gemm/edges/avx512", "avx512", test_edges);
  g_test_add_data_func ("/gemm/large/avx2", "avx2", test_large);
  g_test_add_data_func ("/gemm/large/avx512", "avx512", test_large);
  g_test_add_func ("/gemm/refused", test_refused);
  return g_test_run ();
}
