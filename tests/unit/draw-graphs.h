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

/* Five layers: wider than a slide. */
static KetteGraph *
deep_graph (void)
{
  KetteGraph *g = new_graph ();
  KetteValue *a = add_input (g, "x", "Nx784");

  for (int i = 1; i <= 5; i++)
    {
      g_autofree char *wn = g_strdup_printf ("fc%d.weight", i);
      g_autofree char *bn = g_strdup_printf ("fc%d.bias", i);
      g_autofree char *zn = g_strdup_printf ("/fc%d/Gemm_output_0", i);
      g_autofree char *an = g_strdup_printf ("/Relu_%d_output_0", i);
      KetteValue *z = add_op (g, "Gemm", zn, "Nx128", a, add_parameter (g, wn, "128x128"),
                              add_parameter (g, bn, "128"), NULL);

      a = add_op (g, "Relu", an, "Nx128", z, NULL);
    }
  add_op (g, "HalfSSE", "loss", "", a, add_input (g, "target", "Nx128"), NULL);
  return g;
}

static KetteValue *
add_normalization (KetteGraph *g, const char *prefix, KetteValue *x, const char *shape)
{
  static const char *const parts[] = { "scale", "bias", "mean", "var" };
  KetteValue *p[4];
  g_autofree char *out = g_strconcat (prefix, "normalized", NULL);

  for (int i = 0; i < 4; i++)
    {
      g_autofree char *name = g_strconcat (prefix, parts[i], NULL);

      p[i] = add_parameter (g, name, "16");
    }
  return add_op (g, "BatchNormalization", out, shape, x, p[0], p[1], p[2], p[3], NULL);
}

/* A chain with a layer wider than a slide, four parameters at one operator, a shape as text. */
static KetteGraph *
cnn_graph (void)
{
  KetteGraph *g = new_graph ();
  KetteValue *a = add_input (g, "image", "Nx1x28x28");

  a = add_op (g, "Conv", "c1", "Nx16x28x28", a,
              add_parameter (g, "conv1.weight", "16x1x5x5"),
              add_parameter (g, "conv1.bias", "16"), NULL);
  a = add_normalization (g, "bn.", a, "Nx16x28x28");
  a = add_op (g, "Relu", "r1", "Nx16x28x28", a, NULL);
  a = add_op (g, "MaxPool", "p1", "Nx16x14x14", a, NULL);
  a = add_op (g, "Reshape", "flat", "Nx3136", a, add_shape (g, "shape", -1, 3136), NULL);
  a = add_op (g, "MatMul", "h", "Nx10", a, add_parameter (g, "fc.weight", "3136x10"),
              NULL);
  a = add_op (g, "Add", "logits", "Nx10", a, add_parameter (g, "fc.bias", "10"), NULL);
  add_op (g, "HalfSSE", "loss", "", a, add_input (g, "target", "Nx10"), NULL);
  return g;
}

/* Blocks with a way round them, and an operator that nobody provides. */
static KetteGraph *
residual_graph (int n_blocks)
{
  KetteGraph *g = new_graph ();
  KetteValue *a = add_input (g, "image", "Nx3x32x32");

  for (int i = 0; i < n_blocks; i++)
    {
      KetteValue *skip    = a;
      g_autofree char *bn = g_strdup_printf ("layer%d.bn.", i);
      g_autofree char *wn = g_strdup_printf ("layer%d.conv.weight", i);
      g_autofree char *cn = g_strdup_printf ("/layer%d/conv/Conv_output_0", i);
      g_autofree char *rn = g_strdup_printf ("/layer%d/Relu_output_0", i);
      g_autofree char *sn = g_strdup_printf ("/layer%d/Add_output_0", i);
      g_autofree char *un = g_strdup_printf ("/layer%d/Unheard_output_0", i);

      a = add_op (g, "Conv", cn, "Nx16x32x32", a, add_parameter (g, wn, "16x3x3x3"),
                  NULL);
      a = add_normalization (g, bn, a, "Nx16x32x32");
      a = add_op (g, "Relu", rn, "Nx16x32x32", a, NULL);
      a = add_op (g, "Add", sn, "Nx16x32x32", a, skip, NULL);
      a = add_op (g, "Unheard", un, NULL, a, NULL);
    }
  add_op (g, "HalfSSE", "loss", "", a, add_input (g, "target", "Nx10"), NULL);
  return g;
}

/* One value read by N nodes whose results are joined again, 15 at a time. */
static KetteGraph *
fan_graph (int n)
{
  KetteGraph *g = new_graph ();
  KetteValue *x = add_input (g, "x", "Nx4"), *in[4];

  for (int i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("r%d", i);
      g_autofree char *sum  = g_strdup_printf ("c%d", i / 4);

      in[i % 4] = add_op (g, "Relu", name, "Nx4", x, NULL);
      if (i % 4 == 3)
        add_op (g, "Concat", sum, "Nx16", in[0], in[1], in[2], in[3], NULL);
    }
  return g;
}

/* What a node test looks like. */
static KetteGraph *
node_graph (void)
{
  KetteGraph *g = new_graph ();
  GError *error = NULL;
  KetteValue *y = add_op (g, "Add", "sum", "3x4x5", add_input (g, "x", "3x4x5"),
                          add_input (g, "y", "5"), NULL);

  g_assert_true (_kette_graph_add_output (g, y, &error));
  return g;
}

/* NAME in every place; with a linear operator, symbols and formulas come in. */
static KetteGraph *
hostile_graph (const char *name, gboolean linear)
{
  KetteGraph *g      = new_graph ();
  g_autofree char *x = g_strconcat (name, "1", NULL);
  g_autofree char *w = g_strconcat (name, "2", NULL);
  g_autofree char *p = g_strconcat (name, "3", NULL);
  KetteValue *v      = add_input (g, x, "Nx4");

  if (linear)
    v = add_op (g, "MatMul", w, "Nx4", v, add_parameter (g, p, "4x4"), NULL);
  add_op (g, name, name, "Nx4", v, NULL);
  return g;
}
