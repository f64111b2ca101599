/* SPDX-License-Identifier: Apache-2.0
 * The order of reductions, which is promised: the bits of ReduceSum against sums in the order
 * of ops/reduce.h, element by element, for 1, 2, 3 and 8 threads; ReduceMax against a loop.
 */
#include "base/pool.h"
#include "graphs.h"
#include "reduce.h"
#include <math.h>

/* [a, b, c, d] reduced over b and d. */
typedef struct
{
  int64_t dims[4];
} Case;

/* The elements of one output: runs of adjoining ones. */
typedef struct
{
  const float *x;
  int64_t run, stride, runs, step; /* of a run; their number and distance */
} Runs;

typedef float Join (float a, float b);

static float
plus (float a, float b)
{
  return a + b;
}

static float
larger (float a, float b)
{
  return b > a || isnan (b) ? b : a;
}

/* A block: elements BEGIN .. BEGIN + N - 1 of runs FIRST .. END - 1. */
static float
block_of (const Runs *r, int64_t first, int64_t end, int64_t begin, int64_t n,
          float start, Join *join)
{
  float lane[KT_LANES];

  for (int l = 0; l < KT_LANES; l++)
    lane[l] = start;
  for (int64_t run = first; run < end; run++)
    for (int64_t i = 0; i < n; i++)
      {
        float *const l = &lane[i % KT_LANES];
        *l             = join (*l, r->x[run * r->step + (begin + i) * r->stride]);
      }
  for (int half = KT_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      lane[l] = join (lane[l], lane[l + half]);
  return lane[0];
}

static float
reduced (const Runs *r, float start, Join *join)
{
  const int64_t group    = r->run < KT_BLOCK ? KT_BLOCK / r->run : 1;
  g_autofree float *part = g_new (float, r->runs *(r->run / KT_BLOCK + 1) + 1);
  int64_t n              = 0;

  for (int64_t run = 0; run < r->runs; run += group)
    for (int64_t begin = 0; begin < r->run; begin += KT_BLOCK)
      part[n++] = block_of (r, run, MIN (run + group, r->runs), begin,
                            MIN (r->run - begin, KT_BLOCK), start, join);
  for (int64_t step = 1; step < n; step *= 2)
    for (int64_t i = 0; i + step < n; i += 2 * step)
      part[i] = join (part[i], part[i + step]);
  return part[0];
}

static KetteTensor *
numbers (const int64_t *dims, gboolean with_nan)
{
  KetteTensor *t = kette_tensor_new (KT_F32, dims, 4, NULL);
  guint32 state  = 5;

  for (size_t i = 0; i < t->count; i++)
    {
      state                  = state * 1664525u + 1013904223u;
      ((float *) t->data)[i] = (float) (state >> 8) / (1 << 23) - 1;
      if (with_nan && i % 701 == 700)
        ((float *) t->data)[i] = NAN;
    }
  return t;
}

static KetteTensor *
run (const char *op, const Case *c, KetteTensor *x, int threads)
{
  g_autoptr (KetteGraph) graph = graph_new (18);
  g_autoptr (KetteTensor) axes = tensor_i64 (2, (const int64_t[]){ -1, 1 });
  KetteValue *in               = graph_input (graph, "x", KT_F32, 4, c->dims);
  GError *error                = NULL;
  KetteTensor *y               = NULL;

  g_assert_true (_kette_graph_add_output (
      graph,
      graph_node (graph, "", op, in, _kette_graph_add_constant (graph, NULL, axes, NULL)),
      NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  _kette_pool_set_threads (threads);
  g_assert_true (kette_session_run (session, &x, &y, NULL, &error));
  g_assert_no_error (error);
  _kette_pool_set_threads (0);
  return y;
}

static void
check (const char *op, const Case *c, float start, Join *join)
{
  const int64_t *n          = c->dims;
  g_autoptr (KetteTensor) x = numbers (n, join == larger), one = run (op, c, x, 1);
  const float *p = x->data, *q = one->data;

  g_assert_cmpuint (one->count, ==, n[0] * n[2]);
  for (int64_t a = 0; a < n[0]; a++)
    for (int64_t k = 0; k < n[2]; k++, q++)
      {
        Runs r = { p + a * n[1] * n[2] * n[3] + k * n[3], n[3], 1, n[1], n[2] * n[3] };
        if (n[2] == 1)
          r = (Runs){ r.x, n[1] * n[3], 1, 1, 0 };
        else if (n[3] == 1)
          r = (Runs){ r.x, n[1], n[2], 1, 0 };
        const float want = reduced (&r, start, join);
        g_assert_true (*q == want || (isnan (*q) && isnan (want)));
      }
  for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1)
    {
      g_autoptr (KetteTensor) many = run (op, c, x, threads);
      g_assert_cmpmem (one->data, one->bytes, many->data, many->bytes);
    }
}

static void
test_case (gconstpointer data)
{
  check ("ReduceSum", data, 0, plus);
  check ("ReduceMax", data, -INFINITY, larger);
}

static const Case cases[] = {
  { { 300, 1, 1, 3 } },  { { 90, 1, 1, 16 } },    { { 90, 1, 1, 17 } },
  { { 1, 1, 70, 33 } },  { { 1, 1, 1280, 49 } },  { { 65, 1, 1, 64 } },
  { { 1, 1, 1, 37 } },   { { 7, 1, 1, 79 } },     { { 130, 1, 1, 513 } },
  { { 3, 1, 1, 4097 } }, { { 2, 1, 1, 100003 } }, { { 5, 40, 3, 50 } },
  { { 1, 200, 3, 40 } }, { { 2, 30, 70, 9 } },    { { 1, 3, 2, 5001 } },
  { { 1, 300, 1, 70 } }, { { 4, 33, 65, 1 } },    { { 1, 9000, 20, 1 } },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const int64_t *n = cases[i].dims;
      g_autofree char *path
          = g_strdup_printf ("/reduce/%" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                             "x%" G_GINT64_FORMAT "x%" G_GINT64_FORMAT,
                             n[0], n[1], n[2], n[3]);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
