/* SPDX-License-Identifier: Apache-2.0
 * Runs with devices: steps are handed to streams, in the plan's order, and the host waits at the
 * end. What goes wrong on the way is told then: of several errors the one of the first step,
 * which is what running node by node would have met.
 */
#include "base/pool.h"
#include "exec/plan.h"
#include <string.h>

#define ALIGN(n) (((n) + 63) & ~(size_t) 63)

/* -- what a run has on devices --------------------------------------------------------------- */

static gboolean
check (KetteRun *run, const KetteUnit *unit, kt_status status, const KetteNode *node,
       GError **error)
{
  return G_LIKELY (status == KT_OK && run->call.failure.status == KT_OK)
         || _kette_call_check (&run->call, unit, status, node, error);
}

static gboolean
open_unit (KetteRun *run, uint32_t u, GError **error)
{
  const KettePlan *plan = run->plan;
  KetteUnitRun *own     = &run->units[u];
  KetteUnit *unit       = plan->places->units[u];
  const kt_device *d    = unit->device;
  kt_call *call         = &run->call.call;
  const size_t pieces   = d->execute ? (size_t) run->threads : 1;
  const size_t scratch  = ALIGN (plan->unit_workspace[u]) * (pieces + 1);

  own->unit = unit;
  g_mutex_init (&own->chain_failure.lock);
  if (plan->unit_arena[u]
      && !check (run, unit,
                 d->alloc (call, unit->handle, plan->unit_arena[u], &own->arena), NULL,
                 error))
    return FALSE;
  if (scratch
      && !check (run, unit, d->alloc (call, unit->handle, scratch, &own->workspace), NULL,
                 error))
    return FALSE;
  for (int i = 0; i < 2; i++)
    if (!check (run, unit, d->stream_new (call, unit->handle, &own->streams[i]), NULL,
                error))
      return FALSE;
  return TRUE;
}

static KetteUnitRun *
unit_of_lane (const KetteRun *run, uint32_t lane)
{
  return lane ? &run->units[(lane + 1) / 2] : NULL;
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
      const KetteUnitRun *own = unit_of_lane (run, plan->sync[i].lane);
      if (event && own
          && !check (run, own->unit,
                     own->unit->device->event_new (&run->call.call, own->unit->handle,
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
                                  * ((size_t) run->threads + 1),
                         .write = 1 };
  return n + (workspace ? 1 : 0);
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

  for (size_t i = 0; i < plan->n_steps; i += plan->steps[i].span)
    {
      plan->sync[i].first_range = (uint32_t) n;
      plan->sync[i].n_ranges
          = executes (run, &plan->steps[i]) ? (uint32_t) list_ranges (run, i, NULL) : 0;
      n += plan->sync[i].n_ranges;
    }
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
  r->workspace = scratch && step->per_worker
                     ? scratch + ALIGN (plan->unit_workspace[unit])
                     : scratch;
}

gboolean
_kette_launch_prepare (KetteRun *run, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  const KettePlan *plan = run->plan;

  g_mutex_init (&run->lock);
  _kette_call_init (&run->call);
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

  for (size_t i = 0; run->events && i < plan->n_steps; i += plan->steps[i].span)
    {
      const uint32_t event    = plan->sync[i].event;
      const KetteUnitRun *own = unit_of_lane (run, plan->sync[i].lane);
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

/* -- execution ------------------------------------------------------------------------------- */

static void
tell (KetteRun *run, size_t step, GError *error)
{
  g_mutex_lock (&run->lock);
  if (!run->told || step < run->told_step)
    {
      GError *before = run->told;
      run->told      = error;
      run->told_step = step;
      error          = before;
    }
  g_mutex_unlock (&run->lock);
  g_clear_error (&error);
}

/* On the stream's thread. */
static kt_status
run_task (void *arg)
{
  const KetteTask *task = arg;
  GError *error         = NULL;

  if (_kette_run_step (task->run, task->step, &error))
    return KT_OK;
  const kt_status status
      = error->code == KETTE_ERROR_CANCEL ? KT_E_CANCELLED : KT_E_VALUE;
  tell (task->run, task->step, error);
  return status;
}

static gboolean
wait_for (KetteRun *run, const KetteSync *sync, GError **error)
{
  const KettePlan *plan   = run->plan;
  const KetteUnitRun *own = unit_of_lane (run, sync->lane);
  gboolean ok             = TRUE;

  for (uint32_t w = 0; ok && w < sync->n_waits; w++)
    {
      const KetteSync *other    = &plan->sync[plan->waits[sync->first_wait + w]];
      const KetteUnitRun *maker = unit_of_lane (run, other->lane);
      const kt_device *d        = maker->unit->device;
      kt_event *event           = run->events[other->event - 1];
      if (own && own->unit->kind == maker->unit->kind)
        ok = check (run, own->unit,
                    d->wait (&run->call.call, own->streams[(sync->lane + 1) % 2], event),
                    NULL, error);
      else
        ok = check (run, maker->unit, d->wait_host (&run->call.call, event), NULL, error);
    }
  return ok;
}

static gboolean
copy (KetteRun *run, const KetteValue *from, const KetteValue *to, kt_stream *stream,
      const KetteUnit *unit, const KetteNode *node, GError **error)
{
  const KettePlan *plan = run->plan;
  const int direction   = from->unit == 0          ? KT_COPY_IN
                          : to->unit == 0          ? KT_COPY_OUT
                          : to->unit == from->unit ? KT_COPY_WITHIN
                                                   : KT_COPY_PEER;
  void *peer = direction == KT_COPY_PEER ? run->units[to->unit].unit->handle : NULL;

  return check (run, unit,
                unit->device->copy (
                    &run->call.call, stream, direction, _kette_run_data (run, to),
                    _kette_run_data (run, from), _kette_plan_storage (plan, to)->bytes,
                    peer, node ? node->name : to->name),
                node, error);
}

static const char *
label_of (const KetteNode *node)
{
  return *node->name ? node->name : node->op;
}

static gboolean
launch_step (KetteRun *run, size_t i, GError **error)
{
  const KettePlan *plan = run->plan;
  const KetteStep *step = &plan->steps[i];
  const KetteSync *sync = &plan->sync[i];
  KetteUnitRun *own     = unit_of_lane (run, sync->lane);

  if (sync->n_waits && !wait_for (run, sync, error))
    return FALSE;
  if (!own)
    return _kette_run_step (run, i, error);

  const KetteUnit *unit = own->unit;
  const kt_device *d    = unit->device;
  kt_stream *stream     = own->streams[(sync->lane + 1) % 2];
  gboolean ok;
  if (step->update)
    ok = copy (run, step->update->value, step->update->key, stream, unit, NULL, error);
  else if (_kette_is_copy (step->node))
    ok = copy (run, step->node->in[0], step->node->out[0], stream, unit, step->node,
               error);
  else if (d->execute)
    ok = check (run, unit,
                d->execute (&run->call.call, stream, run_task, &run->tasks[i],
                            run->ranges + sync->first_range, (int32_t) sync->n_ranges,
                            label_of (step->node)),
                step->node, error);
  else
    ok = _kette_run_step (run, i, error);
  return ok
         && (!sync->event
             || check (run, unit,
                       d->record (&run->call.call, stream, run->events[sync->event - 1]),
                       step->node, error));
}

/* Waits for all streams; what they tell is the first error, if there is none yet. */
static gboolean
finish (KetteRun *run, gboolean ok, GError **error)
{
  for (uint32_t u = 1; u <= run->plan->n_units; u++)
    for (int i = 0; i < 2; i++)
      {
        KetteUnitRun *own = &run->units[u];
        GError *here      = NULL;
        const gboolean all
            = check (run, own->unit,
                     own->unit->device->synchronize (&run->call.call, own->streams[i]),
                     NULL, &here);
        if (!all && ok)
          g_propagate_error (error, here);
        else
          g_clear_error (&here);
        ok = ok && all;
      }
  if (!run->told)
    return ok;
  if (!ok)
    g_clear_error (error);
  g_propagate_error (error, g_steal_pointer (&run->told));
  return FALSE;
}

gboolean
_kette_launch_update (const KetteRun *run, GError **error)
{
  const KettePlan *plan = run->plan;
  const gboolean stale  = g_atomic_int_get (&_kette_stale_tensors) > 0;
  gboolean ok           = TRUE;

  for (size_t i = 0; ok && i < plan->n_storages; i++)
    {
      const KetteStorage *s = &plan->storages[i];
      if (s->copy)
        ok = _kette_resident_update (s->copy, error);
      else if (stale && s->tensor && s->place == KETTE_AT_CONSTANT)
        ok = _kette_tensor_update (s->tensor, error);
    }
  return ok;
}

/* The updates are about to be made: what devices have is newer than what others have. */
static void
mark_written (const KetteRun *run)
{
  const KettePlan *plan = run->plan;

  for (size_t u = 0; u < plan->n_updates; u++)
    {
      const KetteStorage *s = _kette_plan_storage (plan, plan->updates[u].key);
      if (s && s->copy)
        _kette_resident_written (s->copy);
      else if (s && s->tensor)
        _kette_tensor_written (s->tensor);
    }
}

gboolean
_kette_launch (KetteRun *run, size_t begin, size_t end, GError **error)
{
  const KettePlan *plan     = run->plan;
  GCancellable *cancellable = run->shared.cancellable;
  gboolean ok               = TRUE;

  for (uint32_t u = 1; u <= plan->n_units; u++)
    {
      run->units[u].failure.status  = KT_OK;
      run->units[u].failure.text[0] = '\0';
    }
  if (end > plan->n_forward)
    mark_written (run);
  for (size_t i = begin; ok && i < end; i += plan->steps[i].span)
    ok = (!cancellable || !_kette_stopped (cancellable)
          || _kette_check_stop (cancellable, NULL, error))
         && launch_step (run, i, error);
  return finish (run, ok, error);
}
