/* SPDX-License-Identifier: Apache-2.0
 * Runs: the memory of a plan and its execution. Nothing here allocates, looks up or hashes
 * once a run exists.
 */
#include "base/guard-private.h"
#include "base/pool.h"
#include "exec/plan.h"
#include <string.h>

#define ALIGN(n) (((n) + 63) & ~(size_t) 63)

void *
_kette_storage_data (const KetteRun *run, const KetteStorage *s)
{
  switch (s ? s->place : KETTE_AT_NONE)
    {
    case KETTE_AT_ARENA:
      if (s->unit == 0)
        return run->arena + s->offset;
      return run->units[s->unit].values
                 ? run->units[s->unit].values[s - run->plan->storages]
                 : (uint8_t *) run->units[s->unit].arena + s->offset;
    case KETTE_AT_INPUT:
      return run->inputs[s->input];
    case KETTE_AT_CONSTANT:
      return s->resident;
    case KETTE_AT_NONE:
      break;
    }
  return NULL;
}

void *
_kette_run_data (const KetteRun *run, const KetteValue *value)
{
  return _kette_storage_data (run, _kette_plan_storage (run->plan, value));
}

void
_kette_run_view (const KetteRun *run, const KetteValue *value, kt_tensor *out)
{
  const KetteDtype *row = value ? _kette_dtype (value->type.dtype) : NULL;

  *out = (kt_tensor){ 0 };
  if (!row)
    return;
  const KetteUnit *unit
      = run->plan->n_units ? _kette_plan_unit (run->plan, value->unit) : NULL;

  out->data        = _kette_run_data (run, value);
  out->device_type = unit ? unit->device->dl_type : run->plan->device->dl_type;
  out->device_id   = unit ? unit->index : run->plan->device->dl_id;
  out->ndim        = value->type.ndim;
  out->code        = row->code;
  out->bits        = row->bits;
  out->lanes       = 1;
  out->shape       = value->type.dims;
}

KetteTensor *
_kette_run_fetch (const KetteRun *run, const KetteValue *value, GError **error)
{
  const KetteDevice *device = run->plan->device;
  KetteTensor *out;
  kt_tensor view;

  if (device->shares_host_memory)
    {
      _kette_run_view (run, value, &view);
      return _kette_tensor_from_view (&view, value->type.dtype, error);
    }
  out = _kette_tensor_new_raw (value->type.dtype, value->type.dims, value->type.ndim,
                               error);
  if (out)
    device->copy_out (out->data, _kette_run_data (run, value), out->bytes);
  return out;
}

static void
resolve (KetteRun *run)
{
  const KettePlan *plan = run->plan;
  uint8_t *piece        = run->workspace + ALIGN (plan->workspace_bytes);

  for (size_t i = 0; i < plan->n_steps; i++)
    {
      const KetteStep *step = &plan->steps[i];
      const KetteNode *node = step->node;
      KetteStepRun *r       = &run->steps[i];
      kt_tensor *operands   = run->tensors + step->first_tensor;

      if (!node)
        continue;
      for (uint32_t k = 0; k < step->n_in + step->n_out; k++)
        _kette_run_view (run, plan->operands[step->first_tensor + k], &operands[k]);
      r->context = (KetteContext){ step->node, &run->failure };
      r->head    = (kt_run){ &r->context, operands, operands + step->n_in,
                             (int32_t) step->n_in, (int32_t) step->n_out };
      if (step->span > 1 && step->kernel->kernel.flags & KT_K_EPILOGUE)
        {
          r->follow = _kette_run_follow;
          r->owner  = run;
        }
      r->shared          = &run->shared;
      r->workspace       = step->per_worker ? piece : run->workspace;
      r->workspace_bytes = step->workspace;
      r->per_worker      = step->per_worker;
    }
}

/* One shared piece, and behind it room for one piece per worker of the hungriest step. */
static size_t
workspace_bytes (const KettePlan *plan, int threads)
{
  size_t most = 0;

  for (size_t i = 0; i < plan->n_steps; i++)
    if (plan->steps[i].per_worker && !(plan->steps[i].node && plan->steps[i].node->unit))
      most = MAX (most, plan->steps[i].workspace);
  return ALIGN (plan->workspace_bytes) + most * (size_t) threads;
}

/* Inputs that the caller fills get memory of the run's own. */
static gboolean
allocate_inputs (KetteRun *run, GError **error)
{
  const KettePlan *plan = run->plan;
  const KetteGraph *g   = plan->graph;

  run->inputs = _kette_alloc (_kette_account_process (), 2 * g->n_inputs + 1,
                              sizeof *run->inputs, error);
  for (size_t i = 0; run->inputs && i < g->n_inputs; i++)
    {
      const KetteStorage *s = _kette_plan_storage (plan, g->inputs[i]);
      if (!s || s->place != KETTE_AT_INPUT)
        continue;
      void *own = plan->n_units ? _kette_launch_alloc (run, s->bytes, error)
                                : plan->device->alloc (s->bytes, error);
      if (!own)
        return FALSE;
      run->inputs[s->input]               = own;
      run->inputs[g->n_inputs + s->input] = own;
    }
  return run->inputs != NULL;
}

KetteRun *
_kette_run_new (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteRun *run         = _kette_alloc (account, 1, sizeof *run, error);

  if (!run)
    return NULL;
  g_mutex_init (&run->chain_failure.lock);
  run->plan    = plan;
  run->threads = _kette_pool_get_threads ();
  if (plan->n_units)
    {
      g_mutex_init (&run->lock);
      _kette_call_init (&run->call);
    }
  if (!(run->arena = plan->n_units ? _kette_launch_alloc (run, plan->arena_bytes, error)
                                   : plan->device->alloc (plan->arena_bytes, error))
      || !(run->workspace
           = plan->device->alloc (workspace_bytes (plan, run->threads), error))
      || !(run->steps
           = _kette_alloc (account, plan->n_steps + 1, sizeof *run->steps, error))
      || !(run->tensors
           = _kette_alloc (account, plan->n_tensors + 1, sizeof *run->tensors, error))
      || !allocate_inputs (run, error)
      || (plan->n_units && !_kette_launch_prepare (run, error)))
    {
      _kette_run_free (run);
      return NULL;
    }
  resolve (run);
  if (plan->n_units)
    _kette_launch_resolve (run);
  return run;
}

void
_kette_run_free (KetteRun *run)
{
  if (!run)
    return;
  const KetteDevice *device = run->plan->device;
  if (run->plan->n_units)
    _kette_launch_clear (run);
  for (size_t i = 0; run->inputs && i < run->plan->graph->n_inputs; i++)
    if (run->plan->n_units)
      _kette_launch_release (run, run->inputs[run->plan->graph->n_inputs + i]);
    else
      device->release (run->inputs[run->plan->graph->n_inputs + i]);
  _kette_free (run->inputs);
  if (run->plan->n_units)
    _kette_launch_release (run, run->arena);
  else
    device->release (run->arena);
  device->release (run->workspace);
  _kette_free (run->steps);
  _kette_free (run->tensors);
  g_mutex_clear (&run->chain_failure.lock);
  _kette_free (run);
}

void *
_kette_run_input (KetteRun *run, size_t i)
{
  const KetteGraph *g = run->plan->graph;
  const KetteStorage *s
      = i < g->n_inputs ? _kette_plan_storage (run->plan, g->inputs[i]) : NULL;

  if (!s || s->place != KETTE_AT_INPUT)
    return NULL;
  _kette_run_bind_input (run, i, NULL);
  return run->inputs[s->input];
}

void
_kette_run_bind_input (KetteRun *run, size_t i, void *data)
{
  const KettePlan *plan = run->plan;
  const KetteStorage *s = _kette_plan_storage (plan, plan->graph->inputs[i]);

  if (!s || s->place != KETTE_AT_INPUT)
    return;
  void **current = &run->inputs[s->input];
  void *wanted   = data ? data : run->inputs[plan->graph->n_inputs + s->input];
  if (*current == wanted)
    return;
  *current = wanted;
  /* Operands are found by storage, not by address: two inputs may be one tensor. */
  for (uint32_t o = s->operand; o; o = plan->next_operand[o - 1])
    run->tensors[o - 1].data = wanted;
}

void
_kette_run_feed (KetteRun *run, size_t i, const KetteTensor *tensor)
{
  const KetteDevice *device = run->plan->device;
  void *own;

  if (device->shares_host_memory && run->plan->n_units == 0
      && ((uintptr_t) tensor->data & 63) == 0)
    _kette_run_bind_input (run, i, tensor->data);
  else if ((own = _kette_run_input (run, i)))
    device->copy_in (own, tensor->data, tensor->bytes);
}

void
_kette_run_set_step (KetteRun *run, uint64_t step)
{
  run->shared.step = step;
}

gboolean
_kette_step_failed (const KetteRunShared *shared, const KetteFailure *failure,
                    kt_status status, const KetteNode *node, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  if ((status == KT_E_CANCELLED || failure->status == KT_E_CANCELLED)
      && !_kette_check_stop (shared->cancellable, _kette_node_where (node, where), error))
    return FALSE;
  return _kette_failure_to_error (failure, status, node, error);
}

static gboolean
run_step (KetteRun *run, const KetteStep *step, KetteStepRun *r, GError **error)
{
  kt_status status;

  if (step->update)
    {
      const KetteValue *key = step->update->key;
      const size_t bytes    = _kette_plan_storage (run->plan, key)->bytes;
      run->plan->device->copy (_kette_run_data (run, key),
                               _kette_run_data (run, step->update->value), bytes);
      return TRUE;
    }
  if (step->span > 1)
    return _kette_run_chain (run, (size_t) (step - run->plan->steps), error);
  _kette_running = &step->running;
  status         = step->kernel->kernel.run (_kette_host (), &r->head, step->state);
  if (G_LIKELY (status == KT_OK && run->failure.status == KT_OK))
    return TRUE;
  return _kette_step_failed (&run->shared, &run->failure, status, step->node, error);
}

/* It is time to stop, in front of STEP. */
static gboolean
stop_at (const KetteRun *run, const KetteStep *step, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  return _kette_check_stop (run->shared.cancellable,
                            step->node ? _kette_node_where (step->node, where) : NULL,
                            error);
}

gboolean
_kette_run_step (KetteRun *run, size_t i, GError **error)
{
  const KetteStep *step       = &run->plan->steps[i];
  const KetteFailure *failure = run->steps[i].context.failure;
  kt_status status;

  if (!step->node || step->span > 1)
    return run_step (run, step, &run->steps[i], error);
  _kette_running = &step->running;
  status = step->kernel->kernel.run (_kette_host (), &run->steps[i].head, step->state);
  if (G_LIKELY (status == KT_OK && failure->status == KT_OK))
    return TRUE;
  return _kette_step_failed (&run->shared, failure, status, step->node, error);
}

/* Some parameters have copies on devices: those that this plan reads must be here, those that
 * it rewrites are older there. */
static gboolean
hand_over (const KetteRun *run, size_t end, GError **error)
{
  const KettePlan *plan = run->plan;

  if (!_kette_launch_update (run, error))
    return FALSE;
  for (size_t u = 0; end > plan->n_forward && u < plan->n_updates; u++)
    if (plan->updates[u].key->data)
      _kette_tensor_written (plan->updates[u].key->data);
  return TRUE;
}

static gboolean
run_phases (KetteRun *run, unsigned phases, GCancellable *cancellable, GError **error)
{
  const KettePlan *plan = run->plan;
  const size_t begin    = phases & KETTE_PHASE_FORWARD ? 0 : plan->n_forward;
  const size_t end      = phases & KETTE_PHASE_UPDATE ? plan->n_steps : plan->n_forward;
  const KetteRunning *outer = _kette_running;
  gboolean ok               = TRUE;

  run->shared.cancellable = cancellable;
  run->failure.status     = KT_OK;
  run->failure.text[0]    = '\0';
  if (plan->n_units)
    {
      ok = _kette_launch_update (run, error) && _kette_launch (run, begin, end, error);
      _kette_running = outer;
      return ok;
    }
  if (G_UNLIKELY (_kette_resident_tensors) && !hand_over (run, end, error))
    return FALSE;
  for (size_t i = begin; ok && i < end; i += plan->steps[i].span)
    ok = (!cancellable || !_kette_stopped (cancellable)
          || stop_at (run, &plan->steps[i], error))
         && run_step (run, &plan->steps[i], &run->steps[i], error);
  _kette_running = outer;
  return ok;
}

gboolean
_kette_run_execute (KetteRun *run, unsigned phases, GCancellable *cancellable,
                    GError **error)
{
  const gboolean ok = run_phases (run, phases, cancellable, error);

  /* Constants may lie in mapped files. */
  return _kette_guard_outcome (run->plan->graph->model->maps, ok, error);
}

gboolean
_kette_run_output (KetteRun *run, size_t i, kt_tensor *out, int *dtype)
{
  const KetteGraph *g = run->plan->graph;

  if (i >= g->n_outputs || !run->plan->storage_of[g->outputs[i]->index]
      || g->outputs[i]->unit)
    return FALSE; /* not computed, or on a device because nobody wants it */
  _kette_run_view (run, g->outputs[i], out);
  if (dtype)
    *dtype = g->outputs[i]->type.dtype;
  return TRUE;
}
