/* SPDX-License-Identifier: Apache-2.0
 * The list of all graphs in a model file.
 */
#include "graph/sparse.h"
#include "io/build.h"
#include <string.h>

static KetteScope *
scope_add (KetteBuild *b, GError **error)
{
  KetteScope *scope;

  if (b->n_scopes == b->scopes_capacity
      && !_kette_grow (&b->scopes, &b->scopes_capacity, b->n_scopes + 1,
                       sizeof *b->scopes, error))
    return NULL;
  scope  = &b->scopes[b->n_scopes];
  *scope = (KetteScope){ .parent = KETTE_NO_SCOPE, .root = b->n_scopes };
  b->n_scopes++;
  return scope;
}

/* A graph of its own: the main graph, a training step. */
static gboolean
scope_add_graph (KetteBuild *b, const Onnx__GraphProto *proto, const char *label,
                 size_t parent, size_t *index, GError **error)
{
  KetteScope *scope = scope_add (b, error);

  if (!scope)
    return FALSE;
  scope->proto   = proto;
  scope->label   = label;
  scope->parent  = parent;
  scope->n_nodes = proto->n_node;
  scope->nodes   = proto->node;
  *index         = b->n_scopes - 1;
  return TRUE;
}

/* A graph inside of scope INDEX: attribute ATTRIBUTE of its node NODE, the ELEMENT-th of its
 * graphs or KETTE_NO_SCOPE; with a LABEL the default of a function's attribute. */
static gboolean
scope_add_child (KetteBuild *b, size_t index, const Onnx__GraphProto *proto, size_t node,
                 size_t attribute, size_t element, const char *label, GError **error)
{
  char where[KETTE_WHERE_SIZE], hint[96];
  KetteScope *scope;

  if ((uint64_t) b->scopes[index].depth >= b->loading->limits.subgraph_depth)
    return _kette_fail (
        error, KETTE_ERROR_LIMIT,
        _kette_scope_where (b, index, label ? -1 : (gssize) node, NULL, NULL, where),
        "subgraphs nested more than %" G_GUINT64_FORMAT " deep%s",
        b->loading->limits.subgraph_depth,
        _kette_limits_hint ("subgraph-depth", b->loading->limits.subgraph_depth, hint));
  scope = scope_add (b, error);
  if (!scope)
    return FALSE;
  scope->proto     = proto;
  scope->parent    = index;
  scope->root      = b->scopes[index].root;
  scope->depth     = b->scopes[index].depth + 1;
  scope->node      = node;
  scope->attribute = attribute;
  scope->element   = element;
  scope->label     = label;
  scope->n_nodes   = proto->n_node;
  scope->nodes     = proto->node;
  return TRUE;
}

static gboolean
scope_add_children (KetteBuild *b, size_t index, size_t node, GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[index].nodes[node];

  for (size_t i = 0; i < proto->n_attribute; i++)
    {
      const Onnx__AttributeProto *a = proto->attribute[i];

      if (a->g && !scope_add_child (b, index, a->g, node, i, KETTE_NO_SCOPE, NULL, error))
        return FALSE;
      for (size_t k = 0; k < a->n_graphs; k++)
        if (!scope_add_child (b, index, a->graphs[k], node, i, k, NULL, error))
          return FALSE;
    }
  return TRUE;
}

/* Graphs that are defaults of a function's attributes; they stand behind its nodes'. */
static gboolean
scope_add_defaults (KetteBuild *b, size_t index, GError **error)
{
  const Onnx__FunctionProto *function = b->scopes[index].function;
  char text[KETTE_QUOTE_SIZE + 16];

  for (size_t i = 0; function && i < function->n_attribute_proto; i++)
    {
      const Onnx__AttributeProto *a = function->attribute_proto[i];
      const char *label             = NULL;

      if (a->g || a->n_graphs)
        {
          g_snprintf (text, sizeof text, "default of %s",
                      KETTE_QUOTE (_kette_text (a->name)));
          label = _kette_region_strdup (b->model->region, text, error);
          if (!label)
            return FALSE;
        }
      if (a->g && !scope_add_child (b, index, a->g, 0, i, KETTE_NO_SCOPE, label, error))
        return FALSE;
      for (size_t k = 0; k < a->n_graphs; k++)
        if (!scope_add_child (b, index, a->graphs[k], 0, i, k, label, error))
          return FALSE;
    }
  return TRUE;
}

static gboolean
scope_add_training (KetteBuild *b, GError **error)
{
  const Onnx__ModelProto *proto = b->proto;
  const size_t n                = proto->n_training_info;

  b->initialization = _kette_region_alloc (b->model->region, n, sizeof (size_t), error);
  if (!b->initialization)
    return FALSE;
  b->algorithm = _kette_region_alloc (b->model->region, n, sizeof (size_t), error);
  if (!b->algorithm)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      const Onnx__TrainingInfoProto *info = proto->training_info[i];
      char text[64];
      const char *label;

      b->initialization[i] = b->algorithm[i] = KETTE_NO_SCOPE;
      g_snprintf (text, sizeof text, "training_info[%zu], initialization", i);
      label = _kette_region_strdup (b->model->region, text, error);
      if (!label
          || (info->initialization
              && !scope_add_graph (b, info->initialization, label, KETTE_NO_SCOPE,
                                   &b->initialization[i], error)))
        return FALSE;
      g_snprintf (text, sizeof text, "training_info[%zu], algorithm", i);
      label = _kette_region_strdup (b->model->region, text, error);
      if (!label
          || (info->algorithm
              && !scope_add_graph (b, info->algorithm, label, b->main, &b->algorithm[i],
                                   error)))
        return FALSE;
    }
  return TRUE;
}

static gboolean
scope_make_graph (KetteBuild *b, size_t index, GError **error)
{
  KetteScope *scope = &b->scopes[index];
  char where[KETTE_WHERE_SIZE];

  scope->graph = _kette_graph_new (b->model,
                                   scope->function ? _kette_text (scope->function->name)
                                                   : _kette_text (scope->proto->name),
                                   error);
  if (!scope->graph)
    return FALSE;
  scope->owned        = TRUE;
  scope->graph->proto = scope->proto;
  if (scope->parent != KETTE_NO_SCOPE)
    scope->graph->parent = b->scopes[scope->parent].graph;
  if (!scope->function && !scope->label)
    return TRUE;
  _kette_scope_where (b, index, -1, NULL, NULL, where);
  scope->graph->role = _kette_region_strdup (b->model->region, where, error);
  return scope->graph->role != NULL;
}

gboolean
_kette_build_scopes (KetteBuild *b, GError **error)
{
  size_t nodes = 0;
  char where[KETTE_WHERE_SIZE], hint[96];

  if (!scope_add_graph (b, b->proto->graph, NULL, KETTE_NO_SCOPE, &b->main, error)
      || !scope_add_training (b, error))
    return FALSE;
  b->functions = b->n_scopes;
  for (size_t i = 0; i < b->proto->n_functions; i++)
    {
      KetteScope *scope = scope_add (b, error);

      if (!scope)
        return FALSE;
      scope->function = b->proto->functions[i];
      scope->n_nodes  = scope->function->n_node;
      scope->nodes    = scope->function->node;
    }
  for (size_t i = 0; i < b->n_scopes; i++)
    {
      b->scopes[i].first_child = b->n_scopes;
      nodes += b->scopes[i].n_nodes;
      if (nodes > b->loading->limits.nodes)
        return _kette_fail (
            error, KETTE_ERROR_LIMIT, _kette_scope_where (b, i, -1, NULL, NULL, where),
            "more than %" G_GUINT64_FORMAT " nodes%s", b->loading->limits.nodes,
            _kette_limits_hint ("nodes", b->loading->limits.nodes, hint));
      for (size_t k = 0; k < b->scopes[i].n_nodes; k++)
        if (!scope_add_children (b, i, k, error))
          return FALSE;
      if (!scope_add_defaults (b, i, error))
        return FALSE;
    }
  for (size_t i = 0; i < b->n_scopes; i++)
    if (!scope_make_graph (b, i, error))
      return FALSE;
  return TRUE;
}

/* Inner graphs first: they refer to outer ones. */
void
_kette_build_clear (KetteBuild *b)
{
  for (size_t i = b->n_scopes; i-- > 0;)
    {
      KetteScope *scope = &b->scopes[i];

      for (size_t k = 0; k < scope->n_tensors; k++)
        {
          kette_tensor_unref (scope->tensors[k].tensor);
          _kette_sparse_unref (scope->tensors[k].sparse);
        }
      _kette_free (scope->tensors);
      _kette_free (scope->types);
      _kette_names_free (scope->opsets);
      if (scope->owned)
        kette_graph_unref (scope->graph);
    }
  _kette_free (b->scopes);
  _kette_names_free (b->function_keys);
  _kette_external_free (b->external);
}
