/* SPDX-License-Identifier: Apache-2.0
 * Graphs: values, inputs, outputs, constants.
 */
#include "graph/graph-private.h"
#include <string.h>

G_DEFINE_BOXED_TYPE (KetteGraph, kette_graph, kette_graph_ref, kette_graph_unref)

KetteGraph *
_kette_graph_new (KetteModel *model, const char *name, GError **error)
{
  KetteGraph *graph = _kette_alloc (_kette_account_process (), 1, sizeof *graph, error);

  if (!graph)
    return NULL;
  graph->ref   = 1;
  graph->model = _kette_model_ref (model);
  if ((graph->region = _kette_region_new (error)) && (graph->names = _kette_names_new (error))
      && (graph->name = _kette_region_strdup (graph->region, name ? name : "", error)))
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

/* Frees GRAPH's own things; its subgraphs go onto the list that begins at *pending, linked
 * by their field parent, so that deep nesting needs no stack. */
static void
dismantle (KetteGraph *graph, KetteGraph **pending)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    for (int32_t k = 0; graph->nodes[i]->subgraphs && k < graph->nodes[i]->n_attrs; k++)
      {
        KetteGraph *sub = graph->nodes[i]->subgraphs[k];
        if (sub && g_atomic_int_dec_and_test (&sub->ref))
          {
            sub->parent = *pending;
            *pending    = sub;
          }
      }
  for (size_t i = 0; i < graph->n_values; i++)
    kette_tensor_unref (graph->values[i]->data);
  for (size_t i = 0; i < graph->n_kept; i++)
    kette_tensor_unref (graph->kept[i]);
  _kette_names_free (graph->names);
  _kette_free (graph->values);
  _kette_free (graph->nodes);
  _kette_free (graph->inputs);
  _kette_free (graph->outputs);
  _kette_free (graph->kept);
  if (graph->region)
    _kette_region_free (graph->region);
  _kette_model_unref (graph->model);
  _kette_free (graph);
}

void
kette_graph_unref (KetteGraph *self)
{
  KetteGraph *pending = NULL;

  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  self->parent = NULL;
  pending      = self;
  while (pending)
    {
      KetteGraph *graph = pending;
      pending           = graph->parent;
      dismantle (graph, &pending);
    }
}

const char *
_kette_graph_fresh_name (KetteGraph *graph, const char *base, GError **error)
{
  char text[1100];

  if (base && *base && !_kette_graph_find (graph, base))
    return _kette_region_strdup (graph->region, base, error);
  /* Numbers begin where they are likely free, so that many fresh names stay cheap. */
  for (size_t i = base && *base ? 2 : graph->n_values; i < SIZE_MAX; i++)
    {
      if (base && *base)
        g_snprintf (text, sizeof text, "%.1000s_%zu", base, i);
      else
        g_snprintf (text, sizeof text, "v%zu", i);
      if (!_kette_graph_find (graph, text))
        return _kette_region_strdup (graph->region, text, error);
    }
  return NULL;
}

KetteValue *
_kette_graph_add_value (KetteGraph *graph, const char *name, GError **error)
{
  KetteValue *value;
  char where[KETTE_WHERE_SIZE];

  if (name && *name)
    {
      if (_kette_graph_find (graph, name))
        {
          _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "the name %s stands for two values",
                       KETTE_QUOTE (name));
          return NULL;
        }
      name = _kette_region_strdup (graph->region, name, error);
    }
  else
    name = _kette_graph_fresh_name (graph, NULL, error);
  (void) where;
  if (!name
      || !_kette_grow (&graph->values, &graph->values_capacity, graph->n_values + 1,
                       sizeof *graph->values, error)
      || !(value = _kette_region_alloc (graph->region, 1, sizeof *value, error))
      || !_kette_names_set (graph->names, name, value, error))
    return NULL;
  value->graph                     = graph;
  value->name                      = name;
  value->index                     = (uint32_t) graph->n_values;
  graph->values[graph->n_values++] = value;
  return value;
}

KetteValue *
_kette_graph_find (const KetteGraph *graph, const char *name)
{
  return _kette_names_get (graph->names, name);
}

gboolean
_kette_graph_rename (KetteValue *value, const char *name, GError **error)
{
  KetteGraph *graph = value->graph;
  KetteValue *other = _kette_graph_find (graph, name);

  if (other == value)
    return TRUE;
  if (other)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "the name %s stands for two values",
                        KETTE_QUOTE (name));
  if (!(name = _kette_region_strdup (graph->region, name, error))
      || !_kette_names_set (graph->names, name, value, error))
    return FALSE;
  _kette_names_remove (graph->names, value->name);
  value->name = name;
  return TRUE;
}

gboolean
_kette_graph_add_input (KetteGraph *graph, KetteValue *value, GError **error)
{
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

KetteValue *
_kette_graph_add_constant (KetteGraph *graph, const char *name, KetteTensor *data, GError **error)
{
  KetteValue *value = _kette_graph_add_value (graph, name, error);

  if (!value || !_kette_value_set_tensor_type (value, data->dtype, data->dims, data->rank, error))
    return NULL;
  _kette_value_set_data (value, data);
  value->flags |= KETTE_VALUE_INITIALIZER;
  return value;
}

KetteValue *
_kette_graph_capture (KetteGraph *graph, KetteValue *outer, GError **error)
{
  KetteValue *value = _kette_graph_find (graph, outer->name);

  if (value && value->outer == outer)
    return value;
  value = _kette_graph_add_value (graph, outer->name, error);
  if (!value || (outer->type.kind && !_kette_value_set_type (value, &outer->type, error)))
    return NULL;
  value->outer = outer;
  return value;
}

gboolean
_kette_value_set_type (KetteValue *value, const kt_type *type, GError **error)
{
  kt_type copy = *type;

  if (type->ndim > 0)
    {
      copy.dims = _kette_region_dup (value->graph->region, type->dims, (size_t) type->ndim,
                                     sizeof *type->dims, error);
      if (!copy.dims)
        return FALSE;
    }
  else
    copy.dims = NULL;
  value->type = copy;
  return TRUE;
}

gboolean
_kette_value_set_tensor_type (KetteValue *value, int dtype, const int64_t *dims, int rank,
                              GError **error)
{
  return _kette_value_set_type (
      value, &(kt_type){ .kind = KT_TENSOR, .dtype = dtype, .ndim = rank, .dims = dims }, error);
}

void
_kette_value_set_data (KetteValue *value, KetteTensor *data)
{
  if (data)
    kette_tensor_ref (data);
  kette_tensor_unref (value->data);
  value->data = data;
}

/* -- public ------------------------------------------------------------------------------- */

guint
kette_graph_get_n_inputs (KetteGraph *self)
{
  guint n = 0;

  for (size_t i = 0; i < self->n_inputs; i++)
    n += !(self->inputs[i]->flags & KETTE_VALUE_INITIALIZER);
  return n;
}

const char *
kette_graph_get_input_name (KetteGraph *self, guint i)
{
  for (size_t k = 0; k < self->n_inputs; k++)
    if (!(self->inputs[k]->flags & KETTE_VALUE_INITIALIZER) && i-- == 0)
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

  return value && (value->flags & KETTE_VALUE_INITIALIZER) ? value->data : NULL;
}
