/* SPDX-License-Identifier: Apache-2.0
 * Passes check, canonical and infer: resolve every node, bring old versions to their newest
 * form, find the type of every value.
 */
#include "op/context.h"
#include "pass/inline.h"
#include <string.h>

gboolean
_kette_pass_check (KetteGraph *graph, GError **error)
{
  if (!kette_plugins_get (error))
    return FALSE;
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!_kette_node_resolve (graph->nodes[i], error))
      return FALSE;
  return TRUE;
}

/* A superseded form: its body is not that of the newest definition, and no kernel takes it. */
static gboolean
is_superseded (const KetteNode *node)
{
  const KetteOp *def = node->def;

  return def && def->op.body && def != def->family->ops[0]
         && def->op.body != def->family->ops[0]->op.body;
}

void
_kette_node_follow (KetteNode *node)
{
  for (int32_t i = 0; i < node->n_in; i++)
    while (node->in[i] && node->in[i]->replacement)
      node->in[i] = node->in[i]->replacement;
}

gboolean
_kette_pass_canonical (KetteGraph *graph, GError **error)
{
  gboolean changed = FALSE;

  if (!_kette_graph_sort (graph, NULL, 0, error))
    return FALSE;
  /* Expansion appends nodes, which are looked at in their turn. Types are found on the way,
   * because bodies of old forms may depend on ranks. */
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      if (node->flags & KETTE_NODE_DEAD)
        continue;
      _kette_node_follow (node);
      if (!is_superseded (node))
        {
          if (!_kette_node_infer (node, error))
            return FALSE;
          continue;
        }
      if (!_kette_node_expand (node, error))
        return FALSE;
      for (int32_t k = 0; k < node->n_out; k++)
        if (node->out[k] && !_kette_value_inherit (node->out[k], error))
          return FALSE;
      changed = TRUE;
    }
  if (!changed)
    return TRUE;
  _kette_graph_apply_replacements (graph);
  return _kette_graph_sweep (graph, NULL, 0, error)
         && _kette_graph_sort (graph, NULL, 0, error);
}

gboolean
_kette_pass_infer (KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!(graph->nodes[i]->flags & KETTE_NODE_DEAD)
        && !_kette_node_infer (graph->nodes[i], error))
      return FALSE;
  return TRUE;
}

KetteGraph *
_kette_pass_prepare (KetteGraph *graph, GError **error)
{
  KetteGraph *copy = _kette_graph_clone (graph, NULL, error);

  if (copy && _kette_pass_check (copy, error) && _kette_pass_canonical (copy, error)
      && _kette_pass_infer (copy, error)
      && _kette_pass_inline (copy, KETTE_INLINE_NEEDED, error)
      && _kette_pass_infer (copy, error))
    return copy;
  kette_graph_unref (copy);
  return NULL;
}
