/* SPDX-License-Identifier: Apache-2.0
 * Attributes of every kind: copied deeply when a node is made, replaced, cloned and saved.
 */
#include "io/io-private.h"
#include "make-graph.h"

static kt_attr
attr_of (const char *name, int32_t kind, const void *v, size_t n)
{
  return (kt_attr){ .name = name, .kind = kind, .v = v, .n = n };
}

static gboolean
same_texts (const kt_attr *attr, const char *a, const char *b)
{
  const kt_str *texts = attr->v;

  return attr->n == 2 && texts[0].n == strlen (a)
         && memcmp (texts[0].s, a, texts[0].n) == 0 && texts[1].n == strlen (b)
         && memcmp (texts[1].s, b, texts[1].n) == 0;
}

static void
check_all (const KetteNode *n)
{
  const kt_attr *tensors = _kette_node_attr (n, "tensors"),
                *types   = _kette_node_attr (n, "types");

  g_assert_cmpint (_kette_node_attr (n, "int")->i, ==, 7);
  g_assert_cmpfloat (_kette_node_attr (n, "float")->f, ==, 0.5);
  g_assert_cmpmem (_kette_node_attr (n, "string")->v, _kette_node_attr (n, "string")->n,
                   "a\0b", 3);
  g_assert_cmpint (((const int64_t *) _kette_node_attr (n, "ints")->v)[1], ==, -2);
  g_assert_cmpfloat (((const float *) _kette_node_attr (n, "floats")->v)[0], ==, 1.5f);
  g_assert_true (same_texts (_kette_node_attr (n, "strings"), "p", "qr"));
  g_assert_cmpuint (tensors->n, ==, 2);
  g_assert_cmpint (((const kt_tensor *) tensors->v)[1].shape[0], ==, 2);
  g_assert_cmpuint (types->n, ==, 2);
  g_assert_cmpint (((const kt_type *) types->v)[1].elem->dims[0], ==, 3);
  g_assert_cmpint (((const kt_type *) _kette_node_attr (n, "type")->v)->dtype, ==,
                   KT_I64);
  g_assert_cmpuint (_kette_node_attr (n, "none")->n, ==, 0);
}

static void
test_kinds (void)
{
  static const int64_t ints[] = { 1, -2 }, dims[] = { 3 };
  static const float floats[] = { 1.5f };
  const kt_str texts[]        = { { "p", 1 }, { "qr", 2 } };
  const kt_type inner         = { KT_TENSOR, KT_F32, 1, 0, dims, NULL },
                types[]       = { { KT_TENSOR, KT_I64, -1, 0, NULL, NULL },
                                  { KT_SEQUENCE, 0, 0, 0, NULL, &inner } };
  KetteGraph *graph           = new_graph (), *copy;
  KetteTensor *a              = kette_tensor_new (KT_F32, NULL, 0, NULL),
              *b              = kette_tensor_new (KT_I64, (const gint64[]){ 2 }, 1, NULL);
  g_autoptr (GBytes) bytes    = NULL;
  GError *error               = NULL;
  kt_tensor views[2];
  KetteValue *x = value (graph, "x"), *y = value (graph, "y");
  KetteNode *made;

  _kette_tensor_view (a, &views[0]);
  _kette_tensor_view (b, &views[1]);
  {
    kt_attr attrs[] = {
      { .name = "int", .kind = KT_A_INT, .i = 7 },
      { .name = "float", .kind = KT_A_FLOAT, .f = 0.5 },
      attr_of ("string", KT_A_STRING, "a\0b", 3),
      attr_of ("ints", KT_A_INTS, ints, 2),
      attr_of ("floats", KT_A_FLOATS, floats, 1),
      attr_of ("strings", KT_A_STRINGS, texts, 2),
      attr_of ("tensor", KT_A_TENSOR, views, 1),
      attr_of ("tensors", KT_A_TENSORS, views, 2),
      attr_of ("type", KT_A_TYPE, types, 1),
      attr_of ("types", KT_A_TYPES, types, 2),
      attr_of ("none", KT_A_INTS, NULL, 0),
    };

    made = _kette_graph_add_node (graph, "n", "l", "Op", 1, &x, 1, &y, 1, attrs,
                                  G_N_ELEMENTS (attrs), &error);
  }
  g_assert_no_error (error);
  kette_tensor_unref (a);
  kette_tensor_unref (b);
  check_all (made);
  /* Another kind under the same name. */
  g_assert_true (_kette_node_set_attr (
      made, &(kt_attr){ .name = "tensor", .kind = KT_A_INT }, NULL));
  g_assert_cmpint (_kette_node_attr (made, "tensor")->kind, ==, KT_A_INT);
  copy = _kette_graph_clone (graph, NULL, &error);
  g_assert_no_error (error);
  check_all (copy->nodes[0]);
  /* From memory alone, all of it is written; and what came from a file is found again. */
  g_assert_true (_kette_graph_add_input (graph, x, NULL));
  g_assert_true (_kette_graph_add_output (graph, y, NULL));
  g_assert_true (_kette_value_set_tensor_type (x, KT_F32, dims, 1, NULL));
  g_assert_true (_kette_value_set_tensor_type (y, KT_F32, dims, 1, NULL));
  g_assert_true (_kette_model_set_opset (graph->model, "", 13, NULL));
  g_assert_true (_kette_model_set_opset (graph->model, "l", 1, NULL));
  bytes = _kette_graph_to_bytes (graph, &error);
  g_assert_no_error (error);
  kette_graph_unref (copy);
  copy = kette_graph_load_bytes (bytes, &error);
  g_assert_no_error (error);
  check_all (copy->nodes[0]);
  kette_graph_unref (copy);
  g_bytes_unref (g_steal_pointer (&bytes));
  end_graph (graph);
}

static void
test_wrong (void)
{
  KetteGraph *graph = new_graph ();
  KetteValue *x = value (graph, "x"), *y = value (graph, "y");
  GError *error = NULL;
  int dtype, rank;

  for (int i = 0; i < 3; i++)
    {
      g_assert_null (_kette_graph_add_node (graph, "", "", "Op", 13, &x, i == 0 ? -1 : 1,
                                            &y, i == 1 ? -1 : 1, NULL, i == 2 ? -1 : 0,
                                            &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_INTERNAL);
      g_clear_error (&error);
    }
  g_assert_null (kette_graph_get_input_type (graph, 0, &dtype, &rank));
  g_assert_true (dtype == 0 && rank == -1);
  g_assert_true (_kette_graph_add_input (graph, x, NULL));
  g_assert_null (kette_graph_get_input_type (graph, 0, &dtype, &rank));
  g_assert_true (dtype == 0 && rank == -1);
  g_assert_true (
      _kette_value_set_tensor_type (x, KT_I8, (const int64_t[]){ 4 }, 1, NULL));
  g_assert_cmpint (kette_graph_get_input_type (graph, 0, &dtype, &rank)[0], ==, 4);
  g_assert_true (dtype == KT_I8 && rank == 1);
  end_graph (graph);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/attributes/kinds", test_kinds);
  g_test_add_func ("/attributes/wrong", test_wrong);
  return g_test_run ();
}
