/* SPDX-License-Identifier: Apache-2.0
 * Runs with devices: steps are handed to streams, in the plan's order, and the host waits at the
 * end. What goes wrong on the way is told then: of several errors the one of the first step,
 * which is what running node by node would have met.
 */
#include "exec/launch.h"
#include <string.h>

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
  const KetteUnitRun *own = _kette_unit_of_lane (run, sync->lane);
  gboolean ok             = TRUE;

  for (uint32_t w = 0; ok && w < sync->n_waits; w++)
    {
      const uint32_t step = plan->waits[sync->first_wait + w];
      if (step < run->begin)
        continue; /* of the phase before: the host has waited for that */
      const KetteSync *other    = &plan->sync[step];
      const KetteUnitRun *maker = _kette_unit_of_lane (run, other->lane);
      const kt_device *d        = maker->unit->device;
      kt_event *event           = run->events[other->event - 1];
      if (own && own->unit->kind == maker->unit->kind)
        ok = _kette_unit_check (
            run, own->unit,
            d->wait (&run->call.call, own->streams[(sync->lane + 1) % 2], event), NULL,
            error);
      else
        ok = _kette_unit_check (run, maker->unit, d->wait_host (&run->call.call, event),
                                NULL, error);
    }
  return ok;
}

gboolean
_kette_launch_copy (KetteRun *run, const KetteValue *from, const KetteValue *to,
                    kt_stream *stream, const KetteUnit *unit, const KetteNode *node,
                    GError **error)
{
  const KettePlan *plan = run->plan;
  const int direction   = from->unit == 0          ? KT_COPY_IN
                          : to->unit == 0          ? KT_COPY_OUT
                          : to->unit == from->unit ? KT_COPY_WITHIN
                                                   : KT_COPY_PEER;
  void *peer = direction == KT_COPY_PEER ? run->units[to->unit].unit->handle : NULL;

  return _kette_unit_check (run, unit,
                            unit->device->copy (&run->call.call, stream, direction,
                                                _kette_run_data (run, to),
                                                _kette_run_data (run, from),
                                                _kette_plan_storage (plan, to)->bytes,
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
  KetteUnitRun *own     = _kette_unit_of_lane (run, sync->lane);

  if (sync->n_waits && !wait_for (run, sync, error))
    return FALSE;
  if (!own)
    return _kette_run_step (run, i, error);

  const KetteUnit *unit = own->unit;
  const kt_device *d    = unit->device;
  kt_stream *stream     = own->streams[(sync->lane + 1) % 2];
  gboolean ok;
  if (step->update)
    ok = _kette_launch_copy (run, step->update->value, step->update->key, stream, unit,
                             NULL, error);
  else if (_kette_is_copy (step->node))
    ok = _kette_launch_copy (run, step->node->in[0], step->node->out[0], stream, unit,
                             step->node, error);
  else if (d->execute)
    ok = _kette_unit_check (run, unit,
                            d->execute (&run->call.call, stream, run_task, &run->tasks[i],
                                        run->ranges + sync->first_range,
                                        (int32_t) sync->n_ranges, label_of (step->node)),
                            step->node, error);
  else
    ok = _kette_run_step (run, i, error);
  return ok
         && (!sync->event
             || _kette_unit_check (
                 run, unit,
                 d->record (&run->call.call, stream, run->events[sync->event - 1]),
                 step->node, error));
}

/* Was it what the run was fed, and all that was launched before is done? */
static gboolean
is_of_content (const GError *error)
{
  return error->code == KETTE_ERROR_VALUE || error->code == KETTE_ERROR_CANCEL;
}

gboolean
_kette_launch_finish (KetteRun *run, GError **fault)
{
  run->sound = !*fault || is_of_content (*fault);
  for (uint32_t u = 1; u <= run->plan->n_units; u++)
    for (int i = 0; i < 2; i++)
      {
        KetteUnitRun *own = &run->units[u];
        GError *here      = NULL;
        if (_kette_unit_check (
                run, own->unit,
                own->unit->device->synchronize (&run->call.call, own->streams[i]), NULL,
                &here))
          continue;
        run->sound = run->sound && is_of_content (here);
        if (!*fault)
          *fault = here;
        else
          g_clear_error (&here);
      }
  if (run->told)
    {
      g_clear_error (fault);
      *fault = g_steal_pointer (&run->told);
    }
  return !*fault;
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
_kette_launch_steps (KetteRun *run, size_t begin, size_t end, GError **error)
{
  const KettePlan *plan     = run->plan;
  GCancellable *cancellable = run->shared.cancellable;
  gboolean ok               = TRUE;

  run->begin = begin;
  for (size_t i = begin; ok && i < end; i += plan->steps[i].span)
    ok = (!cancellable || !_kette_stopped (cancellable)
          || _kette_check_stop (cancellable, NULL, error))
         && launch_step (run, i, error);
  return ok;
}

gboolean
_kette_launch (KetteRun *run, size_t begin, size_t end, GError **error)
{
  const KettePlan *plan = run->plan;
  GError *fault         = NULL;

  _kette_launch_forgive (run);
  if (end > plan->n_forward)
    mark_written (run);
  if (!_kette_launch_replay (run, begin, end, &fault) && !fault)
    (void) _kette_launch_steps (run, begin, end, &fault);
  if (_kette_launch_finish (run, &fault))
    return TRUE;
  GError *worse = NULL; /* states that are neither those before nor those behind */
  if (plan->kept_states && begin == 0 && end == plan->n_steps && run->sound
      && !_kette_run_undo (run, &worse))
    {
      g_clear_error (&fault);
      fault = worse;
    }
  g_propagate_error (error, fault);
  return FALSE;
}
