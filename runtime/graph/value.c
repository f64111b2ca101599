/* SPDX-License-Identifier: Apache-2.0
 * Values: making them, their names, types and content, stand-ins for values of enclosing
 * graphs.
 */
#include "graph/sparse.h"
#include <string.h>

KetteValue *
_kette_graph_find (const KetteGraph *graph, const char *name)
{
  return _kette_names_get (graph->names, name);
}

/* Neither in GRAPH nor in a graph around it, whose values its nodes can read by name. */
static gboolean
is_free (const KetteGraph *graph, const char *name)
{
  for (; graph; graph = graph->parent)
    if (_kette_graph_find (graph, name))
      return FALSE;
  return TRUE;
}

/* The last number that was tried with a base is remembered: a thousand fresh names of one base
 * cost a thousand steps. */
const char *
_kette_graph_fresh_name (KetteGraph *graph, const char *base, GError **error)
{
  const size_t size = (base ? strlen (base) : 0) + 24;
  const char *key   = NULL;
  size_t number;
  char *name;

  if (!base || !*base)
    base = "v";
  name = _kette_region_alloc (graph->region, size, 1, error);
  if (!name)
    return NULL;
  g_strlcpy (name, base, size);
  if (is_free (graph, name))
    return name;
  if (!graph->bases)
    graph->bases = _kette_names_new (error);
  if (!graph->bases)
    return NULL;
  number = GPOINTER_TO_SIZE (_kette_names_get (graph->bases, base));
  if (number == 0)
    {
      number = 1;
      key    = _kette_region_strdup (graph->region, base, error);
      if (!key)
        return NULL;
    }
  do
    g_snprintf (name, (gulong) size, "%s_%zu", base, ++number);
  while (!is_free (graph, name));
  /* An existing entry keeps its own copy of the base. */
  return _kette_names_set (graph->bases, key ? key : base, GSIZE_TO_POINTER (number),
                           error)
             ? name
             : NULL;
}

static KetteValue *
add_named (KetteGraph *graph, const char *name, GError **error)
{
  KetteValue *value;

  if (graph->n_values >= UINT32_MAX - 1)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "has over %u values",
                   UINT32_MAX - 1);
      return NULL;
    }
  if (!_kette_grow (&graph->values, &graph->values_capacity, graph->n_values + 1,
                    sizeof *graph->values, error))
    return NULL;
  value = _kette_region_alloc (graph->region, 1, sizeof *value, error);
  if (!value || !_kette_names_set (graph->names, name, value, error))
    return NULL;
  value->graph                     = graph;
  value->name                      = name;
  value->index                     = (uint32_t) graph->n_values;
  graph->values[graph->n_values++] = value;
  return value;
}

KetteValue *
_kette_graph_add_value (KetteGraph *graph, const char *name, GError **error)
{
  if (name && *name && _kette_graph_find (graph, name))
    {
      _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "the value %s is there twice",
                   KETTE_QUOTE (name));
      return NULL;
    }
  name = name && *name ? _kette_region_strdup (graph->region, name, error)
                       : _kette_graph_fresh_name (graph, NULL, error);
  return name ? add_named (graph, name, error) : NULL;
}

gboolean
_kette_graph_rename (KetteValue *value, const char *name, GError **error)
{
  KetteGraph *graph = value->graph;
  const char *copy;

  if (strcmp (value->name, name) == 0)
    return TRUE;
  if (!*name)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "the value %s gets no name",
                        KETTE_QUOTE (value->name));
  if (_kette_graph_find (graph, name))
    return _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "the value %s is there twice",
                        KETTE_QUOTE (name));
  copy = _kette_region_strdup (graph->region, name, error);
  if (!copy || !_kette_names_set (graph->names, copy, value, error))
    return FALSE;
  _kette_names_remove (graph->names, value->name);
  value->name = copy;
  return TRUE;
}

KetteValue *
_kette_graph_add_constant (KetteGraph *graph, const char *name, KetteTensor *data,
                           GError **error)
{
  KetteValue *value = _kette_graph_add_value (graph, name, error);

  if (!value
      || !_kette_value_set_tensor_type (value, data->dtype, data->dims, data->rank,
                                        error))
    return NULL;
  value->flags |= KETTE_VALUE_INITIALIZER;
  _kette_value_set_data (value, data);
  return value;
}

/* The stand-in in GRAPH of OUTER, a value of the graph next around it. */
static KetteValue *
capture_one (KetteGraph *graph, KetteValue *outer, GError **error)
{
  KetteValue *value = _kette_graph_find (graph, outer->name);
  const char *name;

  if (value && value->outer == outer)
    return value;
  for (size_t i = 0; value && i < graph->n_values; i++)
    if (graph->values[i]->outer == outer)
      return graph->values[i];
  name  = value ? _kette_graph_fresh_name (graph, outer->name, error)
                : _kette_region_strdup (graph->region, outer->name, error);
  value = name ? add_named (graph, name, error) : NULL;
  if (!value)
    return NULL;
  value->outer = outer;
  return _kette_value_set_type (value, &outer->type, error) ? value : NULL;
}

KetteValue *
_kette_graph_capture (KetteGraph *graph, KetteValue *outer, GError **error)
{
  while (outer && outer->graph != graph)
    {
      KetteGraph *inner = graph;

      /* One graph inward from where OUTER is; a graph beside gets it at once. */
      while (inner->parent && inner->parent != outer->graph)
        inner = inner->parent;
      outer = capture_one (inner->parent ? inner : graph, outer, error);
    }
  return outer;
}

gboolean
_kette_type_copy (KetteRegion *region, const kt_type *type, kt_type *out, GError **error)
{
  for (;;)
    {
      kt_type *elem = NULL;

      *out      = *type;
      out->dims = NULL;
      out->elem = NULL;
      if (type->dims && type->ndim > 0)
        {
          out->dims = _kette_region_dup (region, type->dims, (size_t) type->ndim,
                                         sizeof *type->dims, error);
          if (!out->dims)
            return FALSE;
        }
      if (!type->elem)
        return TRUE;
      elem = _kette_region_alloc (region, 1, sizeof *elem, error);
      if (!elem)
        return FALSE;
      out->elem = elem;
      out       = elem;
      type      = type->elem;
    }
}

gboolean
_kette_value_set_type (KetteValue *value, const kt_type *type, GError **error)
{
  kt_type copy;

  if (!_kette_type_copy (value->graph->region, type, &copy, error))
    return FALSE;
  value->type = copy;
  return TRUE;
}

gboolean
_kette_value_set_tensor_type (KetteValue *value, int dtype, const int64_t *dims, int rank,
                              GError **error)
{
  const kt_type type = { .kind = KT_TENSOR, .dtype = dtype, .ndim = rank, .dims = dims };

  return _kette_value_set_type (value, &type, error);
}

void
_kette_value_set_sparse (KetteValue *value, KetteSparse *sparse)
{
  if (sparse)
    _kette_sparse_ref (sparse);
  _kette_sparse_unref (value->sparse);
  value->sparse = sparse;
}

void
_kette_value_set_data (KetteValue *value, KetteTensor *data)
{
  if (data)
    kette_tensor_ref (data);
  kette_tensor_unref (value->data);
  value->data = data;
}
