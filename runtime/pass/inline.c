/* SPDX-License-Identifier: Apache-2.0
 * Pass inline: model functions, and operators by their bodies, become ordinary nodes.
 */
#include "pass/inline.h"
#include "op/context.h"
#include <string.h>

/* Of the host's: any node may have to be executed there, wherever else kernels are. */
static gboolean
has_kernel (const KetteNode *node)
{
  const KetteFamily *family = node->def->family;

  for (size_t i = 0; i < family->n_kernels; i++)
    if (_kette_kernel_serves (family->kernels[i], node, "cpu"))
      return TRUE;
  return FALSE;
}

static gboolean
is_wanted (const KetteNode *node, KetteInline mode)
{
  const kt_op *op;

  if (node->flags & (KETTE_NODE_OPAQUE | KETTE_NODE_FAULTY))
    return FALSE;
  if (!node->def)
    return TRUE; /* a model function: the check pass saw to it */
  op = &node->def->op;
  if (!op->body)
    return FALSE;
  switch (mode)
    {
    case KETTE_INLINE_NEEDED:
      return !has_kernel (node);
    case KETTE_INLINE_FUNCTIONS:
      return !op->gradient && !(op->flags & (KT_OP_ZERO_GRADIENT | KT_OP_NO_GRADIENT));
    case KETTE_INLINE_STANDARD:
      return *node->domain != '\0';
    case KETTE_INLINE_BODIES:
      return TRUE;
    }
  return FALSE;
}

/* The attributes of a body's node in a call: references become what the caller gave, or the
 * function's default, or nothing. */
static kt_attr *
bind_attributes (const KetteNode *node, const KetteNode *call,
                 const KetteFunction *function, int32_t *n, GError **error)
{
  kt_attr *attrs = _kette_alloc (_kette_account_process (), (size_t) node->n_attrs + 1,
                                 sizeof *attrs, error);

  char where[KETTE_WHERE_SIZE];

  *n = 0;
  for (int32_t i = 0; attrs && i < node->n_attrs; i++)
    {
      const kt_attr *attr  = &node->attrs[i];
      const kt_attr *given = attr;
      if (attr->ref)
        {
          given = _kette_node_attr (call, attr->ref);
          for (size_t d = 0; !given && d < function->n_defaults; d++)
            if (strcmp (function->defaults[d].name, attr->ref) == 0)
              given = &function->defaults[d];
          if (!given)
            continue;
          if (given->kind == KT_A_GRAPH || given->kind == KT_A_GRAPHS)
            {
              _kette_fail (
                  error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (call, where),
                  "attribute %s of a function is a graph", KETTE_QUOTE (attr->ref));
              _kette_free (attrs);
              return NULL;
            }
        }
      attrs[*n]      = *given;
      attrs[*n].name = attr->name;
      attrs[*n].ref  = NULL;
      ++*n;
    }
  return attrs;
}

/* The value of the caller's graph that stands for VALUE of the body: NULL where VALUE is a
 * formal input that the call leaves out. */
static gboolean
map_value (KetteGraph *graph, KetteValue **map, KetteValue *value, KetteValue **out,
           GError **error)
{
  KetteValue **entry = value ? &map[value->index] : NULL;

  *out = NULL;
  if (!value)
    return TRUE;
  if (!*entry && !(value->flags & KETTE_VALUE_INPUT))
    {
      *entry = value->data ? _kette_graph_add_constant (graph, NULL, value->data, error)
                           : _kette_graph_add_value (graph, NULL, error);
      if (!*entry)
        return FALSE;
      (*entry)->flags &= ~(uint32_t) KETTE_VALUE_INITIALIZER;
    }
  *out = *entry;
  return TRUE;
}

static gboolean
copy_body_node (KetteNode *call, const KetteNode *node, const KetteFunction *function,
                KetteValue **map, KetteValue **operands, GError **error)
{
  KetteGraph *graph = call->graph;
  char name[512], where[KETTE_WHERE_SIZE];
  int32_t n_attrs;

  if (node->subgraphs)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (node, where),
                        "subgraphs inside functions");
  for (int32_t i = 0; i < node->n_in + node->n_out; i++)
    if (!map_value (graph, map, i < node->n_in ? node->in[i] : node->out[i - node->n_in],
                    &operands[i], error))
      return FALSE;

  kt_attr *attrs = bind_attributes (node, call, function, &n_attrs, error);
  if (!attrs)
    return FALSE;
  g_snprintf (name, sizeof name, "%.200s/%.200s", *call->name ? call->name : call->op,
              *node->name ? node->name : node->op);
  KetteNode *copy = _kette_graph_add_node (
      graph, name, node->domain, node->op, node->version, operands, node->n_in,
      operands + node->n_in, node->n_out, attrs, n_attrs, error);
  _kette_free (attrs);
  if (!copy)
    return FALSE;
  copy->overload = node->overload;
  copy->origin   = call->origin ? call->origin : call->name;
  return _kette_node_resolve (copy, error) && _kette_node_infer (copy, error);
}

static gboolean
copy_body (KetteNode *call, const KetteFunction *function, KetteValue **map,
           GError **error)
{
  const KetteGraph *body = function->body;
  size_t most            = 1;
  gboolean ok            = TRUE;

  for (size_t i = 0; i < body->n_nodes; i++)
    most = MAX (most, (size_t) body->nodes[i]->n_in + (size_t) body->nodes[i]->n_out);
  for (size_t i = 0; i < body->n_inputs && i < (size_t) call->n_in; i++)
    map[body->inputs[i]->index] = call->in[i];

  KetteValue **operands
      = _kette_alloc (_kette_account_process (), most, sizeof *operands, error);
  for (size_t i = 0; operands && ok && i < body->n_nodes; i++)
    ok = copy_body_node (call, body->nodes[i], function, map, operands, error);
  _kette_free (operands);
  for (size_t i = 0; operands && ok && i < body->n_outputs && i < (size_t) call->n_out;
       i++)
    if (call->out[i])
      ok = map_value (call->graph, map, body->outputs[i], &call->out[i]->replacement,
                      error);
  return operands && ok;
}

/* Replaces the call NODE of a model function by the function's nodes. */
static gboolean
expand_function (KetteNode *node, GError **error)
{
  const KetteFunction *function = _kette_model_find_function (
      node->graph->model, node->domain, node->op, node->overload ? node->overload : "");
  KetteValue **map;
  gboolean ok;

  if (!function)
    return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL, "a function vanished");
  map = _kette_alloc (_kette_account_process (), function->body->n_values + 1,
                      sizeof *map, error);
  ok  = map && copy_body (node, function, map, error);
  _kette_free (map);
  if (ok)
    _kette_node_kill (node);
  return ok;
}

/* The value that took OLD's place also takes its name and its role at the graph's border. */
static gboolean
inherit (KetteValue *old, GError **error)
{
  KetteValue *new  = old->replacement;
  const char *name = old->name, *spare;

  if (!new || !new->producer || (new->flags &KETTE_VALUE_OUTPUT))
    return TRUE;
  spare = _kette_graph_fresh_name (old->graph, name, error);
  return spare && _kette_graph_rename (old, spare, error)
         && _kette_graph_rename (new, name, error);
}

gboolean
_kette_outputs_inherit (const KetteNode *node, GError **error)
{
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k] && !inherit (node->out[k], error))
      return FALSE;
  return TRUE;
}

static gboolean
expand_node (KetteNode *node, GError **error)
{
  _kette_node_follow (node);
  return (node->def ? _kette_node_expand (node, error) : expand_function (node, error))
         && _kette_outputs_inherit (node, error);
}

/* In a tolerant graph a node is left alone that cannot be expanded yet, such as a call of a
 * function with subgraphs, or an operator whose body asks for types that nobody knows inside
 * the body of an opaque Scan. */
static gboolean
is_excused (const KetteNode *node, const GError *fault)
{
  return _kette_node_is_vague (node)
         || (node->graph->tolerance
             && g_error_matches (fault, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED));
}

gboolean
_kette_expand_nodes (KetteGraph *graph, KetteInline mode, const uint8_t *marks,
                     KetteFaults *faults, gboolean *changed, GError **error)
{
  const size_t n_marks = marks ? graph->n_nodes : 0;
  GError *fault        = NULL;

  *changed = FALSE;
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node     = graph->nodes[i];
      const size_t before = graph->n_nodes;
      if ((node->flags & KETTE_NODE_DEAD) || (i < n_marks && !marks[i])
          || !is_wanted (node, mode))
        continue;
      if (!expand_node (node, &fault)
          && !_kette_pass_forgive (node, before, is_excused (node, fault), faults, &fault,
                                   error))
        return FALSE;
      *changed = TRUE;
      if (graph->n_nodes > graph->model->max_nodes)
        return _kette_fail (error, KETTE_ERROR_LIMIT, "graph",
                            "more than %" G_GUINT64_FORMAT
                            " nodes after inlining; --limit nodes=VALUE allows more",
                            graph->model->max_nodes);
    }
  return TRUE;
}

gboolean
_kette_pass_inline_all (KetteGraph *graph, KetteInline mode, KetteFaults *faults,
                        GError **error)
{
  gboolean changed;

  if (!_kette_expand_nodes (graph, mode, NULL, faults, &changed, error))
    return FALSE;
  if (!changed)
    return TRUE;
  _kette_graph_apply_replacements (graph);
  return _kette_graph_sweep (graph, NULL, 0, error)
         && _kette_graph_sort (graph, NULL, 0, error);
}

gboolean
_kette_pass_inline (KetteGraph *graph, KetteInline mode, GError **error)
{
  return _kette_pass_inline_all (graph, mode, NULL, error);
}
