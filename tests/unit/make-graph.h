/* SPDX-License-Identifier: Apache-2.0
 * Small graphs by names, for the tests of the graph floor.
 */
#pragma once
#include "graph/graph-private.h"
#include <string.h>

#define assert_text(text, expected) g_assert_cmpstr (text, ==, expected)

static size_t used_before;

static inline KetteGraph *
new_graph (void)
{
  KetteModel *model;
  KetteGraph *graph;

  used_before = _kette_account_process ()->used;
  model       = _kette_model_new ("test.onnx", NULL);
  graph       = _kette_graph_new (model, "g", NULL);
  _kette_model_unref (model);
  return graph;
}

/* Everything that a graph asked for is given back. */
static inline void
end_graph (KetteGraph *graph)
{
  kette_graph_unref (graph);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used_before);
}

static inline KetteValue *
value (KetteGraph *graph, const char *name)
{
  KetteValue *found = _kette_graph_find (graph, name);
  GError *error     = NULL;

  if (!found)
    found = _kette_graph_add_value (graph, name, &error);
  g_assert_no_error (error);
  return found;
}

/* A node by names: "a,b" -> "y". */
static inline KetteNode *
node (KetteGraph *graph, const char *name, const char *op, const char *in,
      const char *out)
{
  char **ins = g_strsplit (in, ",", -1), **outs = g_strsplit (out, ",", -1);
  KetteValue *inputs[8], *outputs[8];
  int32_t n_in = 0, n_out = 0;
  GError *error = NULL;
  KetteNode *made;

  for (; ins[n_in]; n_in++)
    inputs[n_in] = *ins[n_in] ? value (graph, ins[n_in]) : NULL;
  for (; outs[n_out]; n_out++)
    outputs[n_out] = *outs[n_out] ? value (graph, outs[n_out]) : NULL;
  made = _kette_graph_add_node (graph, name, "ai.onnx", op, 13, inputs, n_in, outputs,
                                n_out, NULL, 0, &error);
  g_assert_no_error (error);
  g_strfreev (ins);
  g_strfreev (outs);
  return made;
}

static inline void
assert_order (const KetteGraph *graph, const char *expected)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      g_string_append_printf (text, "%s%s", i ? " " : "", graph->nodes[i]->name);
      g_assert_cmpuint (graph->nodes[i]->index, ==, i);
    }
  assert_text (text->str, expected);
  g_string_free (text, TRUE);
}

/* Gives node's only attribute, a graph, to NODE. */
static inline KetteGraph *
add_branch (KetteNode *n, const char *attribute)
{
  const kt_attr attr = { .name = attribute, .kind = KT_A_GRAPH };
  KetteGraph *sub    = _kette_graph_new (n->graph->model, attribute, NULL);

  sub->parent = n->graph;
  g_assert_true (_kette_node_set_attr (n, &attr, NULL));
  n->subgraphs[n->n_attrs - 1] = sub;
  return sub;
}
