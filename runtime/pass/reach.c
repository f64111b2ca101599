/* SPDX-License-Identifier: Apache-2.0
 * Which graphs of a model come into play: a list instead of a walk that calls itself.
 */
#include "op/context.h"
#include "pass/pass.h"
#include <stdlib.h>

typedef struct
{
  KetteReach *reach;
  KetteFunction **sorted; /* by address */
  uint8_t *seen;          /* by place in sorted */
  size_t n_functions;
} Walk;

static int
compare_addresses (const void *a, const void *b)
{
  const uintptr_t x = (uintptr_t) * (KetteFunction *const *) a,
                  y = (uintptr_t) * (KetteFunction *const *) b;

  return x < y ? -1 : x > y;
}

static gboolean
add_graph (Walk *w, KetteGraph *graph, GError **error)
{
  KetteReach *r = w->reach;

  if (!graph)
    return TRUE;
  if (r->n == r->capacity
      && !_kette_grow (&r->graphs, &r->capacity, r->n + 1, sizeof *r->graphs, error))
    return FALSE;
  r->graphs[r->n++] = graph;
  return TRUE;
}

static gboolean
add_function (Walk *w, KetteFunction *function, GError **error)
{
  KetteFunction **place = bsearch (&function, w->sorted, w->n_functions,
                                   sizeof *w->sorted, compare_addresses);

  if (!place || w->seen[place - w->sorted])
    return TRUE;
  w->seen[place - w->sorted] = 1;
  for (size_t i = 0; i < function->n_graphs; i++)
    if (!add_graph (w, function->graphs[i], error))
      return FALSE;
  return add_graph (w, function->body, error);
}

static gboolean
add_subgraphs (Walk *w, const KetteNode *node, GError **error)
{
  for (int32_t i = 0; node->subgraphs && i < node->n_attrs; i++)
    if (node->subgraphs[i] && !add_graph (w, node->subgraphs[i], error))
      return FALSE;
  return TRUE;
}

/* The function that NODE calls: none where a plugin provides the operator itself. */
static KetteFunction *
called_by (const KetteNode *node)
{
  KetteFunction *function
      = node->graph->model->n_functions ? _kette_model_find_function (
            node->graph->model, node->domain, node->op, node->overload)
                                        : NULL;
  KetteNode probe = *node;

  if (!function)
    return NULL;
  _kette_node_look_up (&probe, TRUE, NULL);
  return probe.def ? NULL : function;
}

static gboolean
walk (Walk *w, KetteGraph *graph, gboolean all, GError **error)
{
  const KetteModel *model = graph->model;
  KetteReach *r           = w->reach;

  if (!add_graph (w, graph, error))
    return FALSE;
  for (size_t i = 0; i < r->n; i++)
    for (size_t k = 0; k < r->graphs[i]->n_nodes; k++)
      if (!add_subgraphs (w, r->graphs[i]->nodes[k], error))
        return FALSE;
  r->n_own = r->n;
  for (size_t i = 0; i < model->n_training; i++)
    if (!add_graph (w, model->training[i]->initialization, error)
        || !add_graph (w, model->training[i]->algorithm, error))
      return FALSE;
  for (size_t i = 0; all && i < model->n_functions; i++)
    if (!add_function (w, model->functions[i], error))
      return FALSE;
  for (size_t i = 0; i < r->n; i++)
    for (size_t k = 0; k < r->graphs[i]->n_nodes; k++)
      {
        const KetteNode *node   = r->graphs[i]->nodes[k];
        KetteFunction *function = called_by (node);

        if ((i >= r->n_own && !add_subgraphs (w, node, error))
            || (function && !add_function (w, function, error)))
          return FALSE;
      }
  return TRUE;
}

gboolean
_kette_reach_init (KetteReach *reach, KetteGraph *graph, gboolean all, GError **error)
{
  const KetteModel *model = graph->model;
  Walk w                  = { .reach = reach, .n_functions = model->n_functions };
  gboolean ok             = FALSE;

  *reach   = (KetteReach){ 0 };
  w.sorted = _kette_alloc (_kette_account_process (), w.n_functions + 1, sizeof *w.sorted,
                           error);
  w.seen   = w.sorted
                 ? _kette_alloc (_kette_account_process (), w.n_functions + 1, 1, error)
                 : NULL;
  for (size_t i = 0; w.seen && i < w.n_functions; i++)
    w.sorted[i] = model->functions[i];
  if (w.seen)
    {
      qsort (w.sorted, w.n_functions, sizeof *w.sorted, compare_addresses);
      ok = walk (&w, graph, all, error);
    }
  _kette_free (w.sorted);
  _kette_free (w.seen);
  if (!ok)
    _kette_reach_clear (reach);
  return ok;
}

void
_kette_reach_clear (KetteReach *reach)
{
  _kette_free (reach->graphs);
  *reach = (KetteReach){ 0 };
}
