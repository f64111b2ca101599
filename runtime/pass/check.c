/* SPDX-License-Identifier: Apache-2.0
 * Passes check, canonical and infer: resolve every node, bring old versions to their newest
 * form, find the type of every value.
 */
#include "op/context.h"
#include "pass/inline.h"
#include <string.h>

gboolean
_kette_pass_go_on (const KetteGraph *graph, KetteFaults *faults, GError **fault,
                   GError **error)
{
  if (graph->tolerance == KETTE_BEST_EFFORT && (*fault)->domain == KETTE_ERROR
      && (*fault)->code != KETTE_ERROR_MEMORY && (*fault)->code != KETTE_ERROR_TIMEOUT
      && (*fault)->code != KETTE_ERROR_CANCEL)
    {
      g_clear_error (fault);
      return TRUE;
    }
  if (_kette_faults_go_on (faults, fault))
    return TRUE;
  g_propagate_error (error, *fault);
  *fault = NULL;
  return FALSE;
}

void
_kette_node_give_up (KetteNode *node)
{
  node->flags |= KETTE_NODE_FAULTY;
  for (int32_t i = 0; i < node->n_out; i++)
    if (node->out[i])
      {
        node->out[i]->type   = (kt_type){ 0 };
        node->out[i]->ints   = NULL;
        node->out[i]->n_ints = 0;
        node->out[i]->flags |= KETTE_VALUE_VAGUE;
      }
}

gboolean
_kette_node_is_vague (const KetteNode *node)
{
  for (int32_t i = 0; i < node->n_in; i++)
    if (node->in[i] && (node->in[i]->flags & KETTE_VALUE_VAGUE))
      return TRUE;
  return FALSE;
}

gboolean
_kette_pass_forgive (KetteNode *node, size_t n_before, gboolean excused,
                     KetteFaults *faults, GError **fault, GError **error)
{
  KetteGraph *graph = node->graph;

  /* A branch that is never taken may hold shapes that do not fit. */
  if (graph->parent && (graph->tolerance || faults))
    excused |= (*fault)->domain == KETTE_ERROR
               && ((*fault)->code == KETTE_ERROR_SHAPE
                   || (*fault)->code == KETTE_ERROR_VALUE);
  for (size_t i = n_before; i < graph->n_nodes; i++)
    _kette_node_kill (graph->nodes[i]);
  if (excused && (*fault)->domain == KETTE_ERROR && (*fault)->code != KETTE_ERROR_MEMORY)
    g_clear_error (fault);
  else if (!_kette_pass_go_on (graph, faults, fault, error))
    return FALSE;
  _kette_node_give_up (node);
  return TRUE;
}

gboolean
_kette_pass_check (KetteGraph *graph, GError **error)
{
  GError *fault = NULL;

  if (!kette_plugins_get (error))
    return FALSE;
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!_kette_node_resolve (graph->nodes[i], &fault)
        && !_kette_pass_forgive (graph->nodes[i], graph->n_nodes, FALSE, NULL, &fault,
                                 error))
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

/* Brings NODE to its newest form and finds the types of what it makes; *EXPANDED: by its body.
 * Types are found on the way because bodies of old forms may depend on ranks. */
static gboolean
make_canonical (KetteNode *node, gboolean *expanded, GError **error)
{
  *expanded = is_superseded (node);
  if (!*expanded)
    return _kette_node_infer (node, error);
  return _kette_node_expand (node, error) && _kette_outputs_inherit (node, error);
}

/* What is made of something vague is vague itself as far as its type has gaps. */
static void
spread (const KetteNode *node)
{
  const gboolean vague = (node->flags & KETTE_NODE_OPAQUE) || _kette_node_is_vague (node);

  for (int32_t i = 0; vague && i < node->n_out; i++)
    if (node->out[i]
        && (node->out[i]->type.kind != KT_TENSOR || node->out[i]->type.ndim < 0))
      node->out[i]->flags |= KETTE_VALUE_VAGUE;
}

gboolean
_kette_pass_canonical_all (KetteGraph *graph, KetteFaults *faults, GError **error)
{
  gboolean changed = FALSE, expanded;
  GError *fault    = NULL;

  if (!_kette_graph_sort (graph, NULL, 0, error))
    return FALSE;
  /* Expansion appends nodes, which are looked at in their turn. */
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node     = graph->nodes[i];
      const size_t before = graph->n_nodes;
      if (node->flags & (KETTE_NODE_DEAD | KETTE_NODE_FAULTY))
        continue;
      _kette_node_follow (node);
      if (!make_canonical (node, &expanded, &fault)
          && !_kette_pass_forgive (node, before, expanded && _kette_node_is_vague (node),
                                   faults, &fault, error))
        return FALSE;
      spread (node);
      changed = changed || expanded;
    }
  if (!changed)
    return TRUE;
  _kette_graph_apply_replacements (graph);
  return _kette_graph_sweep (graph, NULL, 0, error)
         && _kette_graph_sort (graph, NULL, 0, error);
}

gboolean
_kette_pass_canonical (KetteGraph *graph, GError **error)
{
  return _kette_pass_canonical_all (graph, NULL, error);
}

gboolean
_kette_pass_infer_all (KetteGraph *graph, KetteFaults *faults, GError **error)
{
  GError *fault = NULL;

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      if (node->flags & (KETTE_NODE_DEAD | KETTE_NODE_FAULTY))
        continue;
      if (!_kette_node_infer (node, &fault)
          && !_kette_pass_forgive (node, graph->n_nodes, FALSE, faults, &fault, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kette_pass_infer (KetteGraph *graph, GError **error)
{
  return _kette_pass_infer_all (graph, NULL, error);
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
