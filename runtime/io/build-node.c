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
  const Onnx__FunctionProto *function = b->scopes[b->scopes[scope].root].function;

  if (!function)
    {
      if (b->proto->n_opset_import == 0 && b->model->ir_version < 3 && !*domain)
        return 1;
      return _kette_model_opset (b->model, domain);
    }
  for (size_t i = 0; i < function->n_opset_import; i++)
    if (strcmp (_kette_domain (function->opset_import[i]->domain), domain) == 0)
      return function->opset_import[i]->version;
  return 0;
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
one_node (KetteBuild *b, size_t index, size_t i, Operands *in, Operands *out,
          GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[index].nodes[i];
  KetteGraph *graph            = b->scopes[index].graph;
  KetteNode *node;
  int32_t version;

  if (proto->n_input > INT32_MAX || proto->n_output > INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "a node has %zu inputs",
                        MAX (proto->n_input, proto->n_output));
  if (!node_version (b, index, i, &version, error)
      || !find_inputs (b, index, i, in, error) || !find_outputs (b, index, i, out, error))
    return FALSE;
  node = _kette_graph_add_node (graph, _kette_text (proto->name),
                                _kette_domain (proto->domain), proto->op_type, version,
                                in->values, (int32_t) proto->n_input, out->values,
                                (int32_t) proto->n_output, NULL, 0, error);
  if (!node)
    return FALSE;
  node->overload = _kette_text (proto->overload);
  node->proto    = proto;
  return _kette_build_attrs (b, index, i, node, error);
}

gboolean
_kette_build_nodes (KetteBuild *b, size_t scope, GError **error)
{
  Operands in = { 0 }, out = { 0 };
  gboolean ok = TRUE;

  for (size_t i = 0; ok && i < b->scopes[scope].n_nodes; i++)
    ok = one_node (b, scope, i, &in, &out, error);
  _kette_free (in.values);
  _kette_free (out.values);
  return ok;
}
