/* SPDX-License-Identifier: Apache-2.0
 * What a run has on devices: memory, streams, events, and what kernels see of them.
 */
#include "base/pool.h"
#include "exec/launch.h"
#include <string.h>

#define ALIGN(n) (((n) + 63) & ~(size_t) 63)

/* Memory for each value of unit U on its own. */
static gboolean
open_values (KetteRun *run, uint32_t u, GError **error)
{
  const KettePlan *plan = run->plan;
  KetteUnitRun *own     = &run->units[u];
  const KetteUnit *unit = own->unit;

  own->values = _kette_alloc (_kette_account_process (), plan->n_storages + 1,
                              sizeof *own->values, error);
  for (size_t i = 0; own->values && i < plan->n_storages; i++)
    {
      const KetteStorage *s = &plan->storages[i];
      if (s->place == KETTE_AT_ARENA && s->unit == u && s->bytes
          && !_kette_unit_check (run, unit,
                                 unit->device->alloc (&run->call.call, unit->handle,
                                                      s->bytes, &own->values[i]),
                                 NULL, error))
        return FALSE;
    }
  return own->values != NULL;
}

/* Pieces of scratch memory for workers on UNIT, behind the shared one. */
static size_t
pieces_on (const KetteRun *run, uint32_t unit)
{
  return run->plan->places->units[unit]->device->execute ? (size_t) run->threads : 1;
}

static gboolean
open_unit (KetteRun *run, uint32_t u, GError **error)
{
  const KettePlan *plan = run->plan;
  KetteUnitRun *own     = &run->units[u];
  KetteUnit *unit       = plan->places->units[u];
  const kt_device *d    = unit->device;
  kt_call *call         = &run->call.call;
  const size_t scratch  = ALIGN (plan->unit_workspace[u]) * (pieces_on (run, u) + 1);

  own->unit = unit;
  g_mutex_init (&own->chain_failure.lock);
  if (plan->separate >> u & 1)
    {
      if (!open_values (run, u, error))
        return FALSE;
    }
  else if (plan->unit_arena[u]
           && !_kette_unit_check (
               run, unit,
               d->alloc (call, unit->handle, ALIGN (plan->unit_arena[u]), &own->arena),
               NULL, error))
    return FALSE;
  if (scratch
      && !_kette_unit_check (run, unit,
                             d->alloc (call, unit->handle, scratch, &own->workspace),
                             NULL, error))
    return FALSE;
  for (int i = 0; i < 2; i++)
    if (!_kette_unit_check (
            run, unit, d->stream_new (call, unit->handle, &own->streams[i]), NULL, error))
      return FALSE;
  return TRUE;
}

static gboolean
make_events (KetteRun *run, GError **error)
{
  const KettePlan *plan = run->plan;

  run->events = _kette_alloc (_kette_account_process (), plan->n_events + 1,
                              sizeof *run->events, error);
  for (size_t i = 0; run->events && i < plan->n_steps; i += plan->steps[i].span)
    {
      const uint32_t event    = plan->sync[i].event;
      const KetteUnitRun *own = _kette_unit_of_lane (run, plan->sync[i].lane);
      if (event && own
          && !_kette_unit_check (run, own->unit,
                                 own->unit->device->event_new (&run->call.call,
                                                               own->unit->handle,
                                                               &run->events[event - 1]),
                                 NULL, error))
        return FALSE;
    }
  return run->events != NULL;
}

/* Is V made by the steps at I themselves? */
static gboolean
is_inner (const KettePlan *plan, size_t i, const KetteValue *v)
{
  const KetteStep *last = &plan->steps[i + plan->steps[i].span - 1];

  return v->producer && v->producer->index >= plan->steps[i].node->index
         && v->producer->index <= last->node->index + last->n_absorbed;
}

/* Whatever the steps at I touch on their own device; OUT NULL: counted only. */
static size_t
list_ranges (const KetteRun *run, size_t i, kt_range *out)
{
  const KettePlan *plan = run->plan;
  const uint32_t unit   = plan->steps[i].node ? plan->steps[i].node->unit : 0;
  size_t n = 0, workspace = 0;

  for (uint32_t k = 0; k < plan->steps[i].span; k++)
    {
      const KetteStep *s = &plan->steps[i + k];
      workspace          = MAX (workspace, s->workspace);
      for (uint32_t o = 0; o < s->n_in + s->n_out; o++)
        {
          const KetteValue *v    = plan->operands[s->first_tensor + o];
          const KetteStorage *st = _kette_plan_storage (plan, v);
          if (!st || st->unit != unit || (o < s->n_in && is_inner (plan, i, v)))
            continue;
          if (out)
            out[n] = (kt_range){ .memory = _kette_run_data (run, v),
                                 .bytes  = st->bytes,
                                 .write  = o >= s->n_in };
          n++;
        }
    }
  if (workspace && out)
    out[n] = (kt_range){ .memory = run->units[unit].workspace,
                         .bytes  = ALIGN (plan->unit_workspace[unit])
                                  * (pieces_on (run, unit) + 1),
                         .write = 1 };
  n += workspace ? 1 : 0;
  for (uint32_t k = 0; k < plan->sync[i].n_deaths; k++, n++)
    if (out)
      {
        const KetteStorage *s
            = &plan->storages[plan->deaths[plan->sync[i].first_death + k]];
        out[n] = (kt_range){ .memory = _kette_storage_data (run, s),
                             .bytes  = s->bytes,
                             .dead   = 1 };
      }
  return n;
}

static gboolean
executes (const KetteRun *run, const KetteStep *step)
{
  return step->node && step->node->unit && !_kette_is_copy (step->node)
         && run->units[step->node->unit].unit->device->execute;
}

static gboolean
set_ranges (KetteRun *run, GError **error)
{
  KettePlan *plan = run->plan;
  size_t n        = 0;

  /* The same for all runs of the plan: the first one, which nobody else knows yet, notes it. */
  for (size_t i = 0; i < plan->n_steps; i += plan->steps[i].span)
    {
      if (plan->has_ranges)
        {
          n += plan->sync[i].n_ranges;
          continue;
        }
      plan->sync[i].first_range = (uint32_t) n;
      plan->sync[i].n_ranges
          = executes (run, &plan->steps[i]) ? (uint32_t) list_ranges (run, i, NULL) : 0;
      n += plan->sync[i].n_ranges;
    }
  plan->has_ranges = TRUE;
  run->ranges
      = _kette_alloc (_kette_account_process (), n + 1, sizeof *run->ranges, error);
  for (size_t i = 0; run->ranges && i < plan->n_steps; i += plan->steps[i].span)
    if (executes (run, &plan->steps[i]))
      list_ranges (run, i, run->ranges + plan->sync[i].first_range);
  return run->ranges != NULL;
}

static void *
alias_of (const KetteUnit *unit, void *memory)
{
  return memory ? unit->device->alias (unit->handle, memory) : NULL;
}

/* Where the pieces of STEP lie in its device's scratch memory: the shared one in front, those of
 * workers behind it; of a step on its own, where values are separate, they all end where the
 * memory does. */
static size_t
scratch_offset (const KetteRun *run, const KetteStep *step)
{
  const KettePlan *plan   = run->plan;
  const KetteChain *chain = &plan->chains[step->node->index];
  const uint32_t unit     = step->node->unit;
  const size_t one = ALIGN (plan->unit_workspace[unit]), pieces = pieces_on (run, unit);

  if (plan->separate >> unit & 1 && chain->first == chain->last)
    return one * (pieces + 1) - step->workspace * (step->per_worker ? pieces : 1);
  return step->per_worker ? one : 0;
}

/* What the kernels of a device see: its addresses, its scratch memory, its stream. */
static void
resolve_step (KetteRun *run, size_t i)
{
  const KettePlan *plan = run->plan;
  const KetteStep *step = &plan->steps[i];
  const uint32_t unit   = step->node->unit;
  KetteStepRun *r       = &run->steps[i];
  KetteUnitRun *own     = &run->units[unit];
  uint8_t *scratch      = own->workspace;

  r->context.failure = &own->failure;
  r->context.device  = own->unit->handle;
  r->stream          = own->streams[0];
  if (own->unit->device->execute)
    {
      scratch = alias_of (own->unit, own->workspace);
      for (uint32_t k = 0; k < step->n_in + step->n_out; k++)
        {
          const KetteStorage *s
              = _kette_plan_storage (plan, plan->operands[step->first_tensor + k]);
          kt_tensor *t = &run->tensors[step->first_tensor + k];
          if (s && s->unit == unit)
            t->data = alias_of (own->unit, t->data);
        }
    }
  r->workspace = scratch ? scratch + scratch_offset (run, step) : NULL;
}

gboolean
_kette_launch_prepare (KetteRun *run, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const KettePlan *plan = run->plan;

  if (!(run->units = _kette_alloc (account, plan->n_units + 1, sizeof *run->units, error))
      || !(run->tasks
           = _kette_alloc (account, plan->n_steps + 1, sizeof *run->tasks, error)))
    return FALSE;
  for (uint32_t u = 1; u <= plan->n_units; u++)
    if (!open_unit (run, u, error))
      return FALSE;
  for (size_t i = 0; i < plan->n_steps; i++)
    run->tasks[i] = (KetteTask){ run, i };
  return make_events (run, error) && set_ranges (run, error);
}

void
_kette_launch_resolve (KetteRun *run)
{
  for (size_t i = 0; i < run->plan->n_steps; i++)
    {
      const KetteNode *node = run->plan->steps[i].node;
      if (node && node->unit && !_kette_is_copy (node))
        resolve_step (run, i);
    }
}

void
_kette_launch_clear (KetteRun *run)
{
  const KettePlan *plan = run->plan;

  _kette_launch_forget (run);
  for (size_t i = 0; run->events && i < plan->n_steps; i += plan->steps[i].span)
    {
      const uint32_t event    = plan->sync[i].event;
      const KetteUnitRun *own = _kette_unit_of_lane (run, plan->sync[i].lane);
      if (event && own && run->events[event - 1])
        own->unit->device->event_free (run->events[event - 1]);
    }
  for (uint32_t u = 1; run->units && u <= plan->n_units; u++)
    {
      KetteUnitRun *own = &run->units[u];
      if (!own->unit)
        continue;
      const kt_device *d = own->unit->device;
      for (int i = 0; i < 2; i++)
        if (own->streams[i])
          d->stream_free (own->streams[i]);
      if (own->arena)
        d->release (own->unit->handle, own->arena);
      for (size_t k = 0; own->values && k < plan->n_storages; k++)
        if (own->values[k])
          d->release (own->unit->handle, own->values[k]);
      _kette_free (own->values);
      if (own->workspace)
        d->release (own->unit->handle, own->workspace);
      g_mutex_clear (&own->chain_failure.lock);
    }
  g_clear_error (&run->told);
  g_mutex_clear (&run->lock);
  _kette_free (run->units);
  _kette_free (run->events);
  _kette_free (run->tasks);
  _kette_free (run->ranges);
}

/* Memory of the host that devices copy from and to: pinned where there is such a thing. */
void *
_kette_launch_alloc (KetteRun *run, size_t bytes, GError **error)
{
  const KetteUnit *unit = run->plan->places->units[1];
  void *memory          = NULL;

  if (!unit->device->alloc_pinned)
    return run->plan->device->alloc (bytes, error);
  return _kette_unit_check (run, unit,
                            unit->device->alloc_pinned (&run->call.call, unit->handle,
                                                        MAX (bytes, 1), &memory),
                            NULL, error)
             ? memory
             : NULL;
}

void
_kette_launch_release (const KetteRun *run, void *memory)
{
  const KetteUnit *unit = run->plan->places->units[1];

  if (!unit->device->alloc_pinned)
    run->plan->device->release (memory);
  else if (memory)
    unit->device->release_pinned (unit->handle, memory);
}
