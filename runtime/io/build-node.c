/* SPDX-License-Identifier: Apache-2.0
 * Nodes: operator, version, inputs, outputs. Whether the operator exists and takes what it
 * is given is asked later, by the check pass.
 */
#include "io/build.h"
#include <string.h>

/* The imported version of DOMAIN where SCOPE stands; 0: not imported. */
static int64_t
imported (const KetteBuild *b, size_t scope, const char *domain)
{
  const KetteScope *root = &b->scopes[b->scopes[scope].root];

  if (root->function)
    return (int64_t) GPOINTER_TO_SIZE (_kette_names_get (root->opsets, domain));
  if (b->proto->n_opset_import == 0 && b->model->ir_version < 3 && !*domain)
    return 1;
  return _kette_model_opset (b->model, domain);
}

static gboolean
node_version (KetteBuild *b, size_t scope, size_t node, int32_t *version, GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[scope].nodes[node];
  const char *domain           = _kette_domain (proto->domain);
  char where[KETTE_WHERE_SIZE];
  GError *inner = NULL;
  int64_t v     = imported (b, scope, domain);

  if (!*_kette_text (proto->op_type))
    return _kette_fail (error, KETTE_ERROR_GRAPH,
                        _kette_scope_where (b, scope, (gssize) node, NULL, NULL, where),
                        "has no operator");
  if (v == 0 && _kette_build_callee (b, proto, &inner) >= 0)
    v = 1;
  if (inner)
    {
      g_propagate_error (error, inner);
      return FALSE;
    }
  if (v == 0)
    return _kette_fail (error, KETTE_ERROR_GRAPH,
                        _kette_scope_where (b, scope, (gssize) node, NULL, NULL, where),
                        "the domain %s is not in opset_import", KETTE_QUOTE (domain));
  *version = (int32_t) v;
  return TRUE;
}

typedef struct
{
  KetteValue **values;
  size_t capacity;
} Operands;

static gboolean
find_inputs (KetteBuild *b, size_t scope, size_t node, Operands *in, GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[scope].nodes[node];
  char where[KETTE_WHERE_SIZE];

  if (proto->n_input > in->capacity
      && !_kette_grow (&in->values, &in->capacity, proto->n_input, sizeof (KetteValue *),
                       error))
    return FALSE;
  for (size_t i = 0; i < proto->n_input; i++)
    {
      const char *name = _kette_text (proto->input[i]);
      GError *inner    = NULL;

      in->values[i] = *name ? _kette_build_use (b, scope, name, &inner) : NULL;
      if (inner)
        {
          g_propagate_error (error, inner);
          return FALSE;
        }
      if (*name && !in->values[i])
        return _kette_fail (
            error, KETTE_ERROR_GRAPH,
            _kette_scope_where (b, scope, (gssize) node, NULL, NULL, where),
            "nothing makes its input %zu, %s", i, KETTE_QUOTE (name));
    }
  return TRUE;
}

static gboolean
find_outputs (KetteBuild *b, size_t scope, size_t node, Operands *out, GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[scope].nodes[node];

  if (proto->n_output > out->capacity
      && !_kette_grow (&out->values, &out->capacity, proto->n_output,
                       sizeof (KetteValue *), error))
    return FALSE;
  for (size_t i = 0; i < proto->n_output; i++)
    {
      const char *name = _kette_text (proto->output[i]);

      out->values[i] = *name ? _kette_graph_find (b->scopes[scope].graph, name) : NULL;
    }
  return TRUE;
}

static gboolean
use_output (KetteBuild *b, size_t index, const char *name, GError **error)
{
  GError *inner     = NULL;
  KetteValue *value = *name ? _kette_build_use (b, index, name, &inner) : NULL;
  char where[KETTE_WHERE_SIZE];

  if (inner)
    {
      g_propagate_error (error, inner);
      return FALSE;
    }
  if (!value)
    return _kette_fail (error, KETTE_ERROR_GRAPH,
                        _kette_scope_where (b, index, -1, "graph output", name, where),
                        "nothing makes this value");
  return _kette_graph_add_output (b->scopes[index].graph, value, error);
}

static gboolean
use_outputs (KetteBuild *b, size_t index, GError **error)
{
  const KetteScope *scope = &b->scopes[index];

  for (size_t i = 0; scope->proto && i < scope->proto->n_output; i++)
    if (!use_output (b, index, _kette_text (scope->proto->output[i]->name), error)
        && !_kette_build_go_on (b, error))
      return FALSE;
  for (size_t i = 0; scope->function && i < scope->function->n_output; i++)
    if (!use_output (b, index, _kette_text (scope->function->output[i]), error)
        && !_kette_build_go_on (b, error))
      return FALSE;
  return TRUE;
}

/* A node without operator between its values. */
static gboolean
add_node (KetteBuild *b, size_t index, size_t i, Operands *in, Operands *out,
          GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[index].nodes[i];
  KetteGraph *graph            = b->scopes[index].graph;
  KetteNode *node;

  if (proto->n_input > INT32_MAX || proto->n_output > INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "a node has %zu inputs",
                        MAX (proto->n_input, proto->n_output));
  if (!find_inputs (b, index, i, in, error) || !find_outputs (b, index, i, out, error))
    return FALSE;
  node = _kette_graph_add_node (
      graph, _kette_text (proto->name), _kette_domain (proto->domain),
      _kette_text (proto->op_type), 0, in->values, (int32_t) proto->n_input, out->values,
      (int32_t) proto->n_output, NULL, 0, error);
  if (!node)
    return FALSE;
  node->overload = _kette_text (proto->overload);
  node->proto    = proto;
  return TRUE;
}

gboolean
_kette_build_edges (KetteBuild *b, GError **error)
{
  Operands in = { 0 }, out = { 0 };
  gboolean ok = TRUE;

  for (size_t s = 0; ok && s < b->n_scopes; s++)
    {
      for (size_t i = 0; ok && i < b->scopes[s].n_nodes; i++)
        ok = add_node (b, s, i, &in, &out, error) || _kette_build_go_on (b, error);
      ok = ok && use_outputs (b, s, error);
    }
  _kette_free (in.values);
  _kette_free (out.values);
  return ok;
}

gboolean
_kette_build_nodes (KetteBuild *b, GError **error)
{
  for (size_t s = 0; s < b->n_scopes; s++)
    for (size_t i = 0; i < b->scopes[s].n_nodes; i++)
      {
        KetteNode *node = b->scopes[s].graph->nodes[i];

        if ((!node_version (b, s, i, &node->version, error)
             || !_kette_build_attrs (b, s, i, node, error))
            && !_kette_build_go_on (b, error))
          return FALSE;
      }
  return TRUE;
}
