/* SPDX-License-Identifier: Apache-2.0
 * Graphs whose shapes depend on contents, on devices: only what must be is the host's, what comes
 * behind is on the device again, and the bits are those of the CPU.
 */
#include "../unit/graphs.h"
#include "exec/places.h"
#include "exec/session-private.h"
#include <string.h>

enum
{
  N = 24
};

static const int64_t dims[] = { N };

static KetteValue *
constant (KetteGraph *graph, int dtype, int rank, int64_t n, double first, double step)
{
  KetteTensor *t  = kette_tensor_new (dtype, &n, (guint) rank, NULL);
  KetteValue *out = NULL;

  for (size_t i = 0; i < t->count; i++)
    _kette_tensor_set_double (t, i, first + step * (double) i);
  out = _kette_graph_add_constant (graph, NULL, t, NULL);
  g_assert_nonnull (out);
  kette_tensor_unref (t);
  return out;
}

static KetteValue *
unary (KetteGraph *graph, const char *op, KetteValue *a)
{
  return graph_node (graph, "", op, a, NULL);
}

static void
make_output (KetteGraph *graph, KetteValue *value)
{
  g_assert_true (_kette_graph_add_output (graph, value, NULL));
}

/* The larger ones among x, and what follows from them; beside it what does not depend on them. */
static KetteGraph *
compress_new (void)
{
  KetteGraph *g = graph_new (18);
  KetteValue *x = graph_input (g, "x", KT_F32, 1, dims);
  KetteValue *a = unary (g, "Sigmoid", x);
  KetteValue *large
      = graph_node (g, "", "Greater", a, constant (g, KT_F32, 0, 1, 0.4, 0));
  KetteValue *some   = graph_node (g, "", "Compress", unary (g, "Neg", a), large);
  KetteValue *behind = unary (
      g, "Exp", graph_node (g, "", "Add", some, constant (g, KT_F32, 1, 1, 2, 0)));

  make_output (g, unary (g, "Tanh", a));
  make_output (g, behind);
  make_output (g, unary (g, "Abs", a));
  return g;
}

/* Indices, twice: what is known only at the run decides what is known only later. */
static KetteGraph *
twice_new (void)
{
  KetteGraph *g  = graph_new (18);
  KetteValue *x  = graph_input (g, "x", KT_F32, 1, dims);
  KetteValue *at = unary (g, "NonZero", unary (g, "Relu", unary (g, "Neg", x)));
  KetteValue *some
      = graph_node (g, "", "GatherElements", x,
                    graph_node (g, "", "Reshape", at, constant (g, KT_I64, 1, 1, -1, 0)));
  KetteValue *again = graph_node (
      g, "", "Compress", unary (g, "Exp", some),
      graph_node (g, "", "Less", some, constant (g, KT_F32, 0, 1, -0.5, 0)));

  make_output (g, unary (g, "Neg", some));
  make_output (g, unary (g, "Sigmoid", again));
  return g;
}

/* TopK whose k is computed, and a product behind it with weights of its own. */
static KetteGraph *
topk_new (void)
{
  KetteGraph *g      = graph_new (18);
  KetteValue *x      = graph_input (g, "x", KT_F32, 1, dims);
  KetteValue *low[2] = { NULL }, *in[2];
  KetteValue *k      = _kette_graph_add_value (g, NULL, NULL);
  const kt_attr to   = { .name = "to", .kind = KT_A_INT, .i = KT_I64 };
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = 1 };
  KetteValue *peak   = _kette_graph_add_value (g, NULL, NULL);
  KetteValue *scaled = graph_node (g, "", "Mul", x, constant (g, KT_F32, 1, 1, 3, 0));

  _kette_graph_add_node (g, "peak", "", "ReduceMax", 18, &scaled, 1, &peak, 1, &keep, 1,
                         NULL);
  _kette_graph_add_node (g, "k", "", "Cast", 18, &peak, 1, &k, 1, &to, 1, NULL);
  in[0] = unary (g, "Tanh", x);
  in[1] = k;
  for (int i = 0; i < 2; i++)
    low[i] = _kette_graph_add_value (g, NULL, NULL);
  _kette_graph_add_node (g, "best", "", "TopK", 18, in, 2, low, 2, NULL, 0, NULL);
  make_output (g, unary (g, "Exp", low[0]));
  make_output (g, low[1]);
  return g;
}

typedef struct
{
  const char *name;
  KetteGraph *(*graph) (void);
  size_t n_outputs;
  const char *texts[6]; /* of the plan on the guard */
} Case;

static const Case cases[] = {
  { "compress",
    compress_new,
    3,
    { "guard:0: 5 steps", "(NonZero): the size of its result depends on contents",
      "placed at the run, when their shapes are known:", "(Exp)\n", NULL } },
  { "twice",
    twice_new,
    2,
    { "guard:0: ", "(NonZero): the size of its result depends on contents", "(Sigmoid)\n",
      NULL } },
  { "topk", topk_new, 2, { "guard:0: 4 steps", "(TopK)", "(Exp)\n", NULL } },
};

static KetteTensor *
input_of (int run)
{
  KetteTensor *x = kette_tensor_new (KT_F32, dims, 1, NULL);

  for (int i = 0; i < N; i++)
    ((float *) x->data)[i] = (float) ((i * 7 + run * 5) % 19 - 9) / 6;
  return x;
}

/* Runs 0 .. 3 of C; the plan as text, for DEVICE NULL none. */
static gboolean
run_all (const Case *c, const char *device, const char *const *place, KetteTensor **out,
         char **plan, GError **error)
{
  g_autoptr (KetteGraph) graph = c->graph ();
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, 0, device, place, error);
  gboolean ok = session != NULL;

  memset (out, 0, 4 * c->n_outputs * sizeof *out);
  for (int run = 0; ok && run < 4; run++)
    {
      g_autoptr (KetteTensor) x = input_of (run);
      ok = kette_session_run (session, &x, &out[(size_t) run * c->n_outputs], NULL,
                              error);
      if (ok && run == 0 && plan)
        *plan = kette_session_explain (session, &x, NULL, NULL);
    }
  return ok;
}

static void
free_all (const Case *c, KetteTensor **out)
{
  for (size_t i = 0; i < 4 * c->n_outputs; i++)
    kette_tensor_unref (out[i]);
}

static void
check (const Case *c, const char *device, const char *const *place,
       const char *const *texts)
{
  KetteTensor *wanted[16], *got[16];
  g_autofree char *plan = NULL;
  GError *error         = NULL;

  run_all (c, NULL, NULL, wanted, NULL, &error);
  g_assert_no_error (error);
  run_all (c, device, place, got, &plan, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < 4 * c->n_outputs; i++)
    g_assert_true (_kette_tensor_equal (wanted[i], got[i]));
  for (; texts && *texts; texts++)
    if (!strstr (plan, *texts))
      g_error ("\"%s\" is not in\n%s", *texts, plan);
  free_all (c, wanted);
  free_all (c, got);
}

static void
test_bits (gconstpointer data)
{
  const Case *c = data;
  const char *const place[]
      = { "Neg=guard:0", "Exp=cpu", "Sigmoid=guard:1", "T*=guard:0", NULL };
  const char *const rest[] = { "Exp=guard:1", "Sigmoid=guard:1", NULL };

  for (int i = 0; i < 8; i++)
    {
      g_autofree char *knobs
          = g_strdup_printf ("seed=%d%s%s,delay=%d", i + 1, i % 2 ? ",reorder" : "",
                             i % 3 ? "" : ",lazy", i % 4 ? 0 : 40);
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      check (c, "guard", NULL, i ? NULL : c->texts);
      check (c, "guard:1", place, NULL);
      check (c, NULL, rest, NULL);
    }
  g_setenv ("KETTE_GUARD", "", TRUE);
}

/* What comes behind is on the device again: a launch of it can fail there. */
static void
test_behind (void)
{
  gboolean found = FALSE, failed = TRUE;

  for (int n = 1; failed && n < 200; n++)
    {
      g_autofree char *knobs   = g_strdup_printf ("fail=%d", n);
      g_autoptr (GError) error = NULL;
      KetteTensor *out[16];
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      failed = !run_all (&cases[0], "guard", NULL, out, NULL, &error);
      found  = found || (failed && strstr (error->message, "\"Exp\" failed on demand"))
              || (failed && strstr (error->message, "\"Add\" failed on demand"));
      if (failed)
        g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      free_all (&cases[0], out);
    }
  g_setenv ("KETTE_GUARD", "", TRUE);
  g_assert_true (found);
  g_assert_false (failed);
}

/* Weights of what comes behind go there once, not at each run. */
static void
test_weights (void)
{
  g_autoptr (KetteGraph) graph = compress_new ();
  GError *error                = NULL;
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, 0, "guard", NULL, &error);
  g_autoptr (KetteTensor) x = input_of (0);
  KetteTensor *y[3];

  g_assert_no_error (error);
  for (int i = 0; i < 2; i++)
    {
      g_assert_true (kette_session_run (session, &x, y, NULL, &error));
      for (int k = 0; k < 3; k++)
        kette_tensor_unref (y[k]);
    }
  /* The constants of Greater, and of Reshape (in Compress) and Add, which are planned later. */
  g_assert_cmpint (g_atomic_int_get (&_kette_resident_tensors), ==, 3);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_setenv ("KETTE_GUARD", "", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/later/bits/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_bits);
    }
  g_test_add_func ("/later/behind", test_behind);
  g_test_add_func ("/later/weights", test_weights);
  return g_test_run ();
}
