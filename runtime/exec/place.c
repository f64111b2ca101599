/* SPDX-License-Identifier: Apache-2.0
 * Where values live: inputs and constants where they are, views in what they look at, results
 * over an operand that nobody needs any more, or in memory of their own.
 */
#include "exec/plan.h"

static gboolean
bytes_of (const kt_type *type, size_t *bytes)
{
  size_t count;

  return _kette_count (type->dims, type->ndim, &count)
         && _kette_dtype_bytes (type->dtype, count, bytes);
}

static gboolean
too_large (const KetteValue *value, GError **error)
{
  return _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                      "the value %s is too large to count", KETTE_QUOTE (value->name));
}

static gboolean
count_bytes (const KetteValue *value, size_t *bytes, GError **error)
{
  return (bytes_of (&value->type, bytes) && *bytes <= PTRDIFF_MAX)
         || too_large (value, error);
}

/* Could an array with one element wherever TYPE has none be counted, in bytes and, down to
 * two bits each, in elements? */
static gboolean
can_step (const kt_type *type)
{
  int64_t dims[KETTE_MAX_RANK];
  size_t bytes;
  kt_type one = *type;

  for (int32_t d = 0; d < type->ndim; d++)
    dims[d] = type->dims[d] ? type->dims[d] : 1;
  one.dims = dims;
  return bytes_of (&one, &bytes) && bytes <= PTRDIFF_MAX / 4;
}

/* Kernels and chains multiply dims without looking, of empty tensors too: what cannot be
 * counted is found first. */
gboolean
_kette_plan_countable (const KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      const KetteValue *value = graph->values[i];
      if (_kette_type_is_concrete (&value->type) && !can_step (&value->type))
        return too_large (value, error);
    }
  return TRUE;
}

static gboolean
new_storage (KettePlan *plan, const KetteValue *value, KettePlace place, uint32_t step,
             GError **error)
{
  KetteStorage *s = &plan->storages[plan->n_storages];

  *s = (KetteStorage){ .place  = place,
                       .first  = step,
                       .last   = step,
                       .tensor = value->data,
                       .unit   = value->unit };
  if (!count_bytes (value, &s->bytes, error))
    return FALSE;
  plan->storage_of[value->index] = (uint32_t) ++plan->n_storages;
  return TRUE;
}

/* A constant where the device can read it: the tensor itself, or a copy. */
static gboolean
make_resident (const KettePlan *plan, KetteStorage *s, GError **error)
{
  s->resident = s->tensor->data;
  if (s->unit == 0)
    return TRUE;
  s->copy = _kette_resident_acquire (s->tensor, _kette_plan_unit (plan, s->unit), error);
  s->resident = s->copy ? _kette_resident_memory (s->copy) : NULL;
  return s->copy != NULL;
}

/* A graph's inputs and everything with content. */
gboolean
_kette_plan_place_sources (KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint32_t input      = 0;

  for (size_t i = 0; i < g->n_values; i++)
    {
      const KetteValue *v = g->values[i];
      if (v->data && !(v->flags & KETTE_VALUE_SOFT)
          && (!new_storage (plan, v, KETTE_AT_CONSTANT, 0, error)
              || !make_resident (plan, _kette_plan_storage (plan, v), error)))
        return FALSE;
    }
  for (size_t i = 0; i < g->n_inputs; i++)
    if (!_kette_plan_storage (plan, g->inputs[i]))
      {
        if (!new_storage (plan, g->inputs[i], KETTE_AT_INPUT, 0, error))
          return FALSE;
        _kette_plan_storage (plan, g->inputs[i])->input = input++;
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
  for (size_t u = 0; last && u < plan->n_updates; u++)
    last[plan->updates[u].value->index] = (uint32_t) g->n_nodes;
  return last;
}

/* Output OUT as a view of the storage of its must-alias input; FALSE: it is none. */
static gboolean
try_view (KettePlan *plan, const KetteNode *node, const kt_alias *alias)
{
  const KetteValue *in = node->in[alias->in], *out = node->out[alias->out];
  const KetteStorage *s = _kette_plan_storage (plan, in);
  size_t bytes;

  if (!s || s->unit != out->unit || !bytes_of (&out->type, &bytes) || bytes != s->bytes)
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
try_in_place (KettePlan *plan, const KetteNode *node, const kt_kernel *kernel,
              const kt_alias *alias, const uint32_t *last_of_storage)
{
  const uint32_t i     = node->index;
  const KetteValue *in = node->in[alias->in], *out = node->out[alias->out];
  KetteStorage *s            = _kette_plan_storage (plan, in);
  const KetteBinding *update = update_with (plan, out);
  size_t bytes;

  if (!s || s->unit != out->unit || !bytes_of (&out->type, &bytes) || bytes != s->bytes
      || bytes == 0 || !_kette_chain_allows (plan, node, s))
    return FALSE;
  if (update)
    { /* straight into the state, if this node is its last reader; not before the caller has
         looked at the loss and lets the step be taken */
      if (update->key != in || last_of_storage[plan->storage_of[in->index] - 1] > i
          || i < plan->n_forward_nodes)
        return FALSE;
    }
  else if (s->place != KETTE_AT_ARENA
           || last_of_storage[plan->storage_of[in->index] - 1] > i)
    return FALSE;
  /* The same storage at another input is read element by element only under the same shape, and by
   * kernels that are elementwise in one pass: Scatter reads its updates elsewhere than it writes,
   * Sum of three reads the third when the first two are added up. */
  for (int32_t k = 0; k < node->n_in; k++)
    if (k != alias->in && node->in[k] && _kette_plan_storage (plan, node->in[k]) == s
        && (node->in[k] != in || !(kernel->flags & KT_K_TILEABLE)))
      return FALSE;
  plan->storage_of[out->index] = plan->storage_of[in->index];
  return TRUE;
}

static gboolean
place_output (KettePlan *plan, const KetteNode *node, const kt_kernel *kernel, int32_t k,
              const uint32_t *last_of_storage, gboolean *view, GError **error)
{
  for (int32_t a = 0; a < kernel->n_alias; a++)
    {
      const kt_alias *alias = &kernel->alias[a];
      if (alias->out != k || alias->in < 0 || alias->in >= node->n_in
          || !node->in[alias->in])
        continue;
      if (alias->must && try_view (plan, node, alias))
        {
          *view = TRUE;
          plan->n_views++;
          return TRUE;
        }
      if (!alias->must && try_in_place (plan, node, kernel, alias, last_of_storage))
        {
          plan->n_in_place++;
          return TRUE;
        }
    }
  return new_storage (plan, node->out[k], KETTE_AT_ARENA, node->index, error);
}

/* The outputs of a node from FROM on; *real: one of them is no view. */
static gboolean
place_outputs (KettePlan *plan, const KetteStep *step, int32_t from, const uint32_t *last,
               uint32_t *last_of_storage, gboolean *real, GError **error)
{
  const KetteNode *node = step->node;

  for (int32_t k = from; k < node->n_out; k++)
    {
      gboolean view = FALSE;
      if (!node->out[k])
        continue;
      if (!place_output (plan, node, &step->kernel->kernel, k, last_of_storage, &view,
                         error))
        return FALSE;
      *real = *real || !view;

      const uint32_t at = plan->storage_of[node->out[k]->index] - 1;
      last_of_storage[at]
          = MAX (last_of_storage[at], MAX (last[node->out[k]->index], node->index));
    }
  return TRUE;
}

/* Nothing is left to do; what the kernel kept stays owned by the plan. */
static void
drop_step (KetteStep *step)
{
  if (step->kernel->kernel.destroy)
    step->kernel->kernel.destroy (step->state);
  *step = (KetteStep){ 0 };
}

/* Moves the step of node I to the plan's end, with places for its outputs and those of nodes
 * that it absorbed; what is between them exists nowhere. */
static gboolean
add_step (KettePlan *plan, uint32_t i, const uint32_t *last, uint32_t *last_of_storage,
          GError **error)
{
  KetteStep *step      = &plan->steps[plan->n_steps++];
  const uint32_t final = i + plan->steps[i].n_absorbed;
  gboolean real        = plan->steps[i].node->n_out == 0;

  if (step != &plan->steps[i])
    {
      *step          = plan->steps[i];
      plan->steps[i] = (KetteStep){ 0 };
    }
  for (uint32_t j = i; j <= final; j++)
    {
      const KetteStep *own = j == i ? step : &plan->steps[j];
      if (j == i || j == final)
        if (!place_outputs (plan, own, j < final ? 1 : 0, last, last_of_storage, &real,
                            error))
          return FALSE;
      _kette_chain_reads (plan, own->node);
    }
  for (uint32_t j = i + 1; j <= final; j++)
    drop_step (&plan->steps[j]);
  if (!real)
    {
      drop_step (step);
      plan->n_steps--;
    }
  return TRUE;
}

gboolean
_kette_plan_place (KettePlan *plan, size_t n_forward_nodes, GError **error)
{
  const KetteGraph *g = plan->graph;
  uint32_t *last      = last_uses (plan, error);
  /* Last use per storage, over all values that live in it so far. */
  uint32_t *last_of_storage
      = last ? _kette_alloc (_kette_account_process (), g->n_values + g->n_nodes + 1,
                             sizeof *last_of_storage, error)
             : NULL;
  gboolean ok = last_of_storage != NULL;

  plan->n_forward_nodes = n_forward_nodes;
  for (size_t i = 0; ok && i < g->n_values; i++)
    if (plan->storage_of[i])
      last_of_storage[plan->storage_of[i] - 1] = last[i];
  for (uint32_t i = 0; ok && i < g->n_nodes; i++)
    {
      if (i == n_forward_nodes)
        plan->n_forward = plan->n_steps;
      if (plan->steps[i].kernel)
        {
          const uint32_t n = plan->steps[i].n_absorbed;
          ok               = add_step (plan, i, last, last_of_storage, error);
          i += n;
        }
    }
  if (n_forward_nodes >= g->n_nodes)
    plan->n_forward = plan->n_steps;
  _kette_free (last);
  _kette_free (last_of_storage);
  return ok;
}
