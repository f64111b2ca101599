/* SPDX-License-Identifier: Apache-2.0
 * Inputs that have a default: initializers which are listed as inputs too.
 */
#include "graphs.h"

/* y = Reshape (x, shape) + w; shape and w have defaults: [2,3], and [10,20,30]. */
static KetteGraph *
make (int64_t ir_version)
{
  KetteGraph *graph            = graph_new (18);
  const int64_t six[]          = { 6 };
  const int64_t two[]          = { 2 };
  const int64_t open[]         = { KT_DIM (0) };
  KetteValue *x                = graph_input (graph, "x", KT_F64, 1, six);
  KetteValue *shape            = graph_input (graph, "shape", KT_I64, 1, two);
  KetteValue *w                = graph_input (graph, "w", KT_F64, 1, open);
  g_autoptr (KetteTensor) size = tensor_i64 (2, (const int64_t[]){ 2, 3 });
  g_autoptr (KetteTensor) data = tensor_f64 (3, (const double[]){ 10, 20, 30 });

  graph->model->ir_version = ir_version;
  shape->flags |= KETTE_VALUE_INITIALIZER;
  _kette_value_set_data (shape, size);
  w->flags |= KETTE_VALUE_INITIALIZER;
  _kette_value_set_data (w, data);
  g_assert_true (_kette_graph_add_output (
      graph,
      graph_node (graph, "", "Add", graph_node (graph, "", "Reshape", x, shape), w),
      NULL));
  return graph;
}

static KetteTensor *
run (KetteSession *session, KetteTensor *shape, KetteTensor *w, GError **error)
{
  g_autoptr (KetteTensor) x = tensor_f64 (6, (const double[]){ 1, 2, 3, 4, 5, 6 });
  KetteTensor *out          = NULL;
  GError *inner             = NULL;

  if (kette_session_run_with_defaults (session, &x, (KetteTensor *[]){ shape, w }, &out,
                                       NULL, error ? error : &inner))
    return out;
  g_assert_no_error (inner);
  return NULL;
}

static void
expect (KetteTensor *out, int64_t rows, double first, double last)
{
  guint rank;
  const gint64 *dims = kette_tensor_get_dims (out, &rank);
  const double *y    = kette_tensor_get_data (out);

  g_assert_cmpuint (rank, ==, 2);
  g_assert_cmpint (dims[0], ==, rows);
  g_assert_cmpfloat (y[0], ==, first);
  g_assert_cmpfloat (y[5], ==, last);
  kette_tensor_unref (out);
}

static void
test_names (void)
{
  g_autoptr (KetteGraph) graph = make (8);

  g_assert_cmpuint (kette_graph_get_n_inputs (graph), ==, 1);
  g_assert_cmpuint (kette_graph_get_n_defaults (graph), ==, 2);
  g_assert_cmpstr (kette_graph_get_default_name (graph, 0), ==, "shape");
  g_assert_cmpstr (kette_graph_get_default_name (graph, 1), ==, "w");
  g_assert_null (kette_graph_get_default_name (graph, 2));
}

/* Fed, kept, fed: neither the shape that is kept nor the other leaves a trace. */
static void
test_fed_and_kept (void)
{
  g_autoptr (KetteGraph) graph     = make (8);
  g_autoptr (KetteSession) session = kette_session_new (graph, NULL);
  g_autoptr (KetteTensor) shape    = tensor_i64 (2, (const int64_t[]){ 6, 1 });
  g_autoptr (KetteTensor) w        = tensor_f64 (1, (const double[]){ 100 });

  g_assert_nonnull (session);
  for (int i = 0; i < 2; i++)
    {
      expect (run (session, NULL, NULL, NULL), 2, 11, 36);
      expect (run (session, shape, w, NULL), 6, 101, 106);
      expect (run (session, NULL, w, NULL), 2, 101, 106);
    }
}

/* In files of IR version 3 every weight is an input: constants, unless the caller says that
 * they will be fed. */
static void
test_constants (void)
{
  g_autoptr (KetteGraph) old     = make (3);
  g_autoptr (KetteGraph) graph   = make (8);
  g_autoptr (KetteSession) plain = kette_session_new (old, NULL);
  g_autoptr (KetteSession) folded
      = kette_session_new_with_flags (graph, KETTE_SESSION_FOLD_DEFAULTS, NULL);
  g_autoptr (KetteSession) fed
      = kette_session_new_with_flags (old, KETTE_SESSION_FEED_DEFAULTS, NULL);
  g_autoptr (KetteTensor) w = tensor_f64 (1, (const double[]){ 100 });

  for (int i = 0; i < 2; i++)
    {
      GError *error = NULL;

      expect (run (i ? folded : plain, NULL, NULL, NULL), 2, 11, 36);
      g_assert_null (run (i ? folded : plain, NULL, w, &error));
      g_assert_cmpstr (
          error->message, ==,
          "test: value: graph input \"w\": is a constant in this session and "
          "cannot be fed");
      g_clear_error (&error);
    }
  expect (run (fed, NULL, w, NULL), 2, 101, 106);
  expect (run (fed, NULL, NULL, NULL), 2, 11, 36);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/defaults/names", test_names);
  g_test_add_func ("/defaults/fed-and-kept", test_fed_and_kept);
  g_test_add_func ("/defaults/constants", test_constants);
  return g_test_run ();
}
