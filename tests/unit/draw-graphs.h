/* SPDX-License-Identifier: Apache-2.0
 * Graphs for the tests of drawing, made by hand: no file and no plugin takes part.
 */
#pragma once
#include "draw/draw-private.h"
#include "op/registry.h"

/* The operators of the tests: what drawing reads of a definition. */
static const KetteOp *
fake_op (const char *name)
{
  static KetteOp ops[] = {
    { .op = { .name = "MatMul" } },
    { .op = { .name = "Add" } },
    { .op = { .name = "Gemm" } },
    { .op = { .name = "Conv" } },
    { .op = { .name = "Relu", .formula = "\\text{relu}($0)" } },
    { .op = { .name = "MaxPool" } },
    { .op = { .name = "Reshape" } },
    { .op = { .name = "Concat" } },
    { .op = { .name = "BatchNormalization" } },
    { .op = { .name = "Sigmoid", .formula = "\\sigma($0)" } },
    { .op = { .name = "HalfSSE", .formula = "\\half ($0 - $1)^{2}" } },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (ops); i++)
    if (g_strcmp0 (ops[i].op.name, name) == 0)
      return &ops[i];
  return NULL;
}

static KetteGraph *
new_graph (void)
{
  GError *error     = NULL;
  KetteModel *model = _kette_model_new ("test.onnx", &error);
  g_assert_no_error (error);
  g_assert_true (_kette_model_set_opset (model, "", 18, &error));
  KetteGraph *graph = _kette_graph_new (model, "g", &error);
  g_assert_no_error (error);
  _kette_model_unref (model);
  return graph;
}

/* "784x30" -> dims; N is the symbol "N", ? unknown; "" is a scalar. */
static void
set_type (KetteValue *v, int dtype, const char *shape)
{
  GError *error = NULL;
  int64_t dims[8];
  int rank               = 0;
  g_auto (GStrv) numbers = g_strsplit (shape, "x", 8);

  for (; numbers[rank]; rank++)
    dims[rank]
        = numbers[rank][0] == 'N'   ? _kette_model_symbol (v->graph->model, "N", &error)
          : numbers[rank][0] == '?' ? KT_DIM (0)
                                    : (int64_t) g_ascii_strtoll (numbers[rank], NULL, 10);
  g_assert_true (_kette_value_set_tensor_type (v, dtype, dims, rank, &error));
}

static KetteValue *
add_input (KetteGraph *graph, const char *name, const char *shape)
{
  GError *error = NULL;
  KetteValue *v = _kette_graph_add_value (graph, name, &error);

  g_assert_no_error (error);
  set_type (v, KT_F32, shape);
  g_assert_true (_kette_graph_add_input (graph, v, &error));
  return v;
}

static KetteValue *
add_parameter (KetteGraph *graph, const char *name, const char *shape)
{
  GError *error = NULL;
  KetteValue *v = _kette_graph_add_value (graph, name, &error);

  g_assert_no_error (error);
  set_type (v, KT_F32, shape);
  KetteTensor *data
      = kette_tensor_new (KT_F32, v->type.dims, (guint) v->type.ndim, &error);
  g_assert_no_error (error);
  _kette_value_set_data (v, data);
  v->flags |= KETTE_VALUE_INITIALIZER;
  kette_tensor_unref (data);
  return v;
}

static KetteValue *
add_shape (KetteGraph *graph, const char *name, int64_t a, int64_t b)
{
  GError *error     = NULL;
  const int64_t two = 2;
  KetteTensor *data = kette_tensor_new (KT_I64, &two, 1, &error);

  ((int64_t *) data->data)[0] = a;
  ((int64_t *) data->data)[1] = b;
  KetteValue *v               = _kette_graph_add_constant (graph, name, data, &error);
  g_assert_no_error (error);
  kette_tensor_unref (data);
  return v;
}

/* A node with one output; inputs end with NULL. */
static KetteValue *
add_op (KetteGraph *graph, const char *op, const char *out, const char *shape, ...)
{
  GError *error = NULL;
  KetteValue *in[16], *v = _kette_graph_add_value (graph, out, &error);
  int32_t n = 0;
  va_list args;

  g_assert_no_error (error);
  va_start (args, shape);
  while (n < 16 && (in[n] = va_arg (args, KetteValue *)))
    n++;
  va_end (args);
  g_autofree char *name = g_strconcat ("node_", out, NULL);
  KetteNode *node
      = _kette_graph_add_node (graph, name, "", op, 18, in, n, &v, 1, NULL, 0, &error);
  g_assert_no_error (error);
  node->def = fake_op (op);
  if (shape)
    set_type (v, KT_F32, shape);
  return v;
}

/* 784-30-10 with sigmoids; with a loss if SCOPE wants one. */
static KetteGraph *
lecture_graph (gboolean loss)
{
  KetteGraph *g   = new_graph ();
  KetteValue *a   = add_input (g, "x", "Nx784");
  const char *w[] = { "784x30", "30x10" }, *b[] = { "30", "10" },
             *n[] = { "Nx30", "Nx10" };
  GError *error   = NULL;

  for (int i = 0; i < 2; i++)
    {
      g_autofree char *wn = g_strdup_printf ("fc%d.weight", i + 1);
      g_autofree char *bn = g_strdup_printf ("fc%d.bias", i + 1);
      g_autofree char *hn = g_strdup_printf ("/fc%d/MatMul_output_0", i + 1);
      g_autofree char *zn = g_strdup_printf ("/fc%d/Add_output_0", i + 1);
      g_autofree char *an = i ? g_strdup ("y") : g_strdup ("/Sigmoid_output_0");
      KetteValue *W = add_parameter (g, wn, w[i]), *B = add_parameter (g, bn, b[i]);
      KetteValue *h = add_op (g, "MatMul", hn, n[i], a, W, NULL);
      KetteValue *z = add_op (g, "Add", zn, n[i], h, B, NULL);
      a             = add_op (g, "Sigmoid", an, n[i], z, NULL);
    }
  if (loss)
    a = add_op (g, "HalfSSE", "loss", "", a, add_input (g, "target", "Nx10"), NULL);
  g_assert_true (_kette_graph_add_output (g, a, &error));
  return g;
}

/* A scope of the whole graph; with LOSS all floats that depend on a parameter are active. */
static void
make_scope (KetteScope *scope, KetteGraph *graph, const char *loss)
{
  GError *error = NULL;

  *scope        = (KetteScope){ .graph = graph, .gradients = loss != NULL };
  scope->needed = _kette_alloc (_kette_account_process (), graph->n_nodes + 1, 1, &error);
  scope->active
      = _kette_alloc (_kette_account_process (), graph->n_values + 1, 1, &error);
  g_assert_no_error (error);
  memset (scope->needed, 1, graph->n_nodes);
  scope->loss = loss ? _kette_graph_find (graph, loss) : NULL;
  for (size_t i = 0; loss && i < graph->n_values; i++)
    scope->active[i] = (graph->values[i]->flags & KETTE_VALUE_INITIALIZER)
                       && graph->values[i]->type.dtype == KT_F32;
  for (size_t k = 0; loss && k < graph->n_nodes; k++)
    for (int32_t i = 0; i < graph->nodes[k]->n_in; i++)
      scope->active[graph->nodes[k]->out[0]->index]
          |= scope->active[graph->nodes[k]->in[i]->index];
}
