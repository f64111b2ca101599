/* SPDX-License-Identifier: Apache-2.0
 * Making a plan: order, what can be planned, kernels and chains (chain.c), storages (place.c)
 * with their lifetimes, operands.
 */
#include "exec/plan.h"
#include <string.h>

/* Reads of a storage through any of its values keep it alive. */
static void
extend_lifetimes (KettePlan *plan)
{
  const KetteGraph *g = plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in + g->nodes[i]->n_out; k++)
      {
        const KetteNode *node = g->nodes[i];
        KetteStorage *s       = _kette_plan_storage (
                  plan, k < node->n_in ? node->in[k] : node->out[k - node->n_in]);
        if (s)
          s->last
              = MAX (s->last, plan->planned[i] ? (uint32_t) i : (uint32_t) g->n_nodes);
      }
  for (size_t i = 0; i < g->n_outputs; i++)
    {
      KetteStorage *s = _kette_plan_storage (plan, g->outputs[i]);
      if (s)
        s->last = (uint32_t) g->n_nodes;
    }
  for (size_t u = 0; u < plan->n_updates; u++)
    {
      KetteStorage *s = _kette_plan_storage (plan, plan->updates[u].value);
      if (s)
        s->last = (uint32_t) g->n_nodes;
      s = plan->kept_states ? _kette_plan_storage (plan, plan->kept_states[u]) : NULL;
      if (s)
        s->last = (uint32_t) g->n_nodes;
    }
}

/* States whose new content could not be written in place get a copy at the end. */
static void
add_copies (KettePlan *plan)
{
  for (size_t u = 0; u < plan->n_updates; u++)
    if (plan->storage_of[plan->updates[u].key->index]
        != plan->storage_of[plan->updates[u].value->index])
      plan->steps[plan->n_steps++] = (KetteStep){ .update = &plan->updates[u] };
}

gboolean
_kette_plan_reach (const KetteGraph *g, uint8_t *planned, GError **error)
{
  uint8_t *there = _kette_alloc (_kette_account_process (), g->n_values + 1, 1, error);

  if (!there)
    return FALSE;
  for (size_t i = 0; i < g->n_values; i++)
    there[i] = g->values[i]->data && !(g->values[i]->flags & KETTE_VALUE_SOFT);
  for (size_t i = 0; i < g->n_inputs; i++)
    there[g->inputs[i]->index] = 1;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      gboolean ready = node->def != NULL, known = TRUE;

      for (int32_t k = 0; k < node->n_in; k++)
        ready = ready && (!node->in[k] || there[node->in[k]->index]);
      for (int32_t k = 0; k < node->n_out; k++)
        known = known && (!node->out[k] || _kette_type_is_concrete (&node->out[k]->type));
      for (int32_t k = 0; ready && known && k < node->n_out; k++)
        if (node->out[k])
          there[node->out[k]->index] = 1;
      planned[i] = !ready  ? KETTE_PLANNED_LATER
                   : known ? KETTE_PLANNED
                           : KETTE_PLANNED_OPEN;
    }
  _kette_free (there);
  return TRUE;
}

static gboolean
mark_planned (KettePlan *plan, GError **error)
{
  if (!_kette_plan_reach (plan->graph, plan->planned, error))
    return FALSE;
  for (size_t i = 0; i < plan->graph->n_nodes; i++)
    {
      plan->planned[i] = plan->planned[i] == KETTE_PLANNED;
      plan->partial    = plan->partial || !plan->planned[i];
    }
  return TRUE;
}

static gboolean
allocate (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const KetteGraph *g   = plan->graph;
  const size_t most     = g->n_values + g->n_nodes + 1;

  return (plan->steps = _kette_alloc (account, g->n_nodes + plan->n_updates + 1,
                                      sizeof *plan->steps, error))
         && (plan->chains
             = _kette_alloc (account, g->n_nodes + 1, sizeof *plan->chains, error))
         && (plan->readers
             = _kette_alloc (account, g->n_values + 1, sizeof *plan->readers, error))
         && (plan->storages = _kette_alloc (account, most, sizeof *plan->storages, error))
         && (plan->storage_of
             = _kette_alloc (account, g->n_values + 1, sizeof *plan->storage_of, error))
         && (plan->planned = _kette_alloc (account, g->n_nodes + 1, 1, error));
}

static gboolean
allocate_updates (KettePlan *plan, const KetteBinding *updates, GError **error)
{
  plan->updates = _kette_alloc (_kette_account_process (), plan->n_updates + 1,
                                sizeof *plan->updates, error);
  if (plan->updates && plan->n_updates)
    memcpy (plan->updates, updates, plan->n_updates * sizeof *updates);
  return plan->updates != NULL;
}

/* The operands of a step: a node's own, and behind its inputs those of absorbed nodes without
 * the result so far; its first output is the last absorbed one's. OUT NULL: counted only. */
static uint32_t
list_operands (const KettePlan *plan, KetteStep *step, KetteValue **out)
{
  KetteNode *const *nodes = plan->graph->nodes;
  const KetteNode *node   = step->node;
  const uint32_t final    = node->index + step->n_absorbed;
  uint32_t n              = 0;

  for (uint32_t i = node->index; i <= final; i++)
    for (int32_t k = 0; k < nodes[i]->n_in; k++)
      {
        KetteValue *in = nodes[i]->in[k];
        if (i > node->index && in == nodes[i - 1]->out[0])
          continue;
        if (out)
          out[n] = in;
        n++;
      }
  step->n_in  = n;
  step->n_out = (uint32_t) node->n_out;
  for (int32_t k = 0; k < node->n_out; k++, n++)
    if (out)
      out[n] = k == 0 ? nodes[final]->out[0] : node->out[k];
  return n;
}

/* Where each input is read, so that binding one touches no more than that. */
static gboolean
link_inputs (KettePlan *plan, GError **error)
{
  plan->next_operand = _kette_alloc (_kette_account_process (), plan->n_tensors + 1,
                                     sizeof *plan->next_operand, error);
  for (size_t o = plan->next_operand ? plan->n_tensors : 0; o > 0; o--)
    {
      KetteStorage *s = _kette_plan_storage (plan, plan->operands[o - 1]);
      if (!s || s->place != KETTE_AT_INPUT)
        continue;
      plan->next_operand[o - 1] = s->operand;
      s->operand                = (uint32_t) o;
    }
  return plan->next_operand != NULL;
}

static gboolean
set_operands (KettePlan *plan, GError **error)
{
  for (size_t i = 0; i < plan->n_steps; i++)
    {
      KetteStep *step    = &plan->steps[i];
      step->first_tensor = (uint32_t) plan->n_tensors;
      plan->n_tensors += step->node ? list_operands (plan, step, NULL) : 0;
      if (!step->per_worker && !(step->node && step->node->unit))
        plan->workspace_bytes = MAX (plan->workspace_bytes, step->workspace);
    }
  plan->operands = _kette_alloc (_kette_account_process (), plan->n_tensors + 1,
                                 sizeof *plan->operands, error);
  for (size_t i = 0; plan->operands && i < plan->n_steps; i++)
    if (plan->steps[i].node)
      list_operands (plan, &plan->steps[i], plan->operands + plan->steps[i].first_tensor);
  return plan->operands != NULL && link_inputs (plan, error);
}

KettePlan *
_kette_plan_make (KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
                  unsigned flags, const KettePlaces *places, GError **error)
{
  KettePlan *plan = _kette_alloc (_kette_account_process (), 1, sizeof *plan, error);
  size_t n_forward_nodes;

  if (!plan)
    {
      kette_graph_unref (graph);
      return NULL;
    }
  plan->graph     = graph;
  plan->device    = _kette_device_cpu ();
  plan->n_updates = n_updates;
  plan->flags     = flags;
  plan->places    = places;
  if (_kette_plan_countable (graph, error)
      && _kette_plan_order (graph, updates, n_updates, &n_forward_nodes, error)
      && allocate_updates (plan, updates, error) && _kette_plan_assign (plan, error)
      && _kette_plan_layouts (plan, &n_forward_nodes, error)
      && _kette_plan_spread (plan, &n_forward_nodes, error)
      && _kette_plan_keep (plan, &n_forward_nodes, error) && allocate (plan, error))
    {
      if (_kette_plan_place_sources (plan, error) && mark_planned (plan, error)
          && _kette_plan_prepare (plan, n_forward_nodes, error)
          && (plan->n_refused || _kette_plan_place (plan, n_forward_nodes, error)))
        {
          if (plan->n_refused)
            return plan;
          add_copies (plan);
          extend_lifetimes (plan);
          _kette_plan_join (plan);
          if (set_operands (plan, error) && _kette_plan_memory (plan, error)
              && _kette_plan_lanes (plan, error))
            return plan;
        }
    }
  _kette_plan_free (plan);
  return NULL;
}

void
_kette_plan_free (KettePlan *plan)
{
  if (!plan)
    return;
  while (plan->idle)
    {
      KetteRun *run = plan->idle;
      plan->idle    = run->next;
      _kette_run_free (run);
    }
  /* Until all are placed, prepared steps stand behind those that the plan has so far. */
  for (size_t i = 0; plan->steps && i < plan->graph->n_nodes + plan->n_updates; i++)
    if (plan->steps[i].kernel && plan->steps[i].kernel->kernel.destroy)
      plan->steps[i].kernel->kernel.destroy (plan->steps[i].state);
  for (size_t i = 0; i < plan->n_storages; i++)
    _kette_resident_release (plan->storages[i].copy);
  for (size_t i = 0; i < plan->n_kept; i++)
    _kette_free (plan->kept[i]);
  for (size_t i = 0; plan->input_types && i < plan->graph->n_inputs; i++)
    _kette_free ((void *) (uintptr_t) plan->input_types[i].dims);
  for (size_t i = 0; plan->input_contents && i < plan->graph->n_inputs; i++)
    kette_tensor_unref (plan->input_contents[i]);
  _kette_free (plan->input_types);
  _kette_free (plan->input_contents);
  _kette_free (plan->kept);
  _kette_free (plan->steps);
  _kette_free (plan->operands);
  _kette_free (plan->next_operand);
  _kette_free (plan->chains);
  _kette_free (plan->readers);
  _kette_free (plan->storages);
  _kette_free (plan->storage_of);
  _kette_free (plan->planned);
  _kette_free (plan->layouts);
  _kette_free (plan->updates);
  _kette_free (plan->choice);
  _kette_free (plan->kept_states);
  _kette_free (plan->sync);
  _kette_free (plan->waits);
  _kette_free (plan->deaths);
  kette_graph_unref (plan->graph);
  _kette_free (plan);
}
