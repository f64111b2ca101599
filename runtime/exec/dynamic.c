/* SPDX-License-Identifier: Apache-2.0
 * Graphs whose shapes depend on computed contents (Reshape by a computed shape, NonZero).
 *
 * The first plan goes as far as shapes are known. Then what it computed becomes constant
 * in a copy of the graph, inference sees more, and the next stage is planned; an operator
 * that finds its shape only by running (output_sized) is a stage of its own.
 */
#include "exec/plan.h"
#include "pass/pass.h"
#include <string.h>

/* Content of VALUE after RUN, as a tensor of its own; NULL without error: not computed. */
static gboolean
take_content (const KetteRun *run, const KetteValue *value, KetteTensor **out,
              GError **error)
{
  *out = NULL;
  if (!_kette_run_data (run, value) || !_kette_type_is_concrete (&value->type))
    return TRUE;
  return (*out = _kette_run_fetch (run, value, error)) != NULL;
}

/* Is VALUE read by a node outside the plan, or an output of the graph? */
static void
mark_needed (const KettePlan *plan, uint8_t *needed)
{
  const KetteGraph *g = plan->graph;

  for (size_t i = 0; i < g->n_nodes; i++)
    for (int32_t k = 0; !plan->planned[i] && k < g->nodes[i]->n_in; k++)
      if (g->nodes[i]->in[k])
        needed[g->nodes[i]->in[k]->index] = 1;
  for (size_t i = 0; i < g->n_outputs; i++)
    needed[g->outputs[i]->index] = 1;
}

/* The graph of the next stage: what RUN computed is constant, its nodes are gone. */
static KetteGraph *
next_stage (const KetteRun *run, GError **error)
{
  const KettePlan *plan = run->plan;
  KetteGraph *g         = plan->graph;
  KetteValue **map      = NULL;
  uint8_t *needed  = _kette_alloc (_kette_account_process (), g->n_values + 1, 1, error);
  KetteGraph *next = needed ? _kette_graph_clone (g, &map, error) : NULL;
  gboolean ok      = next != NULL;

  if (ok)
    mark_needed (plan, needed);
  for (size_t i = 0; ok && i < g->n_values; i++)
    {
      KetteTensor *content;
      if (!needed[i] || !plan->storage_of[i]
          || (g->values[i]->data && !(g->values[i]->flags & KETTE_VALUE_SOFT)))
        continue; /* constants are there as they are, but their views are not */
      ok = take_content (run, g->values[i], &content, error);
      if (ok && content)
        {
          _kette_value_set_data (map[i], content);
          map[i]->producer = NULL;
          map[i]->flags &= ~(uint32_t) (KETTE_VALUE_SOFT | KETTE_VALUE_STATE);
          map[i]->ints = NULL;
          ok           = _kette_value_set_type (map[i], &g->values[i]->type, error);
        }
      kette_tensor_unref (content);
    }
  /* By index: the clone's nodes stand in the original's order. */
  for (size_t i = 0; ok && i < g->n_nodes; i++)
    if (plan->planned[i])
      next->nodes[i]->flags |= KETTE_NODE_DEAD;
  if (ok)
    next->n_inputs = 0;
  ok = ok && _kette_graph_sweep (next, NULL, 0, error) && _kette_pass_infer (next, error);
  _kette_free (needed);
  _kette_free (map);
  if (ok)
    return next;
  kette_graph_unref (next);
  return NULL;
}

typedef struct
{
  KetteTensor *outputs[64];
  GError *error;
} Sized;

/* output_sized: the result's memory, now that its shape is known. */
static kt_status
give_sized (KetteStepRun *self, int32_t i, const int64_t *dims, int32_t ndim,
            kt_tensor *out)
{
  Sized *sized          = self->owner;
  const KetteNode *node = self->context.node;

  if (i < 0 || i >= node->n_out || i >= (int32_t) G_N_ELEMENTS (sized->outputs))
    return KT_E_INTERNAL;
  if (!node->out[i])
    return KT_OK;
  kette_tensor_unref (sized->outputs[i]);
  sized->outputs[i] = kette_tensor_new (node->out[i]->type.dtype, dims, (guint) ndim,
                                        sized->error ? NULL : &sized->error);
  if (!sized->outputs[i])
    return KT_E_NOMEM;
  _kette_tensor_view (sized->outputs[i], out);
  return KT_OK;
}

/* The first node of GRAPH whose inputs all have content. */
static KetteNode *
first_ready (const KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      gboolean ready  = node->def != NULL;
      for (int32_t k = 0; k < node->n_in; k++)
        ready = ready && (!node->in[k] || node->in[k]->data);
      if (ready)
        return node;
    }
  return NULL;
}

static gboolean
adopt_sized (KetteNode *node, Sized *sized, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k])
      {
        if (!sized->outputs[k])
          return _kette_fail (error, KETTE_ERROR_PLUGIN, _kette_node_where (node, where),
                              "the kernel did not size output %d", k);
        _kette_value_set_data (node->out[k], sized->outputs[k]);
        if (!_kette_value_set_tensor_type (node->out[k], sized->outputs[k]->dtype,
                                           sized->outputs[k]->dims,
                                           sized->outputs[k]->rank, error))
          return FALSE;
        node->out[k]->producer = NULL;
      }
  node->flags |= KETTE_NODE_DEAD;
  return TRUE;
}

/* Runs one node whose output shapes only its kernel knows. */
static gboolean
run_sized (KetteGraph *graph, KetteNode *node, const KetteRunShared *shared,
           GError **error)
{
  KettePlan plan       = { .graph = graph, .device = _kette_device_cpu () };
  KetteStep step       = { .node = node };
  KetteFailure failure = { 0 };
  Sized sized          = { .error = NULL };
  kt_tensor operands[128];
  KetteStepRun r = {
    .context = { node, &failure }, .shared = shared, .sized = give_sized, .owner = &sized
  };
  gboolean ok;

  if (node->n_in + node->n_out > (int32_t) G_N_ELEMENTS (operands)
      || node->n_out > (int32_t) G_N_ELEMENTS (sized.outputs))
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "a node of unknown shape has over 64 operands");
  memset (operands, 0, sizeof operands);
  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k])
      _kette_tensor_view (node->in[k]->data, &operands[k]);
  if (!_kette_step_prepare (&plan, &step, NULL, 0, error))
    return FALSE;
  r.workspace_bytes = step.workspace;
  r.workspace
      = _kette_alloc_raw (_kette_account_process (), MAX (step.workspace, 1), 1, error);
  r.head
      = (kt_run){ &r.context, operands, operands + node->n_in, node->n_in, node->n_out };
  ok = r.workspace != NULL;
  if (ok)
    {
      const KetteRunning *outer = _kette_running;
      kt_status status;

      _kette_running = &step.running;
      status         = step.kernel->kernel.run (_kette_host (), &r.head, step.state);
      _kette_running = outer;
      ok             = (status == KT_OK && failure.status == KT_OK && !sized.error)
           || _kette_step_failed (shared, &failure, status, node, error);
    }
  ok = ok && adopt_sized (node, &sized, error);
  if (sized.error)
    g_error_free (sized.error);
  for (size_t k = 0; k < G_N_ELEMENTS (sized.outputs); k++)
    kette_tensor_unref (sized.outputs[k]);
  if (step.kernel->kernel.destroy)
    step.kernel->kernel.destroy (step.state);
  for (size_t k = 0; k < plan.n_kept; k++)
    _kette_free (plan.kept[k]);
  _kette_free (plan.kept);
  _kette_free (r.workspace);
  return ok;
}

/* Has NODE an output whose shape is not known? */
static gboolean
is_open (const KetteNode *node)
{
  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k] && !_kette_type_is_concrete (&node->out[k]->type))
      return TRUE;
  return FALSE;
}

/* Is there less to do behind PLAN than before? Contents of inputs are new only once. */
static gboolean
has_advanced (const KettePlan *plan)
{
  gboolean any = plan->graph->n_inputs > 0;

  for (size_t i = 0; !any && i < plan->graph->n_nodes; i++)
    any = plan->planned[i];
  return any;
}

/* One more stage: *run is replaced by the next one. */
static gboolean
advance (KetteRun **run, GCancellable *cancellable, GError **error)
{
  KetteGraph *next  = next_stage (*run, error);
  gboolean advanced = has_advanced ((*run)->plan);
  char where[KETTE_WHERE_SIZE];

  if (!next)
    return FALSE;
  if (!_kette_check_stop (cancellable, NULL, error))
    {
      kette_graph_unref (next);
      return FALSE;
    }
  if (next->n_nodes && is_open (next->nodes[0]))
    {
      KetteNode *node = first_ready (next);
      if (!node)
        {
          _kette_fail (error, KETTE_ERROR_UNSUPPORTED,
                       _kette_node_where (next->nodes[0], where),
                       "the shape of its output stays unknown");
          kette_graph_unref (next);
          return FALSE;
        }
      if (is_open (node)
          && (!(advanced = run_sized (next, node, &(*run)->shared, error))
              || !_kette_graph_sweep (next, NULL, 0, error)
              || !_kette_pass_infer (next, error)))
        {
          kette_graph_unref (next);
          return FALSE;
        }
    }
  if (!advanced)
    {
      _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                   "a stage of the graph left all of its %zu nodes to the next",
                   next->n_nodes);
      kette_graph_unref (next);
      return FALSE;
    }

  KettePlan *plan
      = _kette_plan_new (next, NULL, 0, (*run)->plan->flags, (*run)->plan->places, error);
  KetteRun *follow = plan ? _kette_run_new (plan, error) : NULL;
  if (!follow)
    {
      _kette_plan_free (plan);
      return FALSE;
    }
  follow->shared = (*run)->shared;
  *run           = follow;
  return _kette_run_execute (follow, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                             cancellable, error);
}

gboolean
_kette_run_rest (KetteRun *run, KetteTensor **outputs, GCancellable *cancellable,
                 GError **error)
{
  const size_t n    = run->plan->graph->n_outputs;
  KetteRun *current = run;
  gboolean ok       = TRUE;

  /* Each stage but the first runs at least one node, so that this ends. */
  while (ok && current->plan->partial)
    {
      KetteRun *last = current;
      ok             = advance (&current, cancellable, error);
      if (last != run && last != current)
        {
          KettePlan *plan = last->plan;
          _kette_run_free (last);
          _kette_plan_free (plan);
        }
    }
  for (size_t i = 0; ok && i < n; i++)
    {
      ok = take_content (current, current->plan->graph->outputs[i], &outputs[i], error)
           && (outputs[i]
               || _kette_fail (error, KETTE_ERROR_INTERNAL, NULL, "output %zu was lost",
                               i));
      for (size_t k = 0; !ok && k < i; k++)
        g_clear_pointer (&outputs[k], kette_tensor_unref);
    }
  if (current != run)
    {
      KettePlan *plan = current->plan;
      _kette_run_free (current);
      _kette_plan_free (plan);
    }
  return ok;
}
