/* SPDX-License-Identifier: Apache-2.0
 * Executing chains: tile by tile, all steps of the chain on each. Tiles and pieces depend on
 * shapes alone.
 */
#include "base/pool.h"
#include "exec/plan.h"

/* Chains of several devices run at the same time. */
static KetteChainFailure *
failure_of (KetteRun *run, size_t chain)
{
  const uint32_t unit = run->plan->steps[chain].node->unit;

  return unit ? &run->units[unit].chain_failure : &run->chain_failure;
}

/* Keeps what running node by node would have reported first. */
static void
note (KetteRun *run, size_t chain, uint32_t step, int64_t begin, kt_status status,
      const KetteFailure *failure)
{
  KetteChainFailure *first = failure_of (run, chain);

  g_mutex_lock (&first->lock);
  if (first->status == KT_OK || step < first->step
      || (step == first->step && begin < first->begin))
    {
      first->step    = step;
      first->begin   = begin;
      first->status  = status != KT_OK ? status : failure->status;
      first->failure = *failure;
    }
  g_mutex_unlock (&first->lock);
}

/* Steps FROM .. span - 1 of the chain at STEP, for elements BEGIN .. END - 1. */
static kt_status
run_tiles (KetteRun *run, size_t step, uint32_t from, int64_t begin, int64_t end,
           int32_t worker)
{
  const KetteStep *steps    = &run->plan->steps[step];
  KetteStepRun *runs        = &run->steps[step];
  const uint32_t n          = steps->span;
  const int64_t tile        = steps->tile;
  const kt_host *host       = _kette_host ();
  KetteFailure *outer       = _kette_failure_here;
  const KetteRunning *above = _kette_running;
  kt_status result          = KT_OK;
  KetteFailure failure;

  failure.status      = KT_OK;
  failure.text[0]     = '\0';
  _kette_failure_here = &failure;
  for (int64_t at = begin; at < end; at += tile)
    for (uint32_t k = from; k < n; k++)
      {
        kt_status status;

        _kette_running = &steps[k].running;
        status = steps[k].kernel->kernel.tile (host, &runs[k].head, steps[k].state, at,
                                               MIN (at + tile, end), worker);
        if (G_LIKELY (status == KT_OK && failure.status == KT_OK))
          continue;
        note (run, step, k, at, status, &failure);
        result          = status != KT_OK ? status : failure.status;
        failure.status  = KT_OK;
        failure.text[0] = '\0';
        break;
      }
  _kette_failure_here = outer;
  _kette_running      = above;
  return result;
}

kt_status
_kette_run_follow (KetteStepRun *self, int64_t begin, int64_t end, int32_t worker)
{
  KetteRun *run = self->owner;

  return run_tiles (run, (size_t) (self - run->steps), 1, begin, end, worker);
}

typedef struct
{
  KetteRun *run;
  size_t step;
} Work;

static void
run_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  const Work *work = arg;

  run_tiles (work->run, work->step, 0, begin, end, worker);
}

/* What went wrong in a chain whose first kernel returned STATUS; returns FALSE. */
static gboolean
fail (KetteRun *run, size_t step, kt_status status, GError **error)
{
  const KetteStep *steps         = &run->plan->steps[step];
  const KetteChainFailure *first = failure_of (run, step);
  const KetteFailure *failure    = run->steps[step].context.failure;

  if (failure->status == KT_OK && first->status != KT_OK)
    return _kette_step_failed (&run->shared, &first->failure, first->status,
                               steps[first->step].node, error);
  return _kette_step_failed (&run->shared, failure, status, steps[0].node, error);
}

gboolean
_kette_run_chain (KetteRun *run, size_t step, GError **error)
{
  const KetteStep *steps   = &run->plan->steps[step];
  Work work                = { run, step };
  KetteChainFailure *first = failure_of (run, step);
  kt_status status         = KT_OK;

  first->status = KT_OK;
  if (steps->kernel->kernel.flags & KT_K_EPILOGUE)
    {
      _kette_running = &steps->running;
      status         = steps->kernel->kernel.run (_kette_host (), &run->steps[step].head,
                                                  steps->state);
    }
  else if (steps->count <= steps->grain)
    run_tiles (run, step, 0, 0, steps->count, 0);
  else if (!_kette_pool_for_until (steps->count, steps->grain, run_piece, &work,
                                   run->shared.cancellable))
    status = KT_E_CANCELLED;
  if (G_LIKELY (status == KT_OK && run->steps[step].context.failure->status == KT_OK
                && first->status == KT_OK))
    return TRUE;
  return fail (run, step, status, error);
}
