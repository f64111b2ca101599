/* SPDX-License-Identifier: Apache-2.0
 * Traces: the content of every value of a graph, for drawing and debugging.
 */
#include "exec/plan.h"
#include "graph/sparse.h"
#include "pass/pass.h"
#include <string.h>

static gboolean
keep_all (KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    for (int32_t k = 0; k < graph->nodes[i]->n_out; k++)
      {
        KetteValue *value = graph->nodes[i]->out[k];
        if (value && !(value->flags & KETTE_VALUE_OUTPUT)
            && !_kette_graph_add_output (graph, value, error))
          return FALSE;
      }
  return TRUE;
}

static gboolean
set_inputs (KetteGraph *graph, KetteTensor *const *inputs, GError **error)
{
  size_t fed = 0;

  for (size_t i = 0; i < graph->n_inputs; i++)
    {
      KetteValue *input = graph->inputs[i];
      if (input->flags & KETTE_VALUE_INITIALIZER)
        continue;
      const KetteTensor *t = inputs[fed++];
      if (!t)
        return _kette_fail (error, KETTE_ERROR_TYPE, NULL, "no content for the input %s",
                            KETTE_QUOTE (input->name));
      if (!_kette_value_set_tensor_type (input, t->dtype, t->dims, t->rank, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
collect (KetteRun *run, KetteTensor *const *inputs, KetteValue *const *map, size_t n,
         KetteTensor **values, GError **error)
{
  const KetteGraph *g = run->plan->graph;
  size_t fed          = 0;

  for (size_t i = 0; i < g->n_inputs; i++)
    if (!(g->inputs[i]->flags & KETTE_VALUE_INITIALIZER))
      {
        _kette_run_feed (run, i, inputs[fed]);
        fed++;
      }
  if (!_kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                           _kette_stop_of (NULL), error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      const KetteValue *value = map[i];
      if (!value || !_kette_run_data (run, value))
        continue;
      if (!(values[i] = _kette_run_fetch (run, value, error)))
        return FALSE;
    }
  return TRUE;
}

KetteTensor **
_kette_trace (KetteGraph *graph, KetteTensor *const *inputs, GError **error)
{
  KetteValue **map     = NULL;
  KetteGraph *copy     = _kette_graph_clone (graph, &map, error);
  KetteTensor **values = copy ? _kette_alloc (_kette_account_process (),
                                              graph->n_values + 1, sizeof *values, error)
                              : NULL;
  gboolean ok          = values && _kette_graph_make_dense (copy, error)
                && _kette_pass_check (copy, error) && keep_all (copy, error)
                && set_inputs (copy, inputs, error) && _kette_pass_infer (copy, error);
  KettePlan *plan = NULL;
  KetteRun *run   = NULL;

  if (ok)
    {
      plan = _kette_plan_new (copy, NULL, 0, KETTE_PLAN_UNFUSED, NULL, error);
      copy = NULL;
      run  = plan ? _kette_run_new (plan, error) : NULL;
      ok   = run && collect (run, inputs, map, graph->n_values, values, error);
    }
  _kette_run_free (run);
  _kette_plan_free (plan);
  kette_graph_unref (copy);
  _kette_free (map);
  if (ok)
    return values;
  _kette_trace_free (values, graph->n_values);
  return NULL;
}

void
_kette_trace_free (KetteTensor **values, size_t n)
{
  for (size_t i = 0; values && i < n; i++)
    kette_tensor_unref (values[i]);
  _kette_free (values);
}
