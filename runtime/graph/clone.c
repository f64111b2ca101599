/* SPDX-License-Identifier: Apache-2.0
 * Deep copies of graphs. Tensors and the model are shared; subgraphs are copied one after
 * another from a list, so that deep nesting needs no stack.
 */
#include "graph/graph-private.h"
#include <string.h>

/* A graph, its copy, and the copies of its values by index. */
typedef struct
{
  const KetteGraph *from;
  KetteGraph *to;
  KetteValue **map;
} Pair;

typedef struct
{
  Pair *pairs;
  size_t n, capacity;
} Work;

static KetteValue *
copy_of (const Work *work, const KetteValue *value)
{
  if (!value)
    return NULL;
  for (size_t i = work->n; i-- > 0;)
    if (work->pairs[i].from == value->graph)
      return work->pairs[i].map[value->index];
  return (KetteValue *) (uintptr_t) value; /* of a graph around the copied one: shared */
}

static gboolean
copy_value (const Pair *pair, const KetteValue *from, GError **error)
{
  KetteValue *to = _kette_graph_add_value (pair->to, from->name, error);

  if (!to || !_kette_value_set_type (to, &from->type, error))
    return FALSE;
  to->flags = from->flags;
  to->slot  = from->slot;
  to->proto = from->proto;
  if (from->ints
      && !(to->ints = _kette_region_dup (pair->to->region, from->ints, from->n_ints,
                                         sizeof *from->ints, error)))
    return FALSE;
  to->n_ints = from->n_ints;
  _kette_value_set_data (to, from->data);
  pair->map[from->index] = to;
  return TRUE;
}

static gboolean
start (Work *work, const KetteGraph *from, KetteGraph *to, GError **error)
{
  Pair *pair;

  if (!_kette_grow (&work->pairs, &work->capacity, work->n + 1, sizeof *work->pairs, error))
    return FALSE;
  pair      = &work->pairs[work->n++];
  *pair     = (Pair){ .from = from, .to = to };
  pair->map = _kette_alloc (_kette_account_process (), from->n_values + 1, sizeof *pair->map, error);
  if (!pair->map)
    return FALSE;
  for (size_t i = 0; i < from->n_values; i++)
    if (!copy_value (pair, from->values[i], error))
      return FALSE;
  for (size_t i = 0; i < from->n_values; i++)
    pair->map[i]->outer = copy_of (work, from->values[i]->outer);
  return TRUE;
}

/* New graphs for the subgraphs of FROM; they join the list of work. */
static gboolean
copy_subgraphs (Work *work, const KetteNode *from, KetteNode *to, GError **error)
{
  if (!from->subgraphs)
    return TRUE;
  to->subgraphs = _kette_region_alloc (to->graph->region, (size_t) from->n_attrs + 1,
                                       sizeof *to->subgraphs, error);
  if (!to->subgraphs)
    return FALSE;
  for (int32_t k = 0; k < from->n_attrs; k++)
    if (from->subgraphs[k])
      {
        const KetteGraph *sub = from->subgraphs[k];
        to->subgraphs[k]      = _kette_graph_new (sub->model, sub->name, error);
        if (!to->subgraphs[k])
          return FALSE;
        to->subgraphs[k]->parent = to->graph;
        to->subgraphs[k]->proto  = sub->proto;
        if (!start (work, sub, to->subgraphs[k], error))
          return FALSE;
      }
  return TRUE;
}

static gboolean
copy_node (Work *work, const Pair *pair, const KetteNode *from, KetteValue **operands,
           GError **error)
{
  KetteNode *to;

  for (int32_t k = 0; k < from->n_in; k++)
    operands[k] = from->in[k] ? pair->map[from->in[k]->index] : NULL;
  for (int32_t k = 0; k < from->n_out; k++)
    operands[from->n_in + k] = from->out[k] ? pair->map[from->out[k]->index] : NULL;
  to = _kette_graph_add_node (pair->to, from->name, from->domain, from->op, from->version,
                              operands, from->n_in, operands + from->n_in, from->n_out,
                              from->attrs, from->n_attrs, error);
  if (!to)
    return FALSE;
  to->flags = from->flags;
  to->def   = from->def;
  to->proto = from->proto;
  if ((from->overload && *from->overload
       && !(to->overload = _kette_region_strdup (pair->to->region, from->overload, error)))
      || (from->origin
          && !(to->origin = _kette_region_strdup (pair->to->region, from->origin, error))))
    return FALSE;
  return copy_subgraphs (work, from, to, error);
}

static gboolean
copy_lists (const Pair *pair, GError **error)
{
  const KetteGraph *from = pair->from;

  for (size_t i = 0; i < from->n_inputs; i++)
    if (!_kette_graph_add_input (pair->to, pair->map[from->inputs[i]->index], error))
      return FALSE;
  for (size_t i = 0; i < from->n_outputs; i++)
    if (!_kette_graph_add_output (pair->to, pair->map[from->outputs[i]->index], error))
      return FALSE;
  return TRUE;
}

/* Nodes of the pair at AT; the list may move while subgraphs join it. */
static gboolean
finish (Work *work, size_t at, GError **error)
{
  const KetteGraph *from = work->pairs[at].from;
  size_t most            = 1;
  gboolean ok;

  for (size_t i = 0; i < from->n_nodes; i++)
    most = MAX (most, (size_t) from->nodes[i]->n_in + (size_t) from->nodes[i]->n_out);
  KetteValue **operands = _kette_alloc (_kette_account_process (), most, sizeof *operands, error);
  ok                    = operands != NULL;
  for (size_t i = 0; ok && i < from->n_nodes; i++)
    {
      const Pair pair = work->pairs[at];
      ok              = copy_node (work, &pair, from->nodes[i], operands, error);
    }
  _kette_free (operands);
  return ok && copy_lists (&work->pairs[at], error);
}

KetteGraph *
_kette_graph_clone (KetteGraph *graph, KetteValue ***map, GError **error)
{
  Work work      = { 0 };
  KetteGraph *to = _kette_graph_new (graph->model, graph->name, error);
  gboolean ok    = to != NULL;

  if (map)
    *map = NULL;
  if (ok)
    {
      to->parent = graph->parent;
      to->proto  = graph->proto;
      ok         = start (&work, graph, to, error);
    }
  for (size_t i = 0; ok && i < work.n; i++)
    ok = finish (&work, i, error);
  for (size_t i = 0; i < work.n; i++)
    if (i == 0 && ok && map)
      *map = work.pairs[0].map;
    else
      _kette_free (work.pairs[i].map);
  _kette_free (work.pairs);
  if (ok)
    return to;
  kette_graph_unref (to);
  return NULL;
}
