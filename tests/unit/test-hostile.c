/* SPDX-License-Identifier: Apache-2.0
 * Files made to hurt: many names with one hash, long chains, deep nesting, nodes with thousands
 * of inputs, names in any script, and what fuzzing found.
 */
#include "exec/session.h"
#include "exec/transform.h"
#include "io/io-private.h"
#include "io/io.h"
#include "pack.h"

static KetteGraph *
load (GString *text)
{
  g_autoptr (GBytes) bytes = pack (text->str);
  GError *error            = NULL;
  KetteGraph *graph        = kette_graph_load_bytes (bytes, &error);

  g_assert_no_error (error);
  g_string_free (text, TRUE);
  return graph;
}

static GString *
begin (void)
{
  return g_string_new ("1:8 8:{2:18} 7:{" INPUT ("x"));
}

/* "BY" and "C8" have one value of g_str_hash (33 a + b), and so has each text made of them. */
static void
name_of (guint n, char out[40])
{
  for (int bit = 0; bit < 17; bit++)
    memcpy (out + 2 * bit, n >> bit & 1 ? "C8" : "BY", 2);
  out[34] = '\0';
}

static void
test_equal_hashes (void)
{
  const guint n            = 100000;
  GString *text            = begin ();
  g_autoptr (GBytes) bytes = NULL;
  GError *error            = NULL;
  char before[40]          = "x", name[40];
  KetteGraph *graph;
  gint64 start;

  for (guint i = 0; i < n; i++)
    {
      name_of (i, name);
      if (i > 0)
        g_assert_cmpuint (g_str_hash (name), ==, g_str_hash (before));
      g_string_append_printf (text, "1:{1:'%s' 2:'%s' 4:'Neg'} ", before, name);
      memcpy (before, name, sizeof name);
    }
  g_string_append_printf (text, "12:{1:'%s' 2:{1:{1:1}}}}", before);
  bytes = pack (text->str);
  g_string_free (text, TRUE);
  start = g_get_monotonic_time ();
  graph = kette_graph_load_bytes (bytes, &error);
  g_assert_no_error (error);
  g_test_message ("%u names with one hash: %.3f s", n,
                  (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  /* A table that is searched one by one takes minutes; sanitizers take a second. */
  g_assert_cmpint (g_get_monotonic_time () - start, <, 10 * G_USEC_PER_SEC);
  g_assert_cmpuint (graph->n_nodes, ==, n);
  kette_graph_unref (graph);
}

/* RUN: loads, is checked, planned and run, saved, loaded again. */
static void
through_all (KetteGraph *graph, float x, float y)
{
  const gint64 dims[]              = { 4 };
  GError *error                    = NULL;
  g_autoptr (KetteTensor) in       = kette_tensor_new (KT_F32, dims, 1, &error);
  g_autoptr (KetteTensor) out      = NULL;
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_autoptr (GBytes) bytes         = NULL;
  g_autoptr (KetteGraph) again     = NULL;

  g_assert_no_error (error);
  for (int i = 0; i < 4; i++)
    ((float *) in->data)[i] = x;
  kette_session_run (session, &in, &out, NULL, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < out->count; i++)
    g_assert_cmpfloat (((const float *) out->data)[i], ==, y);
  bytes = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  again = kette_graph_load_bytes (bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->n_nodes, ==, graph->n_nodes);
}

static void
test_chain (void)
{
  const guint n = 100000;
  GString *text = begin ();
  KetteGraph *graph;

  /* From the end, so that sorting has work to do. */
  for (guint i = n; i > 0; i--)
    g_string_append_printf (text, "1:{1:'%s%u' 2:'v%u' 4:'Neg'} ", i > 1 ? "v" : "x",
                            i - 1, i);
  g_string_append_printf (text, "12:{1:'v%u' 2:{1:{1:1}}}}", n);
  {
    /* The first node reads x, not x0. */
    char *first = strstr (text->str, "'x0'");

    g_assert_nonnull (first);
    g_string_erase (text, first - text->str + 2, 1);
  }
  graph = load (text);
  through_all (graph, 3, 3);
  kette_graph_unref (graph);
}

/* 30 subgraphs in each other; what is innermost reads the outermost input. */
static void
test_nesting (void)
{
  GString *text
      = g_string_new ("1:8 8:{2:18} 7:{11:{1:'c' 2:{1:{1:9 2:{}}}}" INPUT ("x"));
  g_autoptr (GBytes) bytes = NULL;
  GError *error            = NULL;
  KetteGraph *graph;

  for (int i = 0; i < 30; i++)
    g_string_append_printf (
        text,
        "1:{1:'c' 2:'y%d' 4:'If' 5:{1:'else_branch' 20:5 6:{1:{1:'x' 2:'e%d' "
        "4:'Neg'} 12:{1:'e%d'}}} 5:{1:'then_branch' 20:5 6:{12:{1:'y%d'} ",
        i, i, i, i + 1);
  g_string_append (text, "1:{1:'x' 2:'y30' 4:'Abs'} ");
  for (int i = 0; i < 30; i++)
    g_string_append (text, "}}} ");
  g_string_append (text, "12:{1:'y0' 2:{1:{1:1}}}}");
  graph = load (text);
  kette_graph_check (graph, TRUE, &error);
  g_assert_no_error (error);
  bytes = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  kette_graph_unref (graph);
}

static void
test_variadic (void)
{
  const int n   = 5000;
  GString *text = begin ();
  KetteGraph *graph;

  g_string_append (text, "1:{");
  for (int i = 0; i < n; i++)
    g_string_append (text, "1:'x' ");
  g_string_append (text, "2:'y' 4:'Sum'} 1:{");
  for (int i = 0; i < n; i++)
    g_string_append (text, "1:'y' ");
  g_string_append (text, "2:'z' 4:'Concat' 5:{1:'axis' 3:0 20:2}} " OUTPUT ("z") "}");
  graph = load (text);
  through_all (graph, 2, 2.0f * (float) n);
  kette_graph_unref (graph);
}

/* Any script and any printable character; also forms that look alike but are not the same. */
static void
test_scripts (void)
{
  static const char *const names[] = {
    "größe",        "вес",           "重み", "가중치",    "وزن",      "משקל",
    "ค่า",           "βάρος",         "🔗",    "e\xcc\x81", "\xc3\xa9", "a b",
    "a/b:c;d.e[0]", "{\"json\": 1}", "\"\\", "<b>&amp;",  "%s%n$0",   "\xe2\x80\xae",
    "\x7f"
  };
  GString *text      = begin ();
  const char *before = "x";
  KetteGraph *graph;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_string_append_printf (text, "1:{1:'%s' 2:'%s' 3:'%s' 4:'Abs'} ", before, names[i],
                              names[i]);
      before = names[i];
    }
  g_string_append_printf (text, "12:{1:'%s' 2:{1:{1:1}}}}", before);
  graph = load (text);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_nonnull (_kette_graph_find (graph, names[i]));
  through_all (graph, -3, 3);
  kette_graph_unref (graph);
}

/* What fuzzing found, where the error is worth a test of its own. */
static void
test_finds (void)
{
  static const struct
  {
    const char *model, *error;
  } cases[] = {
    { "1:8 8:{2:18} 7:{11:{1:'x' 2:{8:{1:1 2:{1:{1:2}}}}} 1:{1:'x' 2:'y' "
      "4:'Shape'} " OUTPUT ("y") "}",
      "type: node #0 (Shape): input 0 (data) is sparse float32[2], which Shape-15 does "
      "not "
      "take" },
    { "1:8 8:{2:18} 7:{11:{1:'x' 2:{4:{1:{1:{1:1}}}}} 1:{1:'x' 2:'y' 4:'Relu'} " OUTPUT (
          "y") "}",
      "type: node #0 (Relu): input 0 (X) is sequence(float32[...]), which Relu-14 does "
      "not "
      "take" },
    { "1:8 8:{2:18} 7:{" INPUT ("x") "1:{1:'x' 1:'' 2:'y' 4:'Max'} " OUTPUT ("y") "}",
      "graph: node #0 (Max): the required input 1 (data_0) is absent" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes     = pack (cases[i].model);
      GError *error                = NULL;
      g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);

      g_assert_no_error (error);
      g_assert_false (kette_graph_check (graph, FALSE, &error));
      g_assert_cmpstr (error->message + strlen ("<memory>: "), ==, cases[i].error);
      g_clear_error (&error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hostile/equal-hashes", test_equal_hashes);
  g_test_add_func ("/hostile/chain", test_chain);
  g_test_add_func ("/hostile/nesting", test_nesting);
  g_test_add_func ("/hostile/variadic", test_variadic);
  g_test_add_func ("/hostile/scripts", test_scripts);
  g_test_add_func ("/hostile/finds", test_finds);
  return g_test_run ();
}
