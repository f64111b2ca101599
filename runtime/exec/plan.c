/* SPDX-License-Identifier: Apache-2.0
 * Making a plan: kernels chosen and prepared, storages with their lifetimes, views and
 * in-place results found.
 */
#include "exec/plan.h"
#include <string.h>

static KetteStorage *
storage_at (const KettePlan *plan, const KetteValue *value)
{
  const uint32_t i = value ? plan->storage_of[value->index] : 0;

  return i ? &plan->storages[i - 1] : NULL;
}

static gboolean
bytes_of (const kt_type *type, size_t *bytes)
{
  size_t count;

  return _kette_count (type->dims, type->ndim, &count)
         && _kette_dtype_bytes (type->dtype, count, bytes);
}

static gboolean
new_storage (KettePlan *plan, const KetteValue *value, KettePlace place, uint32_t step,
             GError **error)
{
  KetteStorage *s = &plan->storages[plan->n_storages];

  *s = (KetteStorage){
    .place = place, .first = step, .last = step, .tensor = value->data
  };
  if (!bytes_of (&value->type, &s->bytes) || s->bytes > PTRDIFF_MAX)
    return _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                        "the value %s is too large to count", KETTE_QUOTE (value->name));
  plan->storage_of[value->index] = (uint32_t) ++plan->n_storages;
  return TRUE;
}

/* A constant where the device can read it: the tensor itself, or a copy. */
static gboolean
make_resident (const KettePlan *plan, KetteStorage *s, GError **error)
{
  s->resident = s->tensor->data;
  if (plan->device->shares_host_memory)
    return TRUE;
  if (!(s->resident = plan->device->alloc (s->bytes, error)))
    return FALSE;
  plan->device->copy_in (s->resident, s->tensor->data, s->bytes);
  return TRUE;
}

/* A graph's inputs and everything with content. */
static gboolean
place_sources (KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint32_t input      = 0;

  for (size_t i = 0; i < g->n_values; i++)
    {
      const KetteValue *v = g->values[i];
      if (v->data && !(v->flags & KETTE_VALUE_SOFT)
          && (!new_storage (plan, v, KETTE_AT_CONSTANT, 0, error)
              || !make_resident (plan, storage_at (plan, v), error)))
        return FALSE;
    }
  for (size_t i = 0; i < g->n_inputs; i++)
    if (!storage_at (plan, g->inputs[i]))
      {
        if (!new_storage (plan, g->inputs[i], KETTE_AT_INPUT, 0, error))
          return FALSE;
        storage_at (plan, g->inputs[i])->input = input++;
      }
  return TRUE;
}

static const KetteBinding *
update_with (const KettePlan *plan, const KetteValue *value)
{
  for (size_t u = 0; u < plan->n_updates; u++)
    if (plan->updates[u].value == value)
      return &plan->updates[u];
  return NULL;
}

/* How long each value is needed, by value index: the last node that reads it; the end for
 * the graph's outputs and for what nodes outside the plan read. */
static uint32_t *
last_uses (const KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint32_t *last
      = _kette_alloc (_kette_account_process (), g->n_values + 1, sizeof *last, error);

  for (size_t i = 0; last && i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in; k++)
      if (g->nodes[i]->in[k])
        {
          uint32_t *entry = &last[g->nodes[i]->in[k]->index];
          *entry = MAX (*entry, plan->planned[i] ? (uint32_t) i : (uint32_t) g->n_nodes);
        }
  for (size_t i = 0; last && i < g->n_outputs; i++)
    last[g->outputs[i]->index] = (uint32_t) g->n_nodes;
  return last;
}

/* Output OUT as a view of the storage of its must-alias input; FALSE: it is none. */
static gboolean
try_view (KettePlan *plan, const KetteStep *step, const kt_alias *alias)
{
  const KetteNode *node = step->node;
  const KetteValue *in = node->in[alias->in], *out = node->out[alias->out];
  const KetteStorage *s = storage_at (plan, in);
  size_t bytes;

  if (!s || !bytes_of (&out->type, &bytes) || bytes != s->bytes)
    return FALSE;
  /* A state changes under its views; the new content of a state must not be a view. */
  if ((s->place == KETTE_AT_CONSTANT && s->tensor && plan->n_updates)
      || update_with (plan, out))
    return FALSE;
  plan->storage_of[out->index] = plan->storage_of[in->index];
  return TRUE;
}

/* The result may be written over input alias->in: nobody reads that storage afterwards. */
static gboolean
try_in_place (KettePlan *plan, const KetteStep *step, uint32_t i, const kt_alias *alias,
              const uint32_t *last_of_storage)
{
  const KetteNode *node = step->node;
  const KetteValue *in = node->in[alias->in], *out = node->out[alias->out];
  KetteStorage *s            = storage_at (plan, in);
  const KetteBinding *update = update_with (plan, out);
  size_t bytes;

  if (!s || !bytes_of (&out->type, &bytes) || bytes != s->bytes || bytes == 0)
    return FALSE;
  if (update)
    { /* straight into the state, if this node is its last reader */
      if (update->key != in || last_of_storage[plan->storage_of[in->index] - 1] > i)
        return FALSE;
    }
  else if (s->place != KETTE_AT_ARENA
           || last_of_storage[plan->storage_of[in->index] - 1] > i)
    return FALSE;
  /* The same storage at another input, under another shape, is no elementwise reading. */
  for (int32_t k = 0; k < node->n_in; k++)
    if (k != alias->in && node->in[k] && storage_at (plan, node->in[k]) == s
        && node->in[k] != in)
      return FALSE;
  plan->storage_of[out->index] = plan->storage_of[in->index];
  return TRUE;
}

static gboolean
place_output (KettePlan *plan, const KetteStep *step, uint32_t i, int32_t k,
              const uint32_t *last_of_storage, gboolean *view, GError **error)
{
  const KetteNode *node   = step->node;
  const kt_kernel *kernel = &step->kernel->kernel;

  for (int32_t a = 0; a < kernel->n_alias; a++)
    {
      const kt_alias *alias = &kernel->alias[a];
      if (alias->out != k || alias->in < 0 || alias->in >= node->n_in
          || !node->in[alias->in])
        continue;
      if (alias->must && try_view (plan, step, alias))
        {
          *view = TRUE;
          plan->n_views++;
          return TRUE;
        }
      if (!alias->must && try_in_place (plan, step, i, alias, last_of_storage))
        {
          plan->n_in_place++;
          return TRUE;
        }
    }
  return new_storage (plan, node->out[k], KETTE_AT_ARENA, i, error);
}

/* Appends NODE's step unless all its outputs are views. */
static gboolean
add_step (KettePlan *plan, KetteNode *node, const uint32_t *last,
          uint32_t *last_of_storage, GError **error)
{
  const uint32_t i = node->index;
  KetteStep *step  = &plan->steps[plan->n_steps];
  gboolean view = FALSE, real = FALSE;

  *step = (KetteStep){ .node = node };
  if (!_kette_step_prepare (plan, step, error))
    return FALSE;
  plan->n_steps++;
  for (int32_t k = 0; k < node->n_out; k++)
    {
      gboolean is_view = FALSE;
      if (!node->out[k])
        continue;
      if (!place_output (plan, step, i, k, last_of_storage, &is_view, error))
        return FALSE;
      view = view || is_view;
      real = real || !is_view;

      const uint32_t at   = plan->storage_of[node->out[k]->index] - 1;
      last_of_storage[at] = MAX (last_of_storage[at], MAX (last[node->out[k]->index], i));
    }
  if (view && !real)
    { /* nothing is left to do; the kernel's state stays owned by the plan */
      if (step->kernel->kernel.destroy)
        step->kernel->kernel.destroy (step->state);
      plan->n_steps--;
    }
  return TRUE;
}

/* Reads of a storage through any of its values keep it alive. */
static void
extend_lifetimes (KettePlan *plan)
{
  const KetteGraph *g = plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; k < g->nodes[i]->n_in + g->nodes[i]->n_out; k++)
      {
        const KetteNode *node = g->nodes[i];
        KetteStorage *s
            = storage_at (plan, k < node->n_in ? node->in[k] : node->out[k - node->n_in]);
        if (s)
          s->last
              = MAX (s->last, plan->planned[i] ? (uint32_t) i : (uint32_t) g->n_nodes);
      }
  for (size_t i = 0; i < g->n_outputs; i++)
    {
      KetteStorage *s = storage_at (plan, g->outputs[i]);
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

/* Marks the nodes that can be planned: all inputs there, all shapes known. */
static gboolean
mark_planned (KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint8_t *there = _kette_alloc (_kette_account_process (), g->n_values + 1, 1, error);

  if (!there)
    return FALSE;
  for (size_t i = 0; i < g->n_values; i++)
    there[i] = plan->storage_of[i] != 0;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      gboolean ok           = node->def != NULL;
      for (int32_t k = 0; k < node->n_in; k++)
        ok = ok && (!node->in[k] || there[node->in[k]->index]);
      for (int32_t k = 0; k < node->n_out; k++)
        ok = ok && (!node->out[k] || _kette_type_is_concrete (&node->out[k]->type));
      for (int32_t k = 0; ok && k < node->n_out; k++)
        if (node->out[k])
          there[node->out[k]->index] = 1;
      plan->planned[i] = ok;
      plan->partial    = plan->partial || !ok;
    }
  _kette_free (there);
  return TRUE;
}

static gboolean
plan_nodes (KettePlan *plan, size_t n_forward_nodes, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint32_t *last      = last_uses (plan, error);
  /* Last use per storage, over all values that live in it so far. */
  uint32_t *last_of_storage
      = last ? _kette_alloc (_kette_account_process (), g->n_values + g->n_nodes + 1,
                             sizeof *last_of_storage, error)
             : NULL;
  GCancellable *stop = _kette_stop_of (NULL); /* kernels may pack weights */
  gboolean ok        = last_of_storage != NULL;

  for (size_t i = 0; ok && i < g->n_values; i++)
    if (plan->storage_of[i])
      last_of_storage[plan->storage_of[i] - 1] = last[i];
  for (size_t i = 0; ok && i < g->n_nodes; i++)
    {
      if (i == n_forward_nodes)
        plan->n_forward = plan->n_steps;
      if (plan->planned[i])
        ok = _kette_check_stop (stop, NULL, error)
             && add_step (plan, g->nodes[i], last, last_of_storage, error);
    }
  if (n_forward_nodes >= g->n_nodes)
    plan->n_forward = plan->n_steps;
  _kette_free (last);
  _kette_free (last_of_storage);
  return ok;
}

static gboolean
allocate (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const KetteGraph *g   = plan->graph;
  const size_t most     = g->n_values + g->n_nodes + 1;

  return (plan->steps = _kette_alloc (account, g->n_nodes + plan->n_updates + 1,
                                      sizeof *plan->steps, error))
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

static void
count_operands (KettePlan *plan)
{
  for (size_t i = 0; i < plan->n_steps; i++)
    {
      KetteStep *step       = &plan->steps[i];
      const KetteNode *node = step->node;
      step->first_tensor    = (uint32_t) plan->n_tensors;
      plan->n_tensors += node ? (size_t) node->n_in + (size_t) node->n_out : 0;
      if (!step->per_worker)
        plan->workspace_bytes = MAX (plan->workspace_bytes, step->workspace);
    }
}

KettePlan *
_kette_plan_new (KetteGraph *graph, const KetteBinding *updates, size_t n_updates,
                 GError **error)
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
  if (_kette_plan_order (graph, updates, n_updates, &n_forward_nodes, error)
      && allocate_updates (plan, updates, error)
      && _kette_plan_layouts (plan, &n_forward_nodes, error) && allocate (plan, error))
    {
      if (place_sources (plan, error) && mark_planned (plan, error)
          && plan_nodes (plan, n_forward_nodes, error))
        {
          add_copies (plan);
          extend_lifetimes (plan);
          count_operands (plan);
          if (_kette_plan_memory (plan, error))
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
  for (size_t i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].kernel && plan->steps[i].kernel->kernel.destroy)
      plan->steps[i].kernel->kernel.destroy (plan->steps[i].state);
  for (size_t i = 0; i < plan->n_storages; i++)
    if (plan->storages[i].resident && !plan->device->shares_host_memory)
      plan->device->release (plan->storages[i].resident);
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
  _kette_free (plan->storages);
  _kette_free (plan->storage_of);
  _kette_free (plan->planned);
  _kette_free (plan->layouts);
  _kette_free (plan->updates);
  kette_graph_unref (plan->graph);
  _kette_free (plan);
}
