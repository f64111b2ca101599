/* SPDX-License-Identifier: Apache-2.0
 * The order of execution.
 *
 * First what the outputs need (forward and loss), then the rest (backward and updates), so
 * that a caller can look at the loss in between. A node that may overwrite a state comes
 * after all other readers of that state. schedule.c then makes neighbours of what may fuse.
 */
#include "exec/plan.h"
#include <stdlib.h>
#include <string.h>

typedef struct
{
  uint32_t (*pairs)[2];
  size_t n, capacity;
} Edges;

/* The node that makes UPDATE's value could write it straight into the state it reads. */
static gboolean
wants_order (const KetteBinding *update)
{
  const KetteNode *node = update->value->producer;

  for (int32_t i = 0; node && i < node->n_in; i++)
    if (node->in[i] == update->key)
      return TRUE;
  return FALSE;
}

static gboolean
add_edges (const KetteGraph *graph, const KetteBinding *update, Edges *edges,
           GError **error)
{
  const uint32_t writer = update->value->producer->index;

  for (size_t i = 0; i < graph->n_nodes; i++)
    for (int32_t k = 0; k < graph->nodes[i]->n_in; k++)
      if (graph->nodes[i]->in[k] == update->key && i != writer)
        {
          if (!_kette_grow (&edges->pairs, &edges->capacity, edges->n + 1,
                            sizeof *edges->pairs, error))
            return FALSE;
          edges->pairs[edges->n][0]   = (uint32_t) i;
          edges->pairs[edges->n++][1] = writer;
          break;
        }
  return TRUE;
}

/* Marks by node index what the outputs that are no updates depend on. */
static gboolean
mark_forward (const KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
              uint8_t *forward, GError **error)
{
  KetteNode **stack = _kette_alloc (_kette_account_process (), graph->n_nodes + 1,
                                    sizeof *stack, error);
  size_t n          = 0;

  if (!stack)
    return FALSE;
  for (size_t i = 0; i < graph->n_outputs; i++)
    {
      KetteNode *node = graph->outputs[i]->producer;
      gboolean skip   = !node || forward[node->index];
      for (size_t u = 0; u < n_updates; u++)
        skip = skip || updates[u].value == graph->outputs[i];
      if (skip)
        continue;
      forward[node->index] = 1;
      stack[n++]           = node;
    }
  while (n)
    {
      const KetteNode *node = stack[--n];
      for (int32_t k = 0; k < node->n_in; k++)
        {
          KetteNode *before = node->in[k] ? node->in[k]->producer : NULL;
          if (before && !forward[before->index])
            {
              forward[before->index] = 1;
              stack[n++]             = before;
            }
        }
    }
  _kette_free (stack);
  return TRUE;
}

static gboolean
partition (KetteGraph *graph, const uint8_t *forward, size_t *n_forward, GError **error)
{
  KetteNode **sorted = _kette_alloc (_kette_account_process (), graph->n_nodes + 1,
                                     sizeof *sorted, error);
  size_t n           = 0;

  if (!sorted)
    return FALSE;
  for (int want = 1; want >= 0; want--)
    {
      for (size_t i = 0; i < graph->n_nodes; i++)
        if (forward[i] == want)
          sorted[n++] = graph->nodes[i];
      if (want)
        *n_forward = n;
    }
  if (n)
    memcpy (graph->nodes, sorted, n * sizeof *sorted);
  for (size_t i = 0; i < n; i++)
    graph->nodes[i]->index = (uint32_t) i;
  _kette_free (sorted);
  return TRUE;
}

static int
compare_edges (const void *a, const void *b)
{
  const uint32_t *x = a, *y = b;

  return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Readers of a state before the node that may overwrite it. */
static gboolean
collect_edges (const KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
               Edges *edges, GError **error)
{
  edges->n = 0;
  for (size_t u = 0; u < n_updates; u++)
    if (wants_order (&updates[u]) && !add_edges (graph, &updates[u], edges, error))
      return FALSE;
  if (edges->n)
    qsort (edges->pairs, edges->n, sizeof *edges->pairs, compare_edges);
  return TRUE;
}

gboolean
_kette_plan_order (KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
                   size_t *n_forward, GError **error)
{
  Edges edges   = { 0 };
  gboolean ok   = collect_edges (graph, updates, n_updates, &edges, error);
  gboolean held = edges.n > 0;

  /* Where a reader of the state needs the new content the wish cannot be met: the plan then
   * copies instead of writing in place. */
  held = ok && held
         && _kette_graph_sort (graph, (const uint32_t (*)[2]) edges.pairs, edges.n, NULL);
  if (ok && !held)
    ok = _kette_graph_sort (graph, NULL, 0, error);

  uint8_t *forward
      = ok ? _kette_alloc (_kette_account_process (), graph->n_nodes + 1, 1, error)
           : NULL;
  ok = forward && mark_forward (graph, updates, n_updates, forward, error)
       && partition (graph, forward, n_forward, error);
  /* The nodes have other indices now. */
  ok = ok && (!held || collect_edges (graph, updates, n_updates, &edges, error))
       && _kette_plan_schedule (graph, (const uint32_t (*)[2]) edges.pairs,
                                held ? edges.n : 0, *n_forward, error);
  _kette_free (edges.pairs);
  _kette_free (forward);
  return ok;
}
