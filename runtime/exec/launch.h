/* SPDX-License-Identifier: Apache-2.0
 * Runs with devices, for units.c, launch.c and record.c.
 */
#pragma once
#include "exec/plan.h"

/* The part of the run that LANE belongs to; NULL: the host. */
static inline KetteUnitRun *
_kette_unit_of_lane (const KetteRun *run, uint32_t lane)
{
  return lane ? &run->units[(lane + 1) / 2] : NULL;
}

static inline kt_stream *
_kette_stream_of_lane (const KetteRun *run, uint32_t lane)
{
  return run->units[(lane + 1) / 2].streams[(lane + 1) % 2];
}

/* What became of a call with &run->call; NODE may be NULL. */
static inline gboolean
_kette_unit_check (KetteRun *run, const KetteUnit *unit, kt_status status,
                   const KetteNode *node, GError **error)
{
  return G_LIKELY (status == KT_OK && run->call.failure.status == KT_OK)
         || _kette_call_check (&run->call, unit, status, node, error);
}

/* Nothing has failed so far. */
static inline void
_kette_launch_forgive (KetteRun *run)
{
  for (uint32_t u = 1; u <= run->plan->n_units; u++)
    {
      run->units[u].failure.status  = KT_OK;
      run->units[u].failure.text[0] = '\0';
    }
}

/* launch.c: enqueues a copy. */
gboolean _kette_launch_copy (KetteRun *run, const KetteValue *from, const KetteValue *to,
                             kt_stream *stream, const KetteUnit *unit,
                             const KetteNode *node, GError **error);
/* Waits for all streams; *fault: what went wrong, also before; FALSE if anything did. */
gboolean _kette_launch_finish (KetteRun *run, GError **fault);
/* launch.c: hands the steps BEGIN .. END - 1 to their streams. */
gboolean _kette_launch_steps (KetteRun *run, size_t begin, size_t end, GError **error);
/* record.c: the same by one call, if these steps could be recorded; FALSE: do it the usual
 * way, or *error is set. */
gboolean _kette_launch_replay (KetteRun *run, size_t begin, size_t end, GError **error);
void _kette_launch_forget (KetteRun *run);
