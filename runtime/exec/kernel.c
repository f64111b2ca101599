/* SPDX-License-Identifier: Apache-2.0
 * Choosing a node's kernel: by priority, the first whose types fit and whose prepare agrees.
 */
#include "exec/plan.h"

gboolean
_kette_type_is_concrete (const kt_type *type)
{
  if (type->kind != KT_TENSOR || type->ndim < 0 || !_kette_dtype (type->dtype))
    return FALSE;
  for (int32_t d = 0; d < type->ndim; d++)
    if (KT_IS_DIM (type->dims[d]))
      return FALSE;
  return TRUE;
}

/* Takes over what a kernel kept; on failure it is freed with prep. */
static gboolean
adopt (KettePlan *plan, kt_prep *prep, GError **error)
{
  if (!_kette_grow (&plan->kept, &plan->kept_capacity, plan->n_kept + prep->n_kept,
                    sizeof *plan->kept, error))
    return FALSE;
  for (size_t i = 0; i < prep->n_kept; i++)
    plan->kept[plan->n_kept++] = prep->kept[i];
  prep->n_kept = 0;
  return TRUE;
}

static void
drop (kt_prep *prep)
{
  for (size_t i = 0; i < prep->n_kept; i++)
    _kette_free (prep->kept[i]);
  _kette_free (prep->kept);
}

/* KERNEL does not become STEP's, but PREPARED it: it frees what it holds, while there still is
 * what the host keeps for it. */
static void
give_up (const kt_kernel *kernel, kt_status prepared, const KetteStep *step,
         kt_prep *prep)
{
  if (prepared == KT_OK && kernel->destroy)
    kernel->destroy (step->state);
  drop (prep);
}

static gboolean
no_kernel (const KetteNode *node, const char *device, const KetteFailure *last,
           GError **error)
{
  char where[KETTE_WHERE_SIZE];
  const KetteDtype *row = NULL;

  _kette_node_where (node, where);
  if (last->status != KT_OK)
    return _kette_failure_to_error (last, last->status, node, error);
  for (int32_t i = 0; i < node->n_in && !row; i++)
    row = node->in[i] ? _kette_dtype (node->in[i]->type.dtype) : NULL;
  return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                      "no plugin has a kernel for %s on %s",
                      row ? row->name : "these types", device);
}

/* None of the device's kernels serves NODE after all: it is the host's, which is to be noted. */
static gboolean
refuse (KettePlan *plan, KetteNode *node, const KetteUnit *unit, const KetteFailure *last,
        GError **error)
{
  char text[sizeof unit->name + sizeof last->text];

  g_snprintf (text, sizeof text, "%s: %s", unit->name,
              *last->text ? last->text
              : last->status == KT_E_UNSUPPORTED
                  ? "its kernels do not serve this"
                  : "no kernel for it as it lies in memory");
  if (!(node->because = _kette_region_strdup (plan->graph->region, text, error)))
    return FALSE;
  node->why = KETTE_WHY_REFUSED;
  plan->n_refused++;
  return TRUE;
}

gboolean
_kette_step_prepare (KettePlan *plan, KetteStep *step, KetteNode *const *followers,
                     int32_t n_followers, GError **error)
{
  KetteNode *node           = step->node;
  const KetteFamily *family = node->def->family;
  const KetteUnit *unit
      = _kette_is_copy (node) ? NULL : _kette_plan_unit (plan, node->unit);
  const size_t n_rounds = _kette_unit_kernels (unit, 1) ? 2 : 1;
  KetteFailure failure  = { 0 };

  for (size_t r = 0; r < n_rounds * family->n_kernels; r++)
    {
      const size_t i          = r % family->n_kernels;
      const kt_kernel *kernel = &family->kernels[i]->kernel;
      KetteContext context    = { node, &failure, unit ? unit->handle : NULL };
      kt_prep prep            = { .context   = &context,
                                  .followers = followers,
                                  .precision = _kette_places_precision (plan->places, unit) };
      kt_status status        = KT_OK, prepared;
      gboolean ok;

      if (!_kette_kernel_serves (family->kernels[i], node,
                                 _kette_unit_kernels (unit, r >= family->n_kernels))
          || !_kette_kernel_lies (plan, node, kernel)
          || !_kette_kernel_suits (family->kernels[i], node))
        continue;
      failure          = (KetteFailure){ 0 };
      step->state      = kernel->user;
      prep.n_followers = kernel->flags & KT_K_EPILOGUE ? n_followers : 0;
      if (kernel->prepare)
        {
          const KetteRunning *outer = _kette_running;
          const KetteRunning now    = { family->kernels[i]->plugin, node->name, node->op,
                                        "prepare", node->index };

          step->state    = NULL;
          _kette_running = &now;
          status = kernel->prepare (_kette_host (), &prep, kernel->user, &step->state);
          _kette_running = outer;
        }
      prepared = status;
      if (status == KT_OK && failure.status != KT_OK)
        status = failure.status;
      if (status == KT_E_UNSUPPORTED)
        {
          failure.status = status;
          give_up (kernel, prepared, step, &prep);
          continue;
        }
      ok               = status == KT_OK ? adopt (plan, &prep, error)
                                         : _kette_failure_to_error (&failure, status, node, error);
      step->kernel     = family->kernels[i];
      step->workspace  = prep.workspace;
      step->per_worker = prep.per_worker != 0;
      step->n_absorbed = (uint32_t) prep.n_absorbed;
      step->rounds     = prep.rounds;
      step->running    = (KetteRunning){ step->kernel->plugin, node->name, node->op, NULL,
                                         node->index };
      if (ok)
        drop (&prep);
      else
        {
          give_up (kernel, prepared, step, &prep);
          step->kernel = NULL;
        }
      return ok;
    }
  return unit ? refuse (plan, node, unit, &failure, error)
              : no_kernel (node, plan->device->name, &failure, error);
}
