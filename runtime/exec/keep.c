/* SPDX-License-Identifier: Apache-2.0
 * Steps that can be taken back. A caller who wants to look at the loss before a step is taken has
 * the device wait in the middle of it. Where a plan is a device's altogether, its states are
 * copied aside instead, beside the first work: the whole step is one launch, and if the loss turns
 * out to be no number, or an input to be out of range, what was there before is put back.
 */
#include "exec/launch.h"
#include <string.h>

/* Does all of it run on devices of one kind that can record it? */
static gboolean
is_whole (const KettePlan *plan)
{
  const KetteGraph *g         = plan->graph;
  const KetteDeviceKind *kind = plan->places->units[1]->kind;

  if (!kind->device.capture_begin || !kind->device.alloc_pinned || g->n_nodes == 0)
    return FALSE;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      KetteNode *node = g->nodes[i];
      if (!node->unit || _kette_plan_unit (plan, node->unit)->kind != kind)
        return FALSE;
      if (_kette_is_copy (node) || kind->device.execute)
        continue;
      const KetteKernel *kernel
          = _kette_unit_kernel (_kette_plan_unit (plan, node->unit), node);
      if (!kernel || !(kernel->kernel.flags & KT_K_CAPTURABLE))
        return FALSE;
    }
  for (size_t u = 0; u < plan->n_updates; u++)
    if (!plan->updates[u].key->unit || !plan->updates[u].key->data)
      return FALSE;
  return plan->n_updates > 0;
}

/* Behind the nodes that copy inputs, which are first. */
static void
move_forward (KetteGraph *g, size_t n)
{
  const size_t n_before = g->n_nodes - n;
  size_t at             = 0;

  while (at < n_before && _kette_is_copy (g->nodes[at]))
    at++;
  for (size_t k = 0; k < n; k++)
    {
      KetteNode *node = g->nodes[n_before + k];
      memmove (&g->nodes[at + k + 1], &g->nodes[at + k],
               (n_before - at) * sizeof (KetteNode *));
      g->nodes[at + k] = node;
    }
  for (size_t i = 0; i < g->n_nodes; i++)
    g->nodes[i]->index = (uint32_t) i;
}

static gboolean
grow_layouts (KettePlan *plan, size_t n, GError **error)
{
  const size_t before = plan->graph->n_values;
  uint8_t *layouts;

  if (!plan->layouts)
    return TRUE;
  if (!(layouts = _kette_alloc (_kette_account_process (), before + n + 1, 1, error)))
    return FALSE;
  memcpy (layouts, plan->layouts, before);
  _kette_free (plan->layouts);
  plan->layouts = layouts;
  return TRUE;
}

gboolean
_kette_plan_keep (KettePlan *plan, size_t *n_forward, GError **error)
{
  if (!(plan->flags & KETTE_PLAN_UNDO) || plan->n_units == 0 || !is_whole (plan))
    return TRUE;
  if (!(plan->kept_states = _kette_alloc (_kette_account_process (), plan->n_updates,
                                          sizeof *plan->kept_states, error))
      || !grow_layouts (plan, plan->n_updates, error))
    return FALSE;
  for (size_t u = 0; u < plan->n_updates; u++)
    {
      KetteValue *key = plan->updates[u].key;
      KetteValue *to  = _kette_graph_add_value (plan->graph, NULL, error);
      if (!to || !_kette_value_set_type (to, &key->type, error))
        return FALSE;
      to->unit             = key->unit;
      plan->kept_states[u] = to;
      if (!_kette_plan_add_copy (plan, key, to, error))
        return FALSE;
    }
  move_forward (plan->graph, plan->n_updates);
  *n_forward += plan->n_updates;
  return TRUE;
}

gboolean
_kette_run_can_undo (const KetteRun *run)
{
  return run->plan->kept_states != NULL;
}

gboolean
_kette_run_undo (KetteRun *run, GError **error)
{
  const KettePlan *plan = run->plan;
  GError *fault         = NULL;
  gboolean ok           = TRUE;

  for (size_t u = 0; ok && plan->kept_states && u < plan->n_updates; u++)
    {
      const KetteValue *key   = plan->updates[u].key;
      const KetteUnitRun *own = &run->units[key->unit];
      ok = _kette_launch_copy (run, plan->kept_states[u], key, own->streams[1], own->unit,
                               NULL, &fault);
    }
  ok = _kette_launch_finish (run, &fault) && ok;
  if (fault)
    g_propagate_error (error, fault);
  return ok;
}
