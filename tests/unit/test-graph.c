/* SPDX-License-Identifier: Apache-2.0
 * The graph floor: names, values, what a model holds, nodes and attributes.
 */
#include "make-graph.h"

static void
test_names (void)
{
  enum
  {
    N = 5000
  };
  KetteNames *names;
  char text[N][8];

  used_before = _kette_account_process ()->used;
  names       = _kette_names_new (NULL);
  g_assert_null (_kette_names_get (names, "n1"));
  _kette_names_remove (names, "n1");
  for (int i = 0; i < N; i++)
    {
      g_snprintf (text[i], sizeof text[i], "n%d", i);
      g_assert_true (_kette_names_set (names, text[i], GINT_TO_POINTER (i + 1), NULL));
    }
  for (int i = 0; i < N; i += 3)
    _kette_names_remove (names, text[i]);
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < N; i += 6) /* in and out again: the table does not fill up */
      {
        g_assert_true (_kette_names_set (names, text[i], GINT_TO_POINTER (i + 2), NULL));
        _kette_names_remove (names, text[i]);
      }
  for (int i = 0; i < N; i += 6)
    g_assert_true (_kette_names_set (names, text[i], GINT_TO_POINTER (i + 2), NULL));
  for (int i = 0; i < N; i++)
    g_assert_cmpint (GPOINTER_TO_INT (_kette_names_get (names, text[i])), ==,
                     i % 6 == 0   ? i + 2
                     : i % 3 == 0 ? 0
                                  : i + 1);
  g_assert_true (_kette_names_set (names, "n1", GINT_TO_POINTER (7), NULL));
  g_assert_cmpint (GPOINTER_TO_INT (_kette_names_get (names, "n1")), ==, 7);
  _kette_names_free (names);
  _kette_names_free (NULL);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used_before);
}

/* 100,000 names with one g_str_hash: blocks "Ab" and "BA" hash alike there (33 * 'A' + 'b' =
 * 33 * 'B' + 'A'), and so do all sequences of them. */
static void
test_equal_hashes (void)
{
  enum
  {
    BLOCKS = 17,
    N      = 100000
  };
  KetteGraph *graph  = new_graph ();
  const gint64 start = g_get_monotonic_time ();
  char name[2 * BLOCKS + 1];
  guint hash = 0;

  for (int i = 0; i < N; i++)
    {
      for (int k = 0; k < BLOCKS; k++)
        memcpy (name + 2 * k, i >> k & 1 ? "BA" : "Ab", 2);
      name[2 * BLOCKS] = '\0';
      if (i == 0)
        hash = g_str_hash (name);
      g_assert_cmpuint (g_str_hash (name), ==, hash);
      g_assert_nonnull (_kette_graph_add_value (graph, name, NULL));
    }
  g_assert_cmpint (g_get_monotonic_time () - start, <, G_USEC_PER_SEC);
  end_graph (graph);
}

static void
test_values (void)
{
  KetteGraph *graph    = new_graph ();
  GError *error        = NULL;
  KetteValue *a        = value (graph, "a"), *b, *fresh;
  const int64_t dims[] = { 2, KT_DIM (0) };
  const kt_type tensor = { KT_TENSOR, KT_F32, 2, 0, dims, NULL };
  const kt_type seq    = { .kind = KT_SEQUENCE, .elem = &tensor };
  const gint64 start   = g_get_monotonic_time ();

  g_assert_null (_kette_graph_add_value (graph, "a", &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_GRAPH);
  assert_text (error->message, "graph: graph: the value \"a\" is there twice");
  g_clear_error (&error);

  assert_text (_kette_graph_fresh_name (graph, "z", NULL), "z");
  assert_text (_kette_graph_fresh_name (graph, "a", NULL), "a_2");
  value (graph, "a_3");
  assert_text (_kette_graph_fresh_name (graph, "a", NULL), "a_4");
  fresh = _kette_graph_add_value (graph, NULL, NULL);
  g_assert_true (*fresh->name && _kette_graph_find (graph, fresh->name) == fresh);
  for (int i = 0; i < 100000; i++)
    g_assert_nonnull (_kette_graph_add_value (graph, "", NULL));
  g_assert_cmpint (g_get_monotonic_time () - start, <, 2 * G_USEC_PER_SEC);

  b = value (graph, "b");
  g_assert_false (_kette_graph_rename (b, "a", &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_GRAPH);
  g_clear_error (&error);
  g_assert_true (_kette_graph_rename (b, "c", NULL)
                 && _kette_graph_rename (b, "c", NULL));
  g_assert_null (_kette_graph_find (graph, "b"));
  g_assert_true (_kette_graph_find (graph, "c") == b);
  g_assert_true (_kette_graph_rename (a, "b", NULL));
  g_assert_true (_kette_graph_find (graph, "b") == a);

  g_assert_true (_kette_value_set_type (a, &seq, NULL));
  g_assert_true (a->type.elem != &tensor && a->type.elem->dims != dims);
  g_assert_cmpint (a->type.elem->dims[0], ==, 2);
  g_assert_true (_kette_value_set_tensor_type (b, KT_F32, NULL, -1, NULL));
  g_assert_cmpint (b->type.ndim, ==, -1);
  end_graph (graph);
}

static void
test_public (void)
{
  KetteGraph *graph   = new_graph ();
  KetteTensor *data   = kette_tensor_new (KT_F32, NULL, 0, NULL);
  KetteValue *w       = _kette_graph_add_constant (graph, "w", data, NULL);
  GError *error       = NULL;
  KetteValue *const x = value (graph, "x");

  kette_tensor_unref (data);
  g_assert_true (
      _kette_graph_add_input (graph, w, NULL)); /* as files of IR version 3 do */
  g_assert_true (_kette_graph_add_input (graph, x, NULL));
  g_assert_false (_kette_graph_add_input (graph, x, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_GRAPH);
  g_clear_error (&error);
  g_assert_true (_kette_graph_add_output (graph, value (graph, "y"), NULL));
  g_assert_cmpuint (kette_graph_get_n_inputs (graph), ==, 1);
  assert_text (kette_graph_get_input_name (graph, 0), "x");
  g_assert_null (kette_graph_get_input_name (graph, 1));
  g_assert_cmpuint (kette_graph_get_n_outputs (graph), ==, 1);
  assert_text (kette_graph_get_output_name (graph, 0), "y");
  g_assert_null (kette_graph_get_output_name (graph, 1));
  g_assert_true (kette_graph_get_parameter (graph, "w") == data);
  g_assert_null (kette_graph_get_parameter (graph, "x"));
  g_assert_null (kette_graph_get_parameter (graph, "nothing"));
  end_graph (graph);
}

static void
test_model (void)
{
  KetteGraph *graph = new_graph ();
  KetteModel *model = graph->model;
  char key[32];

  assert_text (model->file, "test.onnx");
  g_assert_cmpint (_kette_model_opset (model, ""), ==, 0);
  g_assert_true (_kette_model_set_opset (model, "ai.onnx", 17, NULL));
  g_assert_true (_kette_model_set_opset (model, "com.example", 2, NULL));
  g_assert_true (_kette_model_set_opset (model, "", 18, NULL));
  g_assert_cmpint (_kette_model_opset (model, "ai.onnx"), ==, 18);
  g_assert_cmpint (_kette_model_opset (model, "com.example"), ==, 2);
  g_assert_cmpuint (model->n_opsets, ==, 2);
  assert_text (model->opsets[0].domain, "");

  for (int i = 0; i < 100; i++)
    {
      g_snprintf (key, sizeof key, "k%d", i);
      g_assert_true (_kette_model_set_meta (model, key, "old", NULL));
      g_assert_true (_kette_model_set_meta (model, key, key + 1, NULL));
    }
  g_assert_true (_kette_model_set_meta (model, "k3", NULL, NULL));
  g_assert_true (_kette_model_set_meta (model, "k3", NULL, NULL));
  g_assert_cmpuint (model->n_meta, ==, 99);
  g_assert_null (_kette_model_get_meta (model, "k3"));
  assert_text (_kette_model_get_meta (model, "k2"), "2");
  assert_text (_kette_model_get_meta (model, "k99"), "99");
  assert_text (model->meta[3].key, "k4"); /* the others stay in order */

  g_assert_cmpint (_kette_model_symbol (model, "batch", NULL), ==, KT_DIM (1));
  g_assert_cmpint (_kette_model_symbol (model, "rows", NULL), ==, KT_DIM (2));
  g_assert_cmpint (_kette_model_symbol (model, "batch", NULL), ==, KT_DIM (1));
  assert_text (model->symbols[1], "rows");
  end_graph (graph);
}

static KetteFunction *
add_function (KetteModel *model, const char *domain, const char *name,
              const char *overload)
{
  KetteFunction *f = _kette_region_alloc (model->region, 1, sizeof *f, NULL);

  f->domain   = domain;
  f->name     = name;
  f->overload = overload;
  f->body     = _kette_graph_new (model, name, NULL);
  g_assert_true (_kette_grow (&model->functions, &model->functions_capacity,
                              model->n_functions + 1, sizeof (KetteFunction *), NULL));
  model->functions[model->n_functions++] = f;
  return f;
}

/* A model owns its functions, whose bodies refer to it; nothing of this keeps itself alive. */
static void
test_functions (void)
{
  KetteGraph *graph = new_graph (), *copy;
  KetteModel *model = graph->model;
  char *name        = g_strnfill (600, 'f');
  KetteFunction *f  = add_function (model, "local", "f", NULL), *g, *h;
  char where[KETTE_WHERE_SIZE];
  KetteNode *n;

  g_assert_true (_kette_model_find_function (model, "local", "f", "") == f);
  g = add_function (model, "", "f", NULL);
  h = add_function (model, "local", name, "o");
  g_assert_true (_kette_model_find_function (model, "ai.onnx", "f", NULL) == g);
  g_assert_true (_kette_model_find_function (model, "local", name, "o") == h);
  g_assert_null (_kette_model_find_function (model, "local", "f", "o"));
  g_assert_null (_kette_model_find_function (model, "localf", "", ""));

  add_branch (node (f->body, "if0", "If", "c", "y"), "then_branch");
  n = node (f->body->nodes[0]->subgraphs[0], "n1", "Add", "a,b", "y");
  assert_text (_kette_node_where (n, where),
               "function \"local:f\", node \"if0\" (If), then_branch, node \"n1\" (Add)");
  copy = _kette_graph_clone (graph, NULL, NULL);
  kette_graph_unref (graph);
  g_assert_true (_kette_model_find_function (copy->model, "local", "f", "") == f);
  g_assert_true (copy->model->functions[0]->body->n_nodes == 1);
  g_free (name);
  end_graph (copy);
}

static void
test_nodes (void)
{
  KetteGraph *graph      = new_graph ();
  const float floats[]   = { 1, 2 };
  const int64_t ints[]   = { 3, 4, 5 };
  const int64_t two[]    = { 2 };
  char text[]            = "abc";
  const kt_str strings[] = { { text, 2 }, { NULL, 0 } };
  const kt_type type     = { KT_TENSOR, KT_I64, 1, 0, two, NULL };
  KetteTensor *tensor    = kette_tensor_new (KT_F32, two, 1, NULL);
  kt_tensor view;
  kt_attr attrs[] = { { .name = "f", .kind = KT_A_FLOAT, .f = 0.5 },
                      { .name = "i", .kind = KT_A_INT, .i = -1 },
                      { .name = "s", .kind = KT_A_STRING, .v = text, .n = 2 },
                      { .name = "fs", .kind = KT_A_FLOATS, .v = floats, .n = 2 },
                      { .name = "is", .kind = KT_A_INTS, .v = ints, .n = 3 },
                      { .name = "ss", .kind = KT_A_STRINGS, .v = strings, .n = 2 },
                      { .name = "t", .kind = KT_A_TENSOR, .v = &view, .n = 1 },
                      { .name = "tp", .kind = KT_A_TYPE, .v = &type, .n = 1 },
                      { .name = "r", .ref = "caller", .kind = KT_A_INT } };
  KetteValue *x = value (graph, "x"), *y = value (graph, "y");
  KetteValue *in[] = { x, NULL, x }, *out[] = { NULL, y };
  GError *error = NULL;
  KetteNode *n;
  const kt_attr *a;
  kt_attr changed = { .name = "i", .kind = KT_A_INTS, .v = ints, .n = 2 };

  _kette_tensor_set_double (tensor, 1, 7);
  _kette_tensor_view (tensor, &view);
  n = _kette_graph_add_node (graph, "n", "ai.onnx", "Op", 13, in, 3, out, 2, attrs,
                             G_N_ELEMENTS (attrs), &error);
  g_assert_no_error (error);
  kette_tensor_unref (tensor);
  memset (text, 'z', 3);
  memset (&view, 0, sizeof view);
  assert_text (n->domain, "");
  g_assert_true (y->producer == n && y->slot == 1 && !x->producer && !n->in[1]
                 && !n->out[0]);

  g_assert_null (_kette_node_attr (n, "nothing"));
  g_assert_cmpfloat (_kette_node_attr (n, "f")->f, ==, 0.5);
  g_assert_cmpint (_kette_node_attr (n, "i")->i, ==, -1);
  a = _kette_node_attr (n, "s");
  g_assert_cmpuint (a->n, ==, 2);
  assert_text ((const char *) a->v, "ab");
  a = _kette_node_attr (n, "ss");
  assert_text (((const kt_str *) a->v)[0].s, "ab");
  assert_text (((const kt_str *) a->v)[1].s, "");
  g_assert_cmpint (((const int64_t *) _kette_node_attr (n, "is")->v)[2], ==, 5);
  g_assert_cmpfloat (((const float *) _kette_node_attr (n, "fs")->v)[1], ==, 2);
  a = _kette_node_attr (n, "t");
  g_assert_cmpint (((const kt_tensor *) a->v)->shape[0], ==, 2);
  g_assert_cmpfloat (((const float *) ((const kt_tensor *) a->v)->data)[1], ==, 7);
  g_assert_cmpint (((const kt_type *) _kette_node_attr (n, "tp")->v)->dims[0], ==, 2);
  assert_text (_kette_node_attr (n, "r")->ref, "caller");

  g_assert_true (_kette_node_set_attr (n, &changed, NULL));
  g_assert_cmpint (n->n_attrs, ==, G_N_ELEMENTS (attrs));
  g_assert_cmpuint (_kette_node_attr (n, "i")->n, ==, 2);
  changed.name = "new";
  g_assert_true (_kette_node_set_attr (n, &changed, NULL));
  g_assert_cmpint (n->n_attrs, ==, G_N_ELEMENTS (attrs) + 1);
  assert_text (n->attrs[n->n_attrs - 1].name, "new");
  g_assert_true (_kette_node_grow_outputs (n, 4, NULL));
  g_assert_true (n->n_out == 5 && n->out[1] == y && !n->out[4]);
  end_graph (graph);
}

static void
test_foreign_value (void)
{
  KetteGraph *graph   = new_graph ();
  KetteGraph *other   = _kette_graph_new (graph->model, "other", NULL);
  KetteValue *foreign = value (other, "x");
  GError *error       = NULL;

  g_assert_null (_kette_graph_add_node (graph, "n", "", "Op", 1, &foreign, 1, NULL, 0,
                                        NULL, 0, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL);
  g_clear_error (&error);
  g_assert_cmpuint (graph->n_nodes, ==, 0);
  kette_graph_unref (other);
  end_graph (graph);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph/names/table", test_names);
  g_test_add_func ("/graph/names/equal-hashes", test_equal_hashes);
  g_test_add_func ("/graph/values", test_values);
  g_test_add_func ("/graph/public", test_public);
  g_test_add_func ("/graph/model", test_model);
  g_test_add_func ("/graph/functions", test_functions);
  g_test_add_func ("/graph/nodes", test_nodes);
  g_test_add_func ("/graph/foreign-value", test_foreign_value);
  return g_test_run ();
}
