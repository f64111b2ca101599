/* SPDX-License-Identifier: Apache-2.0
 * Running a few nodes with constant inputs at once: constant folding.
 */
#include "exec/plan.h"

/* The copy of VALUE in SUB: a constant, or the output of a copied node. */
static KetteValue *
copy_value (KetteGraph *sub, KetteValue **map, const KetteValue *value, GError **error)
{
  KetteValue *copy = map[value->index];

  if (copy)
    return copy;
  copy = value->data ? _kette_graph_add_constant (sub, NULL, value->data, error)
                     : _kette_graph_add_value (sub, NULL, error);
  if (!copy || !_kette_value_set_type (copy, &value->type, error))
    return NULL;
  return map[value->index] = copy;
}

static gboolean
copy_node (KetteGraph *sub, KetteValue **map, const KetteNode *node,
           KetteValue **operands, GError **error)
{
  for (int32_t k = 0; k < node->n_in + node->n_out; k++)
    {
      const KetteValue *value = k < node->n_in ? node->in[k] : node->out[k - node->n_in];
      operands[k]             = NULL;
      if (value && !(operands[k] = copy_value (sub, map, value, error)))
        return FALSE;
    }
  KetteNode *copy = _kette_graph_add_node (
      sub, node->name, node->domain, node->op, node->version, operands, node->n_in,
      operands + node->n_in, node->n_out, node->attrs, node->n_attrs, error);
  if (!copy)
    return FALSE;
  copy->def    = node->def;
  copy->origin = node->origin;
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k] && !_kette_graph_add_output (sub, operands[node->n_in + k], error))
      return FALSE;
  return TRUE;
}

static KetteGraph *
extract (KetteGraph *graph, KetteNode *const *nodes, size_t n, KetteValue **map,
         GError **error)
{
  KetteGraph *sub = _kette_graph_new (graph->model, "constants", error);
  size_t most     = 1;
  gboolean ok     = sub != NULL;

  for (size_t i = 0; i < n; i++)
    most = MAX (most, (size_t) nodes[i]->n_in + (size_t) nodes[i]->n_out);
  KetteValue **operands
      = _kette_alloc (_kette_account_process (), most, sizeof *operands, error);
  ok = ok && operands;
  for (size_t i = 0; ok && i < n; i++)
    ok = copy_node (sub, map, nodes[i], operands, error);
  /* Constants stored at any address are moved to where kernels may read them. */
  for (size_t i = 0; ok && i < sub->n_values; i++)
    if (sub->values[i]->data && ((uintptr_t) sub->values[i]->data->data & 63))
      {
        KetteTensor *copy = _kette_tensor_copy (sub->values[i]->data, error);
        ok                = copy != NULL;
        if (copy)
          _kette_value_set_data (sub->values[i], copy);
        kette_tensor_unref (copy);
      }
  _kette_free (operands);
  if (ok)
    return sub;
  kette_graph_unref (sub);
  return NULL;
}

static gboolean
store (const KetteRun *run, KetteNode *const *nodes, size_t n, KetteValue *const *map,
       GError **error)
{
  for (size_t i = 0; i < n; i++)
    for (int32_t k = 0; k < nodes[i]->n_out; k++)
      {
        KetteValue *value = nodes[i]->out[k];
        if (!value || value->data)
          continue;
        KetteTensor *data = _kette_run_fetch (run, map[value->index], error);
        if (!data)
          return FALSE;
        _kette_value_set_data (value, data);
        kette_tensor_unref (data);
        value->ints = NULL; /* known in part before, in full now */
      }
  return TRUE;
}

gboolean
_kette_evaluate (KetteGraph *graph, KetteNode *const *nodes, size_t n, GError **error)
{
  KetteValue **map
      = _kette_alloc (_kette_account_process (), graph->n_values + 1, sizeof *map, error);
  KetteGraph *sub = map ? extract (graph, nodes, n, map, error) : NULL;
  KettePlan *plan
      = sub ? _kette_plan_new (sub, NULL, 0, KETTE_PLAN_UNFUSED, NULL, error) : NULL;
  KetteRun *run = plan ? _kette_run_new (plan, error) : NULL;
  gboolean ok   = run
                && _kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                                       _kette_stop_of (NULL), error)
                && store (run, nodes, n, map, error);

  _kette_run_free (run);
  _kette_plan_free (plan);
  _kette_free (map);
  return ok;
}
