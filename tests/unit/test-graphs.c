/* SPDX-License-Identifier: Apache-2.0
 * Attributes that hold several graphs, and graphs that are defaults of a function's attributes:
 * loaded, judged, saved; nothing runs them.
 */
#include "exec/diff.h"
#include "exec/session.h"
#include "exec/transform.h"
#include "io/io-private.h"
#include "op/plugins.h"
#include "pack.h"

#define BRANCH(field, op, in, out) field ":{" NODE ("b", op, in, out) OUTPUT (out) "} "
/* Field 11 of an attribute: graphs; its type is 10. */
#define PAIR_OF_RELU "1:{1:'x' 1:'x' 2:'t' 3:'b' 4:'Relu'} 12:{1:'t' 2:{1:{1:1}}} "
#define CASES(graphs)                                                                    \
  MODEL (INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y' 3:'n' 4:'Cases' 7:'com.x' "            \
                                  "5:{1:'first' 3:7 20:2} 5:{1:'graphs' 20:10 " graphs   \
                                  "}} ")                                                 \
  "8:{1:'com.x' 2:1} "
#define TWO CASES (BRANCH ("11", "Relu", "x", "t0") BRANCH ("11", "Neg", "x", "t1"))
#define FUNCTION(attribute)                                                              \
  MODEL (INPUT ("x") OUTPUT ("y") "1:{1:'x' 2:'y' 3:'c' 4:'f' 7:'l'} ")                  \
  "8:{1:'l' 2:1} 25:{1:'f' 4:'a' 5:'b' 7:{1:'a' 2:'b' 3:'n' 4:'Apply' 7:'com.x' "        \
  "5:{1:'graph' 20:5 21:'g'}} 9:{1:'com.x' 2:1} 9:{2:13} 10:'l' 11:{1:'g' " attribute    \
  "}} "
#define DEFAULT FUNCTION ("20:5 " BRANCH ("6", "Relu", "a", "t"))

static KetteGraph *
load (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pack (text);
  KetteGraph *graph        = kette_graph_load_bytes (bytes, &error);

  if (!graph)
    g_test_message ("%s", text);
  g_assert_no_error (error);
  return graph;
}

/* Sound, saved with the same content, and nothing is left behind. */
static void
test_whole (gconstpointer data)
{
  const size_t before = _kette_account_process ()->used;
  KetteGraph *graph   = load (data), *again;
  GError *error       = NULL;
  GBytes *saved, *saved_again;
  gboolean equal;

  g_assert_true (kette_graph_check (graph, TRUE, &error));
  g_assert_no_error (error);
  saved = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  again = kette_graph_load_bytes (saved, &error);
  g_assert_no_error (error);
  saved_again = _kette_graph_to_bytes (again, &error);
  g_assert_true (g_bytes_equal (saved, saved_again));
  g_autofree char *text = kette_graph_diff (graph, again, NULL, &equal, &error);
  g_assert_true (equal);
  g_autofree char *info = kette_graph_describe (graph, TRUE, &error);
  g_assert_nonnull (info);
  g_assert_null (kette_session_new (graph, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  kette_graph_unref (graph);
  kette_graph_unref (again);
  g_bytes_unref (saved);
  g_bytes_unref (saved_again);
  g_assert_cmpuint (_kette_account_process ()->used, ==, before);
}

static void
test_places (void)
{
  g_autoptr (KetteGraph) graph = load (TWO);
  g_autoptr (KetteGraph) clone = _kette_graph_clone (graph, NULL, NULL);
  const KetteNode *node        = clone->nodes[0];
  char where[KETTE_WHERE_SIZE];

  g_assert_cmpint (node->n_attrs, ==, 4);
  g_assert_cmpint (_kette_node_attr (node, "graphs")->i, ==, 2);
  g_assert_cmpstr (node->subgraphs[3]->nodes[0]->op, ==, "Neg");
  g_assert_cmpstr (_kette_node_where (node->subgraphs[3]->nodes[0], where), ==,
                   "node \"n\" (Cases), \"graphs[1]\", node \"b\" (Neg)");
}

/* A node that the file does not hold any more as it is: its graphs are written all the same. */
static void
test_changed (void)
{
  g_autoptr (KetteGraph) graph = load (TWO);
  g_autoptr (GError) error     = NULL;
  const kt_attr first          = { .name = "first", .kind = KT_A_INT, .i = 8 };
  g_autoptr (GBytes) saved     = NULL;
  g_autoptr (KetteGraph) again = NULL;

  g_assert_true (_kette_node_set_attr (graph->nodes[0], &first, &error));
  saved = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  again = kette_graph_load_bytes (saved, &error);
  g_assert_no_error (error);
  g_assert_cmpint (_kette_node_attr (again->nodes[0], "first")->i, ==, 8);
  g_assert_cmpstr (again->nodes[0]->subgraphs[2]->nodes[0]->op, ==, "Relu");
  g_assert_cmpstr (again->nodes[0]->subgraphs[3]->nodes[0]->op, ==, "Neg");
}

static void
expect_fault (const char *text, const char *want)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (GBytes) bytes     = pack (text);
  g_autoptr (KetteGraph) graph = kette_graph_load_bytes (bytes, &error);

  g_assert_true (!graph || !kette_graph_check (graph, TRUE, &error));
  g_assert_cmpstr (error->message, ==, want);
}

static void
test_faults (void)
{
  expect_fault (
      CASES (BRANCH ("11", "Relu", "x", "t0") BRANCH ("11", "Neg", "q", "t1")),
      "<memory>: graph: node \"n\" (Cases), graphs[1], node \"b\" (Neg): nothing "
      "makes its input 0, \"q\"");
  expect_fault (CASES (BRANCH ("11", "Relu", "x", "t0") BRANCH ("6", "Neg", "x", "t1")),
                "<memory>: attr: node \"n\" (Cases): attribute \"graphs\" is GRAPHS, but "
                "has content of "
                "GRAPH");
  expect_fault (
      CASES ("11:{" PAIR_OF_RELU "}"),
      "<memory>: graph: node \"n\" (Cases), \"graphs[0]\", node \"b\" (Relu): has 2 "
      "inputs, needs 1");
  expect_fault (FUNCTION ("20:5 " BRANCH ("6", "Relu", "q", "t")),
                "<memory>: graph: function \"l:f\", default of \"g\", node \"b\" (Relu): "
                "nothing makes its input 0, \"q\"");
  expect_fault (
      FUNCTION ("20:5 6:{1:{1:'a' 1:'a' 2:'t' 3:'b' 4:'Relu'} " OUTPUT ("t") "}"),
      "<memory>: graph: function \"l:f\", default of \"g\", node \"b\" (Relu): has "
      "2 inputs, needs 1");
  expect_fault (
      FUNCTION ("20:5"),
      "<memory>: attr: function \"l:f\": attribute \"g\" is GRAPH, but has none");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL)); /* what it keeps is no leak of a graph */
  g_test_add_data_func ("/graphs/attribute", TWO, test_whole);
  g_test_add_data_func ("/graphs/none", CASES (""), test_whole);
  g_test_add_data_func ("/graphs/default", DEFAULT, test_whole);
  g_test_add_data_func (
      "/graphs/default-list",
      FUNCTION ("20:10 " BRANCH ("11", "Relu", "a", "t") BRANCH ("11", "Neg", "a", "u")),
      test_whole);
  g_test_add_func ("/graphs/places", test_places);
  g_test_add_func ("/graphs/changed", test_changed);
  g_test_add_func ("/graphs/faults", test_faults);
  return g_test_run ();
}
