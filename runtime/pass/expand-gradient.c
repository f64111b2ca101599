/* SPDX-License-Identifier: Apache-2.0
 * The operator Gradient of ai.onnx.preview.training, replaced by the nodes it stands for.
 *
 * Its attributes name values: xs and zs stand for its inputs, y is what is differentiated.
 * Where an input is the very value that its name says, the forward values are used as they
 * are; otherwise the part of the graph between xs, zs and y is copied for the given inputs.
 */
#include "op/context.h"
#include "pass/inline.h"
#include <string.h>

#define TRAINING_DOMAIN "ai.onnx.preview.training"

static gboolean
is_gradient (const KetteNode *node)
{
  return !(node->flags & KETTE_NODE_DEAD) && strcmp (node->op, "Gradient") == 0
         && strcmp (node->domain, TRAINING_DOMAIN) == 0;
}

/* The value that element I of the STRINGS attribute ATTR (or the STRING itself) names. */
static KetteValue *
named_value (const KetteNode *node, const kt_attr *attr, size_t i, GError **error)
{
  const kt_str *s = attr->kind == KT_A_STRING ? &(kt_str){ attr->v, attr->n }
                                              : &((const kt_str *) attr->v)[i];
  char *name      = _kette_alloc (_kette_account_process (), s->n + 1, 1, error);
  KetteValue *value;
  char where[KETTE_WHERE_SIZE];

  if (!name)
    return NULL;
  memcpy (name, s->s, s->n);
  value = _kette_graph_find (node->graph, name);
  while (value && value->replacement)
    value = value->replacement;
  if (!value)
    _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                 "attribute %s names %s, which the graph does not have",
                 KETTE_QUOTE (attr->name), KETTE_QUOTE (name));
  _kette_free (name);
  return value;
}

gboolean
_kette_mark_ancestors (const KetteGraph *graph, const KetteValue *from, uint8_t *marks,
                       GError **error)
{
  KetteNode **stack = _kette_alloc (_kette_account_process (), graph->n_nodes + 1,
                                    sizeof *stack, error);
  size_t n          = 0;

  if (!stack)
    return FALSE;
  if (from->producer)
    {
      marks[from->producer->index] = 1;
      stack[n++]                   = from->producer;
    }
  while (n)
    {
      const KetteNode *node = stack[--n];
      for (int32_t i = 0; i < node->n_in; i++)
        {
          KetteNode *before = node->in[i] ? node->in[i]->producer : NULL;
          if (before && !marks[before->index])
            {
              marks[before->index] = 1;
              stack[n++]           = before;
            }
        }
    }
  _kette_free (stack);
  return TRUE;
}

/* Copies the nodes that lie between the values set in MAP and Y (their indices in MARKS). */
static gboolean
copy_between (KetteGraph *graph, const uint8_t *marks, KetteValue **map, size_t n_values,
              GError **error)
{
  const size_t n_nodes = graph->n_nodes;

  for (size_t i = 0; i < n_nodes; i++)
    {
      KetteNode *node  = graph->nodes[i];
      gboolean touched = FALSE;
      if (!marks[i])
        continue;
      for (int32_t k = 0; k < node->n_in; k++)
        touched = touched
                  || (node->in[k] && node->in[k]->index < n_values
                      && map[node->in[k]->index]);
      if (!touched)
        continue;

      KetteValue **operands = _kette_alloc (
          _kette_account_process (), (size_t) node->n_in + (size_t) node->n_out + 1,
          sizeof *operands, error);
      gboolean ok = operands != NULL;
      for (int32_t k = 0; ok && k < node->n_in; k++)
        operands[k]
            = node->in[k] && node->in[k]->index < n_values && map[node->in[k]->index]
                  ? map[node->in[k]->index]
                  : node->in[k];
      for (int32_t k = 0; ok && k < node->n_out; k++)
        if (node->out[k])
          ok = (operands[node->n_in + k] = _kette_graph_add_value (graph, NULL, error))
               != NULL;
      KetteNode *copy = ok ? _kette_graph_add_node (
                            graph, node->name, node->domain, node->op, node->version,
                            operands, node->n_in, operands + node->n_in, node->n_out,
                            node->attrs, node->n_attrs, error)
                           : NULL;
      ok = copy && _kette_node_resolve (copy, error) && _kette_node_infer (copy, error);
      /* A value given for an inner node's output stays what was given. */
      for (int32_t k = 0; ok && k < node->n_out; k++)
        if (node->out[k] && !map[node->out[k]->index])
          map[node->out[k]->index] = operands[node->n_in + k];
      _kette_free (operands);
      if (!ok)
        return FALSE;
    }
  return TRUE;
}

static gboolean
expand (KetteNode *node, const uint8_t *marks, GError **error)
{
  KetteGraph *graph     = node->graph;
  KetteAccount *account = _kette_account_process ();
  const kt_attr *xs = _kette_node_attr (node, "xs"), *zs = _kette_node_attr (node, "zs");
  const kt_attr *y_name = _kette_node_attr (node, "y");
  const size_t n_xs = xs->n, n_zs = zs ? zs->n : 0, n_values = graph->n_values;
  KetteValue *y = named_value (node, y_name, 0, error);
  KetteValue **map, **grads;
  gboolean ok, same = TRUE;
  char where[KETTE_WHERE_SIZE];

  if (!y)
    return FALSE;
  if (n_xs + n_zs != (size_t) node->n_in)
    return _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                        "has %d inputs, xs and zs name %zu", node->n_in, n_xs + n_zs);
  map   = _kette_alloc (account, n_values + 1, sizeof *map, error);
  grads = map ? _kette_alloc (account, n_xs + 1, sizeof *grads, error) : NULL;
  ok    = grads != NULL;
  for (size_t i = 0; ok && i < n_xs + n_zs; i++)
    {
      KetteValue *named
          = named_value (node, i < n_xs ? xs : zs, i < n_xs ? i : i - n_xs, error);
      ok = named != NULL;
      if (named)
        {
          map[named->index] = node->in[i];
          same              = same && named == node->in[i];
        }
    }
  if (ok && !same)
    {
      ok = copy_between (graph, marks, map, n_values, error);
      y  = map[y->index] ? map[y->index] : y;
    }
  ok = ok && _kette_pass_gradient (graph, y, NULL, node->in, n_xs, grads, error);
  for (size_t i = 0; ok && i < n_xs && i < (size_t) node->n_out; i++)
    if (node->out[i])
      node->out[i]->replacement = grads[i];
  if (ok)
    _kette_node_kill (node);
  _kette_free (map);
  _kette_free (grads);
  return ok;
}

/* The next Gradient whose y does not depend on another one that still stands; *marks: what
 * its y depends on. */
static KetteNode *
next_gradient (KetteGraph *graph, uint8_t *marks, GError **error)
{
  KetteNode *blocked = NULL;
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node  = graph->nodes[i];
      gboolean depends = FALSE;
      if (!is_gradient (node))
        continue;
      const kt_attr *name = _kette_node_attr (node, "y");
      const KetteValue *y = named_value (node, name, 0, error);
      memset (marks, 0, graph->n_nodes);
      if (!y || !_kette_mark_ancestors (graph, y, marks, error))
        return NULL;
      for (size_t k = 0; k < graph->n_nodes; k++)
        depends = depends || (marks[k] && is_gradient (graph->nodes[k]));
      if (!depends)
        return node;
      blocked = node;
    }
  if (blocked)
    _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (blocked, where),
                 "the value that it differentiates depends on itself");
  return NULL;
}

gboolean
_kette_pass_expand_gradients (KetteGraph *graph, GError **error)
{
  GError *local = NULL;

  for (;;)
    {
      uint8_t *marks
          = _kette_alloc (_kette_account_process (), graph->n_nodes + 1, 1, error);
      KetteNode *node = marks ? next_gradient (graph, marks, &local) : NULL;
      gboolean ok     = marks && !local && (!node || expand (node, marks, &local));
      _kette_free (marks);
      if (!ok)
        {
          if (local)
            g_propagate_error (error, local);
          return FALSE;
        }
      if (!node)
        break;
      _kette_graph_apply_replacements (graph);
      if (!_kette_graph_sort (graph, NULL, 0, error))
        return FALSE;
    }
  return _kette_graph_sweep (graph, NULL, 0, error)
         && _kette_graph_sort (graph, NULL, 0, error);
}
