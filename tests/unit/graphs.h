/* SPDX-License-Identifier: Apache-2.0
 * Small graphs made in memory, for tests. Every helper ends the test on failure.
 */
#pragma once
#include "exec/session-private.h"
#include "graph/graph-private.h"
#include "pass/pass.h"

static inline KetteGraph *
graph_new (int32_t opset)
{
  KetteModel *model = _kette_model_new ("test", NULL);
  KetteGraph *graph = _kette_graph_new (model, "test", NULL);

  g_assert_true (_kette_model_set_opset (model, "", opset, NULL));
  _kette_model_unref (model);
  return graph;
}

static inline KetteValue *
graph_input (KetteGraph *graph, const char *name, int dtype, int rank,
             const int64_t *dims)
{
  KetteValue *value = _kette_graph_add_value (graph, name, NULL);

  g_assert_true (_kette_value_set_tensor_type (value, dtype, dims, rank, NULL));
  g_assert_true (_kette_graph_add_input (graph, value, NULL));
  return value;
}

static inline KetteValue *
graph_node (KetteGraph *graph, const char *domain, const char *op, KetteValue *a,
            KetteValue *b)
{
  KetteValue *out = _kette_graph_add_value (graph, NULL, NULL);
  GError *error   = NULL;

  g_assert_nonnull (_kette_graph_add_node (graph, "", domain, op, *domain ? 1 : 18,
                                           (KetteValue *[]){ a, b }, b ? 2 : 1, &out, 1,
                                           NULL, 0, &error));
  g_assert_no_error (error);
  return out;
}

static inline KetteTensor *
tensor_f64 (size_t n, const double *elements)
{
  KetteTensor *t = kette_tensor_new (KT_F64, (const gint64[]){ (gint64) n }, 1, NULL);

  memcpy (t->data, elements, n * sizeof *elements);
  return t;
}

static inline KetteTensor *
tensor_i64 (size_t n, const int64_t *elements)
{
  KetteTensor *t = kette_tensor_new (KT_I64, (const gint64[]){ (gint64) n }, 1, NULL);

  memcpy (t->data, elements, n * sizeof *elements);
  return t;
}
