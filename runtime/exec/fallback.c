/* SPDX-License-Identifier: Apache-2.0
 * Nodes that a device refuses when their kernels are prepared. Where a node is decides layouts,
 * copies and memory, all of which come before its kernel is asked, so the plan is made once more
 * without them, and from the same graph. Each time at least one node more is known to be
 * refused by a device, so that this ends.
 */
#include "exec/plan.h"
#include <string.h>

/* How many nodes of GRAPH the plan of their copies, TRIED, has refused. */
static size_t
note_refusals (KetteGraph *graph, KetteNode *const *tried, GError **error)
{
  size_t n = 0;

  for (size_t i = 0; i < graph->n_nodes && !*error; i++)
    if (tried[i]->unit && tried[i]->why == KETTE_WHY_REFUSED)
      {
        KetteNode *node = graph->nodes[i];
        node->refused   = tried[i]->refused | 1u << tried[i]->unit;
        node->because   = _kette_region_strdup (graph->region, tried[i]->because, error);
        n++;
      }
  return n;
}

/* A device refuses a node that the plan itself has made: trying again would change nothing. */
static gboolean
fail_stuck (const KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < g->n_nodes; i++)
    if (g->nodes[i]->unit && g->nodes[i]->why == KETTE_WHY_REFUSED)
      return _kette_fail (
          error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (g->nodes[i], where),
          "nothing else can do what its device refused (%s)", g->nodes[i]->because);
  return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                      "%zu nodes were refused, but none is known", plan->n_refused);
}

/* A plan of a copy of GRAPH; NULL without error: more nodes are refused than was known. */
static KettePlan *
attempt (KetteGraph *graph, const KettePlaces *places, const KetteBinding *updates,
         size_t n_updates, unsigned flags, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteValue **map      = NULL;
  KetteGraph *copy      = _kette_graph_clone (graph, &map, error);
  KetteBinding *mapped
      = copy ? _kette_alloc (account, n_updates + 1, sizeof *mapped, error) : NULL;
  KetteNode **tried
      = mapped ? _kette_alloc (account, graph->n_nodes + 1, sizeof *tried, error) : NULL;
  KettePlan *plan = NULL;
  gboolean ok     = tried != NULL;

  for (size_t u = 0; ok && u < n_updates; u++)
    mapped[u]
        = (KetteBinding){ map[updates[u].key->index], map[updates[u].value->index] };
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      tried[i]              = copy->nodes[i];
      tried[i]->refused     = node->refused;
      ok                    = !node->because
           || (tried[i]->because
               = _kette_region_strdup (copy->region, node->because, error));
    }
  if (ok)
    plan = _kette_plan_make (copy, mapped, n_updates, flags, places, error);
  else
    kette_graph_unref (copy);
  if (plan && plan->n_refused)
    {
      GError *fault = NULL;
      if (note_refusals (graph, tried, &fault) == 0)
        (void) fail_stuck (plan, &fault);
      if (fault)
        g_propagate_error (error, fault);
      _kette_plan_free (plan);
      plan = NULL;
    }
  _kette_free (map);
  _kette_free (mapped);
  _kette_free (tried);
  return plan;
}

KettePlan *
_kette_plan_new (KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
                 unsigned flags, const KettePlaces *places, GError **error)
{
  KettePlan *plan = NULL;
  GError *fault   = NULL;

  if (!places)
    return _kette_plan_make (graph, updates, n_updates, flags, NULL, error);
  while (!plan && !fault)
    plan = attempt (graph, places, updates, n_updates, flags, &fault);
  kette_graph_unref (graph);
  if (fault)
    g_propagate_error (error, fault);
  return plan;
}
