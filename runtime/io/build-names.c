/* SPDX-License-Identifier: Apache-2.0
 * Names: each is defined once and differs from all that can be seen from where it stands.
 */
#include "graph/sparse.h"
#include "io/build.h"
#include <string.h>

/* Is NAME defined in a graph around SCOPE? */
static gboolean
visible_outside (const KetteBuild *b, size_t scope, const char *name)
{
  for (size_t i = b->scopes[scope].parent; i != KETTE_NO_SCOPE; i = b->scopes[i].parent)
    if (_kette_graph_find (b->scopes[i].graph, name))
      return TRUE;
  return FALSE;
}

static KetteValue *
define (KetteBuild *b, size_t scope, gssize node, const char *kind, const char *name,
        GError **error)
{
  KetteGraph *graph = b->scopes[scope].graph;
  const char *plain = node < 0 ? kind : NULL;
  char where[KETTE_WHERE_SIZE];

  if (!*name)
    _kette_fail (error, KETTE_ERROR_GRAPH,
                 _kette_scope_where (b, scope, node, kind, NULL, where), "has no name");
  else if (_kette_graph_find (graph, name))
    _kette_fail (error, KETTE_ERROR_GRAPH,
                 _kette_scope_where (b, scope, node, plain, NULL, where),
                 "the name %s is defined twice", KETTE_QUOTE (name));
  else if (visible_outside (b, scope, name))
    _kette_fail (error, KETTE_ERROR_GRAPH,
                 _kette_scope_where (b, scope, node, plain, NULL, where),
                 "the name %s is already that of a value outside", KETTE_QUOTE (name));
  else
    return _kette_graph_add_value (graph, name, error);
  return NULL;
}

static gboolean
declare (KetteValue *value, const kt_type *type, const void *proto, GError **error)
{
  value->proto = proto;
  if (!type)
    return TRUE;
  value->flags |= KETTE_VALUE_DECLARED;
  return type->kind == 0 || _kette_value_set_type (value, type, error);
}

static gboolean
define_inputs (KetteBuild *b, size_t index, GError **error)
{
  KetteScope *scope = &b->scopes[index];

  if (scope->function)
    {
      for (size_t i = 0; i < scope->function->n_input; i++)
        {
          KetteValue *value = define (b, index, -1, "input",
                                      _kette_text (scope->function->input[i]), error);

          if ((!value || !_kette_graph_add_input (scope->graph, value, error))
              && !_kette_build_go_on (b, error))
            return FALSE;
        }
      return TRUE;
    }
  for (size_t i = 0; i < scope->proto->n_input; i++)
    {
      const Onnx__ValueInfoProto *info = scope->proto->input[i];
      const kt_type *type              = scope->types[scope->next_type++];
      KetteValue *value
          = define (b, index, -1, "graph input", _kette_text (info->name), error);

      if ((!value || !_kette_graph_add_input (scope->graph, value, error)
           || !declare (value, type, info, error))
          && !_kette_build_go_on (b, error))
        return FALSE;
    }
  return TRUE;
}

/* The content of an initializer. One that is also an input keeps both roles: a default. */
static gboolean
define_initializer (KetteBuild *b, size_t index, const char *name, const void *proto,
                    GError **error)
{
  KetteScope *scope        = &b->scopes[index];
  const KetteStored stored = scope->tensors[scope->next_tensor++];
  const int dtype          = stored.sparse ? stored.sparse->dtype : stored.tensor->dtype;
  const int rank           = stored.sparse ? stored.sparse->rank : stored.tensor->rank;
  const int64_t *dims      = stored.sparse ? stored.sparse->dims : stored.tensor->dims;
  KetteValue *value        = *name ? _kette_graph_find (scope->graph, name) : NULL;
  char where[KETTE_WHERE_SIZE], has[256], needs[256];

  if (!value || !(value->flags & KETTE_VALUE_INPUT) || value->data || value->sparse)
    value = define (b, index, -1, "initializer", name, error);
  if (!value)
    return FALSE;
  if (!value->proto)
    value->proto = proto;
  if (value->type.kind == KT_TENSOR)
    {
      gboolean fits = value->type.dtype == dtype
                      && (value->type.ndim < 0 || value->type.ndim == rank);

      for (int i = 0; fits && value->type.ndim >= 0 && i < rank; i++)
        fits = value->type.dims[i] < 0 || value->type.dims[i] == dims[i];
      if (!fits)
        return _kette_fail (
            error, value->type.dtype == dtype ? KETTE_ERROR_SHAPE : KETTE_ERROR_TYPE,
            _kette_scope_where (b, index, -1, "initializer", name, where),
            "is %s%s, but the input of that name is %s%s", _kette_dtype (dtype)->name,
            _kette_dims_text (dims, (size_t) rank, has),
            _kette_dtype (value->type.dtype)->name,
            value->type.ndim < 0
                ? ""
                : _kette_shape_text (needs, sizeof needs, value->type.dims,
                                     value->type.ndim, b->model->symbols));
    }
  else if (value->type.kind == 0
           && !_kette_value_set_tensor_type (value, dtype, dims, rank, error))
    return FALSE;
  value->flags |= KETTE_VALUE_INITIALIZER;
  _kette_value_set_data (value, stored.tensor);
  _kette_value_set_sparse (value, stored.sparse);
  return TRUE;
}

static gboolean
define_initializers (KetteBuild *b, size_t index, GError **error)
{
  const Onnx__GraphProto *proto = b->scopes[index].proto;

  for (size_t i = 0; i < proto->n_initializer; i++)
    if (!define_initializer (b, index, _kette_text (proto->initializer[i]->name),
                             proto->initializer[i], error)
        && !_kette_build_go_on (b, error))
      return FALSE;
  for (size_t i = 0; i < proto->n_sparse_initializer; i++)
    {
      const Onnx__SparseTensorProto *sparse = proto->sparse_initializer[i];

      if (!define_initializer (b, index, _kette_text (sparse->values->name), sparse,
                               error)
          && !_kette_build_go_on (b, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
define_outputs_of_nodes (KetteBuild *b, size_t index, GError **error)
{
  for (size_t i = 0; i < b->scopes[index].n_nodes; i++)
    {
      const Onnx__NodeProto *node = b->scopes[index].nodes[i];

      for (size_t k = 0; k < node->n_output; k++)
        if (*_kette_text (node->output[k])
            && !define (b, index, (gssize) i, "output", node->output[k], error)
            && !_kette_build_go_on (b, error))
          return FALSE;
    }
  return TRUE;
}

/* A hint about a value; one about a name that is not there is kept and means nothing. */
static gboolean
declare_infos (KetteBuild *b, size_t index, size_t n, Onnx__ValueInfoProto *const *infos,
               GError **error)
{
  KetteScope *scope = &b->scopes[index];

  for (size_t i = 0; i < n; i++)
    {
      const kt_type *type = scope->types[scope->next_type++];
      KetteValue *value = _kette_graph_find (scope->graph, _kette_text (infos[i]->name));

      if (value && value->type.kind == 0 && !value->proto
          && !declare (value, type, infos[i], error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
define_scope (KetteBuild *b, size_t index, GError **error)
{
  KetteScope *scope    = &b->scopes[index];
  const size_t outputs = scope->proto ? scope->proto->n_output : 0;
  size_t at;

  if (!define_inputs (b, index, error)
      || (scope->proto && !define_initializers (b, index, error))
      || !define_outputs_of_nodes (b, index, error))
    return FALSE;
  /* Outputs declare more firmly than hints do, so their types go first. */
  at = scope->next_type;
  for (size_t i = 0; i < outputs; i++)
    {
      const Onnx__ValueInfoProto *info = scope->proto->output[i];
      const kt_type *type              = scope->types[scope->next_type++];
      KetteValue *value = _kette_graph_find (scope->graph, _kette_text (info->name));

      if (value && value->type.kind == 0 && !declare (value, type, info, error))
        return FALSE;
    }
  scope->next_type = at + outputs;
  return scope->proto ? declare_infos (b, index, scope->proto->n_value_info,
                                       scope->proto->value_info, error)
                      : declare_infos (b, index, scope->function->n_value_info,
                                       scope->function->value_info, error);
}

KetteValue *
_kette_build_use (KetteBuild *b, size_t scope, const char *name, GError **error)
{
  size_t way[KETTE_MOST_SUBGRAPH_DEPTH + 2], n = 0;
  KetteValue *value = NULL;

  for (size_t i = scope; i != KETTE_NO_SCOPE && n < G_N_ELEMENTS (way);
       i        = b->scopes[i].parent)
    {
             value = _kette_graph_find (b->scopes[i].graph, name);
             if (value)
        break;
      way[n++] = i;
    }
  /* A stand-in in each graph between, so that every owner on the way knows what its
   * subgraph reads. */
  while (value && n-- > 0)
    value = _kette_graph_capture (b->scopes[way[n]].graph, value, error);
  return value;
}

gboolean
_kette_build_names (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->n_scopes; i++)
    if (!define_scope (b, i, error))
      return FALSE;
  return TRUE;
}

gboolean
_kette_build_order (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->n_scopes; i++)
    if (!_kette_graph_sort (b->scopes[i].graph, NULL, 0, error)
        && !_kette_build_go_on (b, error))
      return FALSE;
  return TRUE;
}
