/* SPDX-License-Identifier: Apache-2.0
 * Judging a whole model: the main graph and its subgraphs are resolved and inferred on a copy;
 * functions and training steps, which the model owns, are looked at as they stand.
 */
#include "op/context.h"
#include "pass/inline.h"

/* The copy, whose nodes are resolved for good. */
static gboolean
resolve_own (const KetteReach *own, KetteFaults *faults, GError **error)
{
  for (size_t g = 0; g < own->n_own; g++)
    if (!_kette_pass_check_all (own->graphs[g], faults, error))
      return FALSE;
  return TRUE;
}

/* Bodies and training steps are shared by all graphs of the model: nothing is written there. */
static gboolean
resolve_others (const KetteReach *all, int tolerance, const KetteGraph *judge,
                KetteFaults *faults, GError **error)
{
  GError *fault = NULL;

  for (size_t g = all->n_own; g < all->n; g++)
    for (size_t i = 0; i < all->graphs[g]->n_nodes; i++)
      {
        KetteNode probe = *all->graphs[g]->nodes[i];

        if (!_kette_node_look_up (&probe, tolerance >= KETTE_TOLERANT, &fault)
            && !_kette_pass_go_on (judge, faults, &fault, error))
          return FALSE;
      }
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

static gboolean
infer_all (KetteGraph *copy, KetteFaults *faults, GError **error)
{
  KetteReach own = { 0 };
  gboolean ok
      = infer_graph (copy, faults, error) && _kette_reach_init (&own, copy, FALSE, error);

  for (size_t g = 1; ok && g < own.n_own; g++)
    ok = infer_graph (own.graphs[g], faults, error);
  _kette_reach_clear (&own);
  return ok;
}

KetteGraph *
_kette_pass_examine (KetteGraph *graph, int tolerance, KetteFaults *faults,
                     GError **error)
{
  KetteGraph *copy
      = kette_plugins_get (error) ? _kette_graph_clone (graph, NULL, error) : NULL;
  KetteReach all = { 0 };
  gboolean ok
      = copy && _kette_reach_init (&all, copy, tolerance == KETTE_TOLERANT, error);

  for (size_t g = 0; ok && g < all.n_own; g++)
    all.graphs[g]->tolerance = tolerance;
  ok = ok && resolve_own (&all, faults, error)
       && resolve_others (&all, tolerance, copy, faults, error);
  _kette_reach_clear (&all);
  if (ok && !(faults && faults->n))
    ok = infer_all (copy, faults, error);
  if (ok)
    return copy;
  kette_graph_unref (copy);
  return NULL;
}
