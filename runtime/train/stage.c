/* SPDX-License-Identifier: Apache-2.0
 * Stages: each training info of the model as a session whose outputs are the loss and the
 * prediction, and a session without updates for evaluation.
 */
#include "base/pool.h"
#include "pass/pass.h"
#include "train/train-private.h"
#include <string.h>

/* Places of loss and prediction among the outputs of an algorithm; -1: none. */
typedef struct
{
  gssize loss, y;
} Places;

static gboolean
is_update (const KetteTraining *info, const KetteValue *value)
{
  for (size_t i = 0; i < info->n_update; i++)
    if (info->update[i].value == value)
      return TRUE;
  return FALSE;
}

/* The loss: the first output that is no new content of a state. */
static gssize
find_loss (const KetteTraining *info)
{
  const KetteGraph *a = info->algorithm;

  for (size_t i = 0; i < a->n_outputs; i++)
    if (!is_update (info, a->outputs[i]) && a->outputs[i]->type.kind == KT_TENSOR
        && a->outputs[i]->type.ndim <= 0
        && (a->outputs[i]->type.dtype == KT_F32 || a->outputs[i]->type.dtype == KT_F64))
      return (gssize) i;
  return -1;
}

static void
pop_output (KetteGraph *graph)
{
  graph->outputs[--graph->n_outputs]->flags &= ~(uint32_t) KETTE_VALUE_OUTPUT;
}

/* The prediction as the step makes it, so that nothing is computed twice: the copy that trains,
 * or the graph's own. */
static KetteValue *
prediction_of (KetteTrainer *self, KetteGraph *algorithm, GError **error)
{
  for (size_t i = 0; i < algorithm->n_values; i++)
    if (_kette_training_original (self->graph, algorithm->values[i])
        == self->graph->outputs[0])
      return algorithm->values[i];
  return _kette_graph_capture (algorithm, self->graph->outputs[0], error);
}

/* The step as one graph. The prediction is an output of the algorithm while it is made, as
 * passes may replace the value that has its name. */
static KetteGraph *
merge_step (KetteTrainer *self, size_t i, Places *places, KetteBinding **updates,
            GError **error)
{
  const KetteTraining *info = self->graph->model->training[i];
  KetteGraph *algorithm     = info->algorithm, *step;
  KetteValue *y             = NULL;

  places->loss = find_loss (info);
  places->y    = -1;
  if (self->graph->n_outputs > 0 && !(self->graph->outputs[0]->flags & KETTE_VALUE_INPUT))
    {
      y = prediction_of (self, algorithm, error);
      if (!y)
        return NULL;
      if (y->flags & KETTE_VALUE_OUTPUT)
        y = NULL;
      else if (!_kette_graph_add_output (algorithm, y, error))
        return NULL;
      else
        places->y = (gssize) algorithm->n_outputs - 1;
    }
  step = _kette_pass_training (self->graph, i, updates, error);
  if (y)
    pop_output (algorithm);
  return step;
}

/* Outputs become loss, prediction, then the updates. */
static gboolean
reorder_outputs (KetteTrainer *self, KetteGraph *step, const Places *places,
                 const KetteBinding *updates, size_t n_updates, GError **error)
{
  KetteValue *loss = places->loss >= 0 ? step->outputs[places->loss] : NULL;
  KetteValue *y    = places->y >= 0 ? step->outputs[places->y] : NULL;

  while (step->n_outputs > 0)
    pop_output (step);
  if (loss && !_kette_graph_add_output (step, loss, error))
    return FALSE;
  if (loss && y && !_kette_graph_add_output (step, y, error))
    return FALSE;
  self->has_loss   = loss != NULL;
  self->has_output = loss && y;
  for (size_t i = 0; i < n_updates; i++)
    if (!(updates[i].value->flags & KETTE_VALUE_OUTPUT)
        && !_kette_graph_add_output (step, updates[i].value, error))
      return FALSE;
  return TRUE;
}

/* The inputs that data are for. */
static gboolean
remember_inputs (KetteTrainer *self, const KetteGraph *step, GError **error)
{
  if (step->n_inputs < 1 || step->n_inputs > 2)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "the training step has %zu inputs; samples and targets are two",
                        step->n_inputs);
  self->n_inputs = step->n_inputs;
  for (size_t i = 0; i < step->n_inputs; i++)
    {
      const kt_type *type = &step->inputs[i]->type;

      self->input_names[i]
          = _kette_region_strdup (self->region, step->inputs[i]->name, error);
      self->input_types[i] = *type;
      if (!self->input_names[i])
        return FALSE;
      if (type->ndim > 0)
        {
          self->input_types[i].dims = _kette_region_dup (
              self->region, type->dims, (size_t) type->ndim, sizeof *type->dims, error);
          if (!self->input_types[i].dims)
            return FALSE;
        }
    }
  return TRUE;
}

/* Loss and prediction without training: no updates, and the forward nodes as in the model. */
static gboolean
make_evaluation (KetteTrainer *self, size_t i, const Places *places, GError **error)
{
  const KetteGraph *algorithm       = self->graph->model->training[i]->algorithm;
  const KetteSessionOptions options = { .struct_size = sizeof options,
                                        .live        = TRUE,
                                        .seed        = self->settings.seed,
                                        .unfused     = self->settings.no_fusion,
                                        .device      = self->settings.device,
                                        .precision   = self->settings.precision,
                                        .place       = self->settings.place };
  KetteValue *values[2];
  size_t n = 0;

  if (places->loss >= 0)
    values[n++] = algorithm->outputs[places->loss];
  if (self->has_output)
    values[n++] = self->graph->outputs[0];
  if (n == 0)
    return TRUE;
  KetteGraph *graph = _kette_pass_evaluation (self->graph, i, values, n, error);
  if (graph)
    self->evaluation = _kette_session_new_full (graph, &options, error);
  kette_graph_unref (graph);
  return self->evaluation != NULL;
}

static gboolean
build_stage (KetteTrainer *self, size_t i, GError **error)
{
  const KetteTraining *info = self->graph->model->training[i];
  KetteBinding *updates     = NULL;
  Places places;
  KetteGraph *step = merge_step (self, i, &places, &updates, error);
  gboolean ok
      = step && reorder_outputs (self, step, &places, updates, info->n_update, error);

  if (ok && i == 0)
    ok = remember_inputs (self, step, error) && make_evaluation (self, i, &places, error);
  else if (ok && step->n_inputs != self->n_inputs)
    ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                      "training step %zu has %zu inputs, the first one %zu", i,
                      step->n_inputs, self->n_inputs);
  if (ok)
    {
      const KetteSessionOptions options = { .struct_size = sizeof options,
                                            .live        = TRUE,
                                            .updates     = updates,
                                            .n_updates   = info->n_update,
                                            .unfused     = self->settings.no_fusion,
                                            .device      = self->settings.device,
                                            .precision   = self->settings.precision,
                                            .place       = self->settings.place,
                                            .n_fetched   = self->has_loss ? 2 : 1,
                                            .undo        = TRUE,
                                            .choice = i ? NULL : self->settings.choice,
                                            .seed   = self->settings.seed };
      self->stages[i].session           = _kette_session_new_full (step, &options, error);
      ok                                = self->stages[i].session != NULL;
    }
  _kette_free (updates);
  kette_graph_unref (step);
  return ok;
}

gboolean
_kette_trainer_build_stages (KetteTrainer *self, GError **error)
{
  const KetteModel *model = self->graph->model;
  gboolean has_loss = FALSE, has_output = FALSE;

  self->stages = _kette_region_alloc (self->region, MAX (model->n_training, 1),
                                      sizeof *self->stages, error);
  if (!self->stages)
    return FALSE;
  for (size_t i = 0; i < model->n_training; i++)
    {
      if (!model->training[i]->algorithm)
        return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                            "training_info[%zu] has no algorithm", i);
      self->n_stages = i + 1;
      if (!build_stage (self, i, error))
        return FALSE;
      if (i == 0)
        {
          has_loss   = self->has_loss;
          has_output = self->has_output;
        }
    }
  self->has_loss   = has_loss;
  self->has_output = has_output;
  return TRUE;
}

void
_kette_stage_clear (KetteStage *stage)
{
  for (int k = 0; k < 2; k++)
    _kette_session_give (stage->session, stage->runs[k]);
  kette_session_unref (stage->session);
  *stage = (KetteStage){ 0 };
}

KetteRun *
_kette_trainer_take (KetteTrainer *self, KetteStage *stage, size_t n, GError **error)
{
  const int k       = n == self->settings.batch ? 0 : 1;
  const int threads = _kette_pool_get_threads ();
  kt_type types[2];

  if (stage->runs[k] && stage->run_batch[k] == n && stage->run_threads[k] >= threads)
    return stage->runs[k];
  _kette_session_give (stage->session, stage->runs[k]);
  _kette_dataset_types (&self->data, n, types);
  stage->runs[k]        = _kette_session_take (stage->session, types, NULL, error);
  stage->run_batch[k]   = n;
  stage->run_threads[k] = threads;
  return stage->runs[k];
}

double
_kette_run_scalar (KetteRun *run, size_t output)
{
  kt_tensor view;
  int dtype;

  if (!_kette_run_output (run, output, &view, &dtype) || !view.data)
    return 0;
  return dtype == KT_F64 ? *(const double *) view.data
                         : (double) *(const float *) view.data;
}
