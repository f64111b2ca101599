/* SPDX-License-Identifier: Apache-2.0
 * Steps that are recorded: a phase of a run whose steps are all on devices of one kind is given
 * to its streams twice as usual; the third time what they are given is recorded, and replayed
 * with one call from then on. A device that cannot, or a kernel that must not, keeps to the usual
 * way.
 */
#include "exec/launch.h"

enum
{
  WARM = 2 /* runs before */
};

/* Could the steps be recorded at all? Asked once per phase. */
static gboolean
is_recordable (const KetteRun *run, size_t begin, size_t end)
{
  const KettePlan *plan  = run->plan;
  const KetteUnit *first = begin < end && plan->sync[begin].lane
                               ? _kette_unit_of_lane (run, plan->sync[begin].lane)->unit
                               : NULL;

  if (!first || !first->device->capture_begin || !first->device->alloc_pinned)
    return FALSE;
  for (size_t i = begin; i < end; i += plan->steps[i].span)
    {
      const KetteStep *step   = &plan->steps[i];
      const KetteUnitRun *own = _kette_unit_of_lane (run, plan->sync[i].lane);
      if (!own || own->unit->kind != first->kind)
        return FALSE;
      if (step->node && !_kette_is_copy (step->node) && !own->unit->device->execute
          && !(step->kernel->kernel.flags & KT_K_CAPTURABLE))
        return FALSE;
    }
  /* What the host copies from and to must be the first kind's pinned memory. */
  return first->kind == plan->places->units[1]->kind;
}

/* Lets all streams take part that the steps use (JOIN 0), or the first one wait for them. */
static gboolean
meet (KetteRun *run, const KetteUnitRun *origin, gboolean join, GError **error)
{
  const kt_device *d = origin->unit->device;
  kt_call *call      = &run->call.call;
  gboolean ok        = TRUE;

  if (!join)
    ok = _kette_unit_check (run, origin->unit,
                            d->record (call, origin->streams[0], run->meeting), NULL,
                            error);
  for (uint32_t lane = 1; ok && lane <= 2 * run->plan->n_units; lane++)
    {
      const KetteUnitRun *own = _kette_unit_of_lane (run, lane);
      kt_stream *stream       = _kette_stream_of_lane (run, lane);
      if (own->unit->kind != origin->unit->kind || stream == origin->streams[0])
        continue;
      if (!join)
        ok = _kette_unit_check (run, own->unit, d->wait (call, stream, run->meeting),
                                NULL, error);
      else
        ok = _kette_unit_check (run, own->unit, d->record (call, stream, run->meeting),
                                NULL, error)
             && _kette_unit_check (run, origin->unit,
                                   d->wait (call, origin->streams[0], run->meeting), NULL,
                                   error);
    }
  return ok;
}

static gboolean
record (KetteRun *run, const KetteUnitRun *origin, size_t begin, size_t end,
        kt_recording **out, GError **error)
{
  const KetteUnit *unit = origin->unit;
  const kt_device *d    = unit->device;
  kt_call *call         = &run->call.call;
  gboolean ok;

  if (!run->meeting
      && !_kette_unit_check (run, unit, d->event_new (call, unit->handle, &run->meeting),
                             NULL, error))
    return FALSE;
  if (!_kette_unit_check (run, unit, d->capture_begin (call, origin->streams[0]), NULL,
                          error))
    return FALSE;
  ok = meet (run, origin, FALSE, error) && _kette_launch_steps (run, begin, end, error)
       && meet (run, origin, TRUE, error);
  /* Also behind a fault, to end it. */
  ok = _kette_unit_check (run, unit, d->capture_end (call, origin->streams[0], out), NULL,
                          ok ? error : NULL)
       && ok;
  if (!ok && *out)
    {
      d->recording_free (*out);
      *out = NULL;
    }
  return ok;
}

gboolean
_kette_launch_replay (KetteRun *run, size_t begin, size_t end, GError **error)
{
  const size_t n_forward   = run->plan->n_forward;
  KetteRecorded *r         = &run->recorded[begin > 0 || n_forward == 0 ? 1
                                            : end > n_forward           ? 2
                                                                        : 0];
  g_autoptr (GError) fault = NULL;

  if (r->never || begin == end)
    return FALSE;
  if (r->n_runs++ == 0)
    r->never = !is_recordable (run, begin, end);
  if (r->never || r->n_runs <= WARM)
    return FALSE;

  const KetteUnitRun *origin = _kette_unit_of_lane (run, run->plan->sync[begin].lane);
  const kt_device *d         = origin->unit->device;
  if (!r->recording && !record (run, origin, begin, end, &r->recording, &fault))
    {
      r->never = !g_error_matches (fault, KETTE_ERROR, KETTE_ERROR_CANCEL);
      g_debug ("steps %zu to %zu are not recorded: %s", begin, end,
               fault ? fault->message : "?");
      /* What a kernel said about that is no fault of the steps. */
      _kette_launch_forgive (run);
      return FALSE;
    }
  r->device = d;
  return _kette_unit_check (run, origin->unit,
                            d->replay (&run->call.call, origin->streams[0], r->recording),
                            NULL, error);
}

void
_kette_launch_forget (KetteRun *run)
{
  for (size_t i = 0; i < G_N_ELEMENTS (run->recorded); i++)
    if (run->recorded[i].recording)
      {
        run->recorded[i].device->recording_free (run->recorded[i].recording);
        run->recorded[i].recording = NULL;
      }
  if (run->meeting)
    run->plan->places->units[1]->device->event_free (run->meeting);
  run->meeting = NULL;
}
