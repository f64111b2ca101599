/* SPDX-License-Identifier: Apache-2.0
 * Graphs: their life, their inputs and outputs, and what the public sees of them.
 */
#include "graph/sparse.h"
#include <string.h>

G_DEFINE_BOXED_TYPE (KetteGraph, kette_graph, kette_graph_ref, kette_graph_unref)

KetteGraph *
_kette_graph_new (KetteModel *model, const char *name, GError **error)
{
  KetteGraph *graph = _kette_alloc (NULL, 1, sizeof *graph, error);

  if (!graph)
    return NULL;
  graph->ref    = 1;
  graph->model  = _kette_model_ref (model);
  graph->region = _kette_region_new (error);
  if (graph->region)
    graph->name = _kette_region_strdup (graph->region, name, error);
  if (graph->name)
    graph->names = _kette_names_new (error);
  if (graph->names)
    return graph;
  kette_graph_unref (graph);
  return NULL;
}

KetteGraph *
kette_graph_ref (KetteGraph *self)
{
  g_atomic_int_inc (&self->ref);
  return self;
}

static void
free_one (KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      kette_tensor_unref (graph->values[i]->data);
      _kette_sparse_unref (graph->values[i]->sparse);
    }
  for (size_t i = 0; i < graph->n_kept; i++)
    kette_tensor_unref (graph->kept[i]);
  _kette_free (graph->values);
  _kette_free (graph->inputs);
  _kette_free (graph->outputs);
  _kette_free (graph->nodes);
  _kette_free (graph->kept);
  _kette_names_free (graph->names);
  _kette_names_free (graph->bases);
  _kette_region_free (graph->region);
  if (!graph->lent)
    _kette_model_unref (graph->model);
  _kette_free (graph);
}

/* Subgraphs are freed from a list: nothing here is as deep as a file is nested. */
void
kette_graph_unref (KetteGraph *self)
{
  KetteGraph *list = self;

  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  self->link = NULL;
  while (list)
    {
      KetteGraph *graph = list;

      list = graph->link;
      for (size_t i = 0; i < graph->n_nodes; i++)
        for (int32_t k = 0; graph->nodes[i]->subgraphs && k < graph->nodes[i]->n_attrs;
             k++)
          {
            KetteGraph *sub = graph->nodes[i]->subgraphs[k];

            if (!sub || !g_atomic_int_dec_and_test (&sub->ref))
              continue;
            sub->link = list;
            list      = sub;
          }
      free_one (graph);
    }
}

gboolean
_kette_graph_add_input (KetteGraph *graph, KetteValue *value, GError **error)
{
  if (value->flags & KETTE_VALUE_INPUT)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "input %s is there twice",
                        KETTE_QUOTE (value->name));
  if (!_kette_grow (&graph->inputs, &graph->inputs_capacity, graph->n_inputs + 1,
                    sizeof *graph->inputs, error))
    return FALSE;
  graph->inputs[graph->n_inputs++] = value;
  value->flags |= KETTE_VALUE_INPUT;
  return TRUE;
}

gboolean
_kette_graph_add_output (KetteGraph *graph, KetteValue *value, GError **error)
{
  if (!_kette_grow (&graph->outputs, &graph->outputs_capacity, graph->n_outputs + 1,
                    sizeof *graph->outputs, error))
    return FALSE;
  graph->outputs[graph->n_outputs++] = value;
  value->flags |= KETTE_VALUE_OUTPUT;
  return TRUE;
}

static gboolean
is_fed (const KetteValue *value)
{
  return !(value->flags & KETTE_VALUE_INITIALIZER);
}

guint
kette_graph_get_n_inputs (KetteGraph *self)
{
  guint n = 0;

  for (size_t i = 0; i < self->n_inputs; i++)
    n += is_fed (self->inputs[i]);
  return n;
}

const char *
kette_graph_get_input_name (KetteGraph *self, guint i)
{
  for (size_t k = 0; k < self->n_inputs; k++)
    if (is_fed (self->inputs[k]) && i-- == 0)
      return self->inputs[k]->name;
  return NULL;
}

guint
kette_graph_get_n_defaults (KetteGraph *self)
{
  return (guint) self->n_inputs - kette_graph_get_n_inputs (self);
}

const char *
kette_graph_get_default_name (KetteGraph *self, guint i)
{
  for (size_t k = 0; k < self->n_inputs; k++)
    if (!is_fed (self->inputs[k]) && i-- == 0)
      return self->inputs[k]->name;
  return NULL;
}

guint
kette_graph_get_n_outputs (KetteGraph *self)
{
  return (guint) self->n_outputs;
}

const char *
kette_graph_get_output_name (KetteGraph *self, guint i)
{
  return i < self->n_outputs ? self->outputs[i]->name : NULL;
}

KetteTensor *
kette_graph_get_parameter (KetteGraph *self, const char *name)
{
  const KetteValue *value = _kette_graph_find (self, name);

  if (!value || !(value->flags & KETTE_VALUE_INITIALIZER))
    return NULL;
  if (value->sparse && !value->data) /* the sparse one keeps what it is when dense */
    kette_tensor_unref (_kette_sparse_dense (value->sparse, NULL));
  if (value->data) /* what a device has of it comes first */
    (void) kette_tensor_get_data (value->data);
  return value->data ? value->data : value->sparse ? value->sparse->dense : NULL;
}
