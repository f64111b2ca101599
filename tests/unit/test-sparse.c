/* SPDX-License-Identifier: Apache-2.0
 * Sparse tensors stay sparse until they are needed dense, and are saved as they were.
 */
#include "exec/diff.h"
#include "exec/session.h"
#include "exec/transform.h"
#include "graph/sparse.h"
#include "io/io-private.h"
#include "op/plugins.h"
#include "pack.h"
#include <draw/draw.h>

/* Three floats (1, 2, 4) at [0,1], [2,0] and [LAST,LAST] of a matrix. */
#define ENTRIES(last)                                                                    \
  "1:{1:3 2:1 8:'w' 9:x0000803f0000004000008040} "                                       \
  "2:{1:3 1:2 2:7 7:0 7:1 7:2 7:0 7:" last " 7:" last "} "
#define MATRIX(field, name, a, b)                                                        \
  field ":{1:'" name "' 2:{1:{1:1 2:{1:{1:" a "} 1:{1:" b "}}}}} "
#define HUGE_MODEL                                                                       \
  MODEL (MATRIX ("11", "x", "1", "1")                                                    \
             OUTPUT ("y") "1:{1:'x' 1:'w' 2:'y' 3:'n' 4:'Add'} "                         \
                          "15:{" ENTRIES ("999999") "3:1000000 3:1000000} ")
#define SMALL                                                                            \
  MODEL (MATRIX ("11", "x", "1", "1")                                                    \
             OUTPUT ("y") "1:{1:'x' 1:'w' 2:'y' 3:'n' 4:'Add'} "                         \
                          "15:{" ENTRIES ("2") "3:3 3:3} ")
/* The same in an attribute. */
#define CONSTANT(last, size)                                                             \
  MODEL (MATRIX ("11", "x", "1", "1")                                                    \
             OUTPUT ("y") "1:{1:'x' 1:'w' 2:'y' 3:'n' 4:'Add'} "                         \
                          "1:{2:'w' 3:'c' 4:'Constant' 5:{1:'sparse_value' 20:11 "       \
                          "22:{" ENTRIES (last) "3:" size " 3:" size "}}} ")

static KetteGraph *
load (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = pack (text);
  KetteGraph *graph        = kette_graph_load_bytes (bytes, &error);

  g_assert_no_error (error);
  return graph;
}

/* Loads, is described, checked, drawn, compared and saved without a dense copy. */
static void
test_huge (gconstpointer data)
{
  const size_t before   = _kette_account_process ()->used;
  KetteGraph *graph     = load (data), *again;
  GError *error         = NULL;
  g_autofree char *text = kette_graph_describe (graph, FALSE, &error);
  g_autofree char *json = kette_graph_describe (graph, TRUE, &error);
  KetteDrawOptions options;
  GBytes *saved, *saved_again;
  gboolean equal;

  g_assert_no_error (error);
  if (strstr (text, "Constant") == NULL)
    {
      g_assert_nonnull (strstr (text, "float32[1000000,1000000] 3 (sparse)"));
      g_assert_nonnull (strstr (json, "\"count\": 3, \"sparse\": true"));
    }
  g_assert_true (kette_graph_check (graph, TRUE, &error));
  g_assert_true (kette_graph_check (graph, FALSE, &error));
  kette_draw_options_init (&options);
  g_autofree char *picture = kette_graph_draw (graph, &options, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (picture, "1000000\xc3\x97"
                                     "1000000"));
  saved = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  again = kette_graph_load_bytes (saved, &error);
  g_assert_no_error (error);
  saved_again = _kette_graph_to_bytes (again, &error);
  g_assert_true (g_bytes_equal (saved, saved_again));
  g_autofree char *difference = kette_graph_diff (graph, again, NULL, &equal, &error);
  g_assert_true (equal);
  g_assert_cmpuint (_kette_account_process ()->used - before, <, 1 << 20);

  g_assert_null (kette_session_new (graph, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_MEMORY);
  g_assert_true (g_str_has_prefix (error->message, "<memory>: memory: "));
  g_assert_nonnull (strstr (error->message,
                            "float32[1000000,1000000] with 3 entries needs "
                            "4000000000000 bytes when it is dense, "));
  g_clear_error (&error);
  kette_graph_unref (again);
  kette_graph_unref (graph);
  g_bytes_unref (saved);
  g_bytes_unref (saved_again);
  g_assert_cmpuint (_kette_account_process ()->used, ==, before);
}

/* In a session it is the dense tensor that it means. */
static void
test_run (gconstpointer data)
{
  static const float want[9]       = { 1, 2, 1, 1, 1, 1, 3, 1, 5 };
  g_autoptr (KetteGraph) graph     = load (data);
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_autoptr (KetteTensor) x = kette_tensor_new (KT_F32, (gint64[]){ 1, 1 }, 2, NULL);
  g_autoptr (KetteTensor) y = NULL;

  g_assert_no_error (error);
  ((float *) x->data)[0] = 1;
  g_assert_true (kette_session_run (session, &x, &y, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (y->count, ==, 9);
  g_assert_cmpmem (y->data, y->bytes, want, sizeof want);
}

static void
test_parameter (void)
{
  g_autoptr (KetteGraph) small = load (SMALL), huge = load (HUGE_MODEL);
  KetteTensor *w = kette_graph_get_parameter (small, "w");

  g_assert_nonnull (w);
  g_assert_cmpuint (w->count, ==, 9);
  g_assert_cmpfloat (((const float *) w->data)[6], ==, 2);
  g_assert_true (kette_graph_get_parameter (small, "w") == w);
  g_assert_null (kette_graph_get_parameter (huge, "w"));
}

static void
test_diff (void)
{
  g_autoptr (KetteGraph) a = load (SMALL);
  g_autoptr (KetteGraph) b = load (MODEL (MATRIX ("11", "x", "1", "1") OUTPUT (
      "y") "1:{1:'x' 1:'w' 2:'y' 3:'n' 4:'Add'} "
           "15:{1:{1:3 2:1 8:'w' 9:x0000803f0000004000008040} "
           "2:{1:3 1:2 2:7 7:0 7:1 7:2 7:1 7:2 7:2} 3:3 3:3} "));
  gboolean equal;
  g_autofree char *text = kette_graph_diff (a, b, NULL, &equal, NULL);

  g_assert_false (equal);
  g_assert_nonnull (strstr (text, "1 of 6 (sparse, places)\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL)); /* what it keeps is no leak of a graph */
  g_test_add_data_func ("/sparse/huge-initializer", HUGE_MODEL, test_huge);
  g_test_add_data_func ("/sparse/huge-attribute", CONSTANT ("999999", "1000000"),
                        test_huge);
  g_test_add_data_func ("/sparse/initializer", SMALL, test_run);
  g_test_add_data_func ("/sparse/attribute", CONSTANT ("2", "3"), test_run);
  g_test_add_func ("/sparse/parameter", test_parameter);
  g_test_add_func ("/sparse/diff", test_diff);
  return g_test_run ();
}
