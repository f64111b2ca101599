/* SPDX-License-Identifier: Apache-2.0
 * Results over operands, where an operand stands twice at a node: only what is read and written
 * element by element, in one pass, may be.
 */
#include "graphs.h"

typedef struct
{
  const char *name, *op;
  int n_in;
  gboolean indices; /* the second input, those of c, a, b */
  double expected[3];
} Case;

static KetteValue *
node (KetteGraph *graph, const char *op, KetteValue *const *in, int n)
{
  KetteValue *y = _kette_graph_add_value (graph, NULL, NULL);
  GError *error = NULL;

  g_assert_nonnull (
      _kette_graph_add_node (graph, "", "", op, 18, in, n, &y, 1, NULL, 0, &error));
  g_assert_no_error (error);
  return y;
}

static void
test_case (gconstpointer data)
{
  const Case *c                = data;
  const int64_t three[]        = { 3 };
  g_autoptr (KetteGraph) graph = graph_new (18);
  g_autoptr (KetteTensor) x    = tensor_f64 (3, (const double[]){ -1, -2, -4 });
  g_autoptr (KetteTensor) i    = tensor_i64 (3, (const int64_t[]){ 2, 0, 1 });
  g_autoptr (KetteTensor) one  = tensor_i64 (1, (const int64_t[]){ 1 });
  g_autoptr (KetteTensor) y    = NULL;
  GError *error                = NULL;
  KetteValue *in               = graph_input (graph, "x", KT_F64, 1, three);
  /* Intermediate results, which end at the node: 1, 2, 4 and -2, -4, -8. */
  KetteValue *h    = node (graph, "Neg", &in, 1);
  KetteValue *b    = node (graph, "Add", (KetteValue *[]){ in, in }, 2);
  KetteValue *at   = _kette_graph_add_constant (graph, NULL, i, NULL);
  KetteValue *axis = _kette_graph_add_constant (graph, NULL, one, NULL);
  KetteValue *rows = node (graph, "Unsqueeze", (KetteValue *[]){ at, axis }, 2);
  KetteValue *from = strcmp (c->op, "ScatterND") == 0 ? rows : at;

  g_assert_true (_kette_graph_add_output (
      graph,
      node (graph, c->op, (KetteValue *[]){ h, c->indices ? from : b, h, h }, c->n_in),
      NULL));
  g_autoptr (KetteSession) session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (kette_session_run (session, &x, &y, NULL, &error));
  g_assert_no_error (error);
  for (int k = 0; k < 3; k++)
    g_assert_cmpfloat (((double *) y->data)[k], ==, c->expected[k]);
}

static const Case cases[] = {
  { "scatter-elements", "ScatterElements", 3, TRUE, { 2, 4, 1 } },
  { "scatter-nd", "ScatterND", 3, TRUE, { 2, 4, 1 } },
  { "sum", "Sum", 3, FALSE, { 0, 0, 0 } },
  { "sum-four", "Sum", 4, FALSE, { 1, 2, 4 } },
  { "mean", "Mean", 3, FALSE, { 0, 0, 0 } },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (kette_plugins_get (NULL));
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/in-place/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
