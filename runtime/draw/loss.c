/* SPDX-License-Identifier: Apache-2.0
 * Which value is the loss; a loss that training knows is added to the copy that is drawn.
 */
#include "train/loss.h"
#include "draw/draw-private.h"
#include "op/context.h"
#include "pass/pass.h"
#include <string.h>

gboolean
_kette_scope_is_float (const KetteValue *v)
{
  const KetteDtype *dtype
      = v->type.kind == KT_TENSOR ? _kette_dtype (v->type.dtype) : NULL;

  return dtype && dtype->is_float;
}

KetteValue *
_kette_scope_scalar_output (const KetteGraph *graph)
{
  KetteValue *found = NULL;

  for (size_t i = 0; i < graph->n_outputs; i++)
    {
      KetteValue *v = graph->outputs[i];

      if (!_kette_scope_is_float (v) || v->type.ndim != 0 || !v->producer)
        continue;
      if (found)
        return NULL; /* which one is the loss would be a guess */
      found = v;
    }
  return found;
}

/* The target: what the output is, or a label per sample. */
static KetteValue *
add_target (KetteEmitter *e, const KetteValue *y, const KetteLoss *loss)
{
  const kt_type *type = &y->type;
  const char *name    = _kette_emit_name (e, "target");
  KetteValue *t       = name ? _kette_graph_add_value (e->graph, name, e->error) : NULL;
  int64_t dims[KETTE_MAX_RANK];
  int rank = type->ndim;

  if (!t || rank < 1 || rank > KETTE_MAX_RANK)
    return _kette_emit_fail (e);
  memcpy (dims, type->dims, sizeof *dims * (size_t) rank);
  if (loss->labels) /* [N, C, d1, ...]: labels [N, d1, ...] */
    {
      for (int i = 2; i < rank; i++)
        dims[i - 1] = type->dims[i];
      rank = MAX (rank - 1, 1);
    }
  if (!_kette_value_set_tensor_type (t, loss->labels ? KT_I64 : type->dtype, dims, rank,
                                     e->error)
      || !_kette_graph_add_input (e->graph, t, e->error))
    return _kette_emit_fail (e);
  return t;
}

static gboolean
attach_loss (KetteScope *scope, const KetteLoss *loss, GError **error)
{
  KetteGraph *graph = scope->graph;
  KetteEmitter e    = { .main  = graph,
                        .graph = graph,
                        .opset = _kette_model_opset (graph->model, ""),
                        .scope = "loss",
                        .error = error };
  KetteValue *y     = graph->n_outputs ? graph->outputs[0] : NULL;

  if (!y || !_kette_scope_is_float (y) || y->type.ndim < 1)
    return _kette_fail (error, KETTE_ERROR_TYPE, "draw",
                        "loss %s needs a first output with rows of floats", loss->name);
  if (e.opset < loss->min_opset)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "draw",
                        "loss %s needs opset %d, the model has %d", loss->name,
                        loss->min_opset, e.opset);
  scope->loss = loss->build (&e, y, add_target (&e, y, loss));
  return !e.failed && scope->loss && _kette_pass_check (graph, error)
         && _kette_pass_canonical (graph, error) && _kette_pass_infer (graph, error);
}

gboolean
_kette_scope_find_loss (KetteScope *scope, const char *name, GError **error)
{
  const KetteLoss *loss = name ? _kette_loss_find (name) : NULL;

  scope->loss = name ? _kette_graph_find (scope->graph, name)
                     : _kette_scope_scalar_output (scope->graph);
  if (!scope->loss && loss)
    return attach_loss (scope, loss, error);
  if (!scope->loss && name)
    {
      g_autofree char *names = _kette_loss_names ();

      return _kette_fail (error, KETTE_ERROR_VALUE, "draw",
                          "there is no loss %s, and no value of the graph has that name; "
                          "losses: %s",
                          KETTE_QUOTE (name), names);
    }
  if (!scope->loss)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "draw",
                        "gradients need a loss: the model has no training step and no "
                        "scalar output; name a loss or a value");
  if (!scope->loss->producer)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "draw",
                        "the loss %s is computed by no node",
                        KETTE_QUOTE (scope->loss->name));
  if (!_kette_scope_is_float (scope->loss))
    return _kette_fail (error, KETTE_ERROR_TYPE, "draw",
                        "the loss %s is no tensor of floats",
                        KETTE_QUOTE (scope->loss->name));
  return TRUE;
}
