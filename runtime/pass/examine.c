/* SPDX-License-Identifier: Apache-2.0
 * Judging a whole model: the main graph and its subgraphs are resolved and inferred on a copy;
 * functions and training steps, which the model owns, are looked at as they stand.
 */
#include "op/context.h"
#include "pass/inline.h"

typedef struct
{
  KetteReach all;
  KetteFaults *faults;
  const KetteNode *lacking[KETTE_FAULTS_MOST]; /* the first node that needs it, of each
                                                * operator that nobody provides */
  size_t n_lacking;
} Examination;

/* Has its operator been told as one that nobody provides? */
static gboolean
is_told (const Examination *x, const KetteNode *node)
{
  for (size_t i = 0; i < x->n_lacking; i++)
    if (_kette_node_lacks_same (x->lacking[i], node))
      return TRUE;
  return FALSE;
}

/* *FAULT of NODE; if its operator is missing, with the number of all nodes that need it. */
static void
tell_once (Examination *x, const KetteNode *node, GError **fault)
{
  size_t n = 0;

  if (!g_error_matches (*fault, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED)
      || x->n_lacking == G_N_ELEMENTS (x->lacking))
    return;
  x->lacking[x->n_lacking++] = node;
  for (size_t g = 0; g < x->all.n; g++)
    for (size_t i = 0; i < x->all.graphs[g]->n_nodes; i++)
      n += _kette_node_lacks_same (node, x->all.graphs[g]->nodes[i]);
  g_clear_error (fault);
  _kette_node_fail_missing (node, n, fault);
}

/* The copy, whose nodes are resolved for good. */
static gboolean
resolve_own (Examination *x, KetteGraph *graph, GError **error)
{
  GError *fault = NULL;

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];

      if (is_told (x, node))
        _kette_node_give_up (node);
      else if (!_kette_node_resolve (node, &fault))
        {
          tell_once (x, node, &fault);
          if (!_kette_pass_forgive (node, graph->n_nodes, FALSE, x->faults, &fault,
                                    error))
            return FALSE;
        }
    }
  return TRUE;
}

/* Bodies and training steps are shared by all graphs of the model: nothing is written there. */
static gboolean
resolve_other (Examination *x, const KetteGraph *graph, const KetteGraph *judge,
               GError **error)
{
  GError *fault = NULL;

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode probe = *graph->nodes[i];

      if (is_told (x, &probe)
          || _kette_node_look_up (&probe, judge->tolerance >= KETTE_TOLERANT, &fault))
        continue;
      tell_once (x, graph->nodes[i], &fault);
      if (!_kette_pass_go_on (judge, x->faults, &fault, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
resolve_all (Examination *x, const KetteGraph *judge, GError **error)
{
  for (size_t g = 0; g < x->all.n_own; g++)
    if (!resolve_own (x, x->all.graphs[g], error))
      return FALSE;
  for (size_t g = x->all.n_own; g < x->all.n; g++)
    if (!resolve_other (x, x->all.graphs[g], judge, error))
      return FALSE;
  return TRUE;
}

/* What a subgraph reads from outside has the type that was found there. */
static gboolean
take_outer_types (KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *v = graph->values[i];

      if (!v->outer)
        continue;
      if (!_kette_value_set_type (v, &v->outer->type, error))
        return FALSE;
      v->flags |= v->outer->flags & KETTE_VALUE_VAGUE;
    }
  return TRUE;
}

static gboolean
infer_graph (KetteGraph *graph, KetteFaults *faults, GError **error)
{
  return take_outer_types (graph, error)
         && _kette_pass_canonical_all (graph, faults, error)
         && _kette_pass_inline_all (graph, KETTE_INLINE_NEEDED, faults, error)
         && _kette_pass_infer_all (graph, faults, error);
}

/* Graphs that are still to be inferred. */
typedef struct
{
  KetteGraph **graphs;
  size_t n, capacity;
} Queue;

/* Those in GRAPH's nodes. */
static gboolean
add_subgraphs (Queue *queue, const KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    for (int32_t a = 0; graph->nodes[i]->subgraphs && a < graph->nodes[i]->n_attrs; a++)
      {
        KetteGraph *inner = graph->nodes[i]->subgraphs[a];
        if (!inner)
          continue;
        if (!_kette_grow (&queue->graphs, &queue->capacity, queue->n + 1,
                          sizeof *queue->graphs, error))
          return FALSE;
        queue->graphs[queue->n++] = inner;
      }
  return TRUE;
}

/* From the outside in. A graph's nodes may go away as it is inferred, and what is in them. */
static gboolean
infer_all (KetteGraph *copy, KetteFaults *faults, GError **error)
{
  Queue queue = { 0 };
  gboolean ok = infer_graph (copy, faults, error) && add_subgraphs (&queue, copy, error);

  for (size_t i = 0; ok && i < queue.n; i++)
    ok = infer_graph (queue.graphs[i], faults, error)
         && add_subgraphs (&queue, queue.graphs[i], error);
  _kette_free (queue.graphs);
  return ok;
}

KetteGraph *
_kette_pass_examine (KetteGraph *graph, int tolerance, KetteFaults *faults,
                     GError **error)
{
  KetteGraph *copy
      = kette_plugins_get (error) ? _kette_graph_clone (graph, NULL, error) : NULL;
  Examination x = { .faults = faults };
  gboolean ok
      = copy && _kette_reach_init (&x.all, copy, tolerance == KETTE_TOLERANT, error);

  for (size_t g = 0; ok && g < x.all.n_own; g++)
    x.all.graphs[g]->tolerance = tolerance;
  ok = ok && resolve_all (&x, copy, error);
  _kette_reach_clear (&x.all);
  if (ok && !(faults && faults->n))
    ok = infer_all (copy, faults, error);
  if (ok)
    return copy;
  kette_graph_unref (copy);
  return NULL;
}
