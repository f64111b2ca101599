/* SPDX-License-Identifier: Apache-2.0
 * The trainer: making the step, and taking it batch by batch. A step in steady state neither
 * allocates nor enters the kernel.
 */
#include "train/trainer.h"
#include "base/deadline-private.h"
#include "base/random.h"
#include "graph/sparse.h"
#include "io/io.h"
#include "pass/pass.h"
#include "train/train-private.h"
#include <math.h>
#include <string.h>

G_DEFINE_BOXED_TYPE (KetteTrainer, kette_trainer, kette_trainer_ref, kette_trainer_unref)

void
kette_train_options_init (KetteTrainOptions *options)
{
  *options = (KetteTrainOptions){
    .beta = -1, .beta2 = -1, .epsilon = -1, .seed = KETTE_SEED_DEFAULT
  };
}

KetteTrainer *
kette_trainer_ref (KetteTrainer *self)
{
  g_atomic_int_inc (&self->ref);
  return self;
}

void
kette_trainer_unref (KetteTrainer *self)
{
  if (!self || !g_atomic_int_dec_and_test (&self->ref))
    return;
  for (size_t i = 0; i < self->n_stages; i++)
    _kette_stage_clear (&self->stages[i]);
  kette_session_unref (self->evaluation);
  _kette_dataset_clear (&self->data);
  _kette_dataset_clear (&self->validation);
  kette_tensor_unref (self->x);
  kette_tensor_unref (self->t);
  _kette_free (self->order);
  _kette_free (self->params);
  kette_graph_unref (self->graph);
  _kette_region_free (self->region);
  _kette_free (self);
}

/* Which candidates are trained: by patterns, or by the step that the model came with. */
static gboolean
choose_parameters (KetteTrainer *self, GError **error)
{
  if (!_kette_pass_trainable (self->graph, &self->params, &self->n_params, error))
    return FALSE;
  self->trained = _kette_region_alloc (self->region, self->n_params + 1, 1, error);
  if (!self->trained)
    return FALSE;
  for (size_t i = 0; i < self->n_params; i++)
    self->trained[i] = self->own_step ? (self->params[i]->flags & KETTE_VALUE_STATE) != 0
                                      : _kette_settings_trains (&self->settings,
                                                                self->params[i]->name);
  return TRUE;
}

/* A pattern that matches nothing is a slip of the pen, not a wish. */
static gboolean
check_patterns (const KetteTrainer *self, const char *option, const char *list,
                GError **error)
{
  char pattern[512];

  while (*list)
    {
      const size_t n = strcspn (list, ",");
      gboolean used  = FALSE;

      if (n > 0 && n < sizeof pattern)
        {
          memcpy (pattern, list, n);
          pattern[n] = '\0';
          for (size_t i = 0; i < self->n_params; i++)
            used = used || _kette_glob_list_match (pattern, self->params[i]->name);
          for (size_t i = 0; !used && i < self->graph->n_values; i++)
            used = _kette_glob_list_match (pattern, self->graph->values[i]->name)
                   && _kette_is_running_statistic (self->graph, self->graph->values[i]);
          if (!used)
            return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                                "option %s: no parameter matches %s", option,
                                KETTE_QUOTE (pattern));
        }
      list += n + (list[n] == ',');
    }
  return TRUE;
}

static gboolean
build_step (KetteTrainer *self, KetteValue **chosen, size_t n, const KetteInit *used,
            GError **error)
{
  KetteGraph *typed = _kette_pass_prepare (self->graph, error);
  gboolean ok       = typed != NULL;

  if (ok)
    {
      _kette_drop_steps (self->graph->model);
      ok = _kette_build_step (self->graph, typed, &self->settings, chosen, n, error)
           && _kette_init_record (self->graph, chosen, n, used, error);
    }
  kette_graph_unref (typed);
  return ok;
}

static gboolean
make_step (KetteTrainer *self, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteValue **chosen = _kette_alloc (account, self->n_params + 1, sizeof *chosen, error);
  KetteInit *used
      = chosen ? _kette_alloc (account, self->n_params + 1, sizeof *used, error) : NULL;
  size_t n    = 0;
  gboolean ok = used != NULL;

  for (size_t i = 0; ok && i < self->n_params; i++)
    if (self->trained[i])
      chosen[n++] = self->params[i];
  if (ok && !self->resumed)
    ok = _kette_init_parameters (self->graph, &self->settings, chosen, n, used, error);
  if (ok && !self->own_step)
    ok = build_step (self, chosen, n, used, error);
  _kette_free (chosen);
  _kette_free (used);
  return ok;
}

/* Puts the rate that was chosen into a step that has another one. */
static gboolean
change_rate (KetteTrainer *self, GError **error)
{
  const KetteModel *model = self->graph->model;
  gboolean found          = FALSE;

  for (size_t i = 0; i < model->n_training; i++)
    {
      const KetteGraph *step = model->training[i]->algorithm;
      for (size_t k = 0; step && k < step->n_values; k++)
        {
          KetteValue *value = step->values[k];
          if (!value->data || value->data->rank != 0
              || strncmp (value->name, "kette.rate", strlen ("kette.rate")) != 0)
            continue;
          KetteTensor *rate = kette_tensor_new (value->data->dtype, NULL, 0, error);
          if (!rate)
            return FALSE;
          _kette_tensor_set_double (rate, 0, self->settings.rate);
          _kette_value_set_data (value, rate);
          kette_tensor_unref (rate);
          found = TRUE;
        }
    }
  return found
         || _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                         "option rate is %g: the model's own training step has no "
                         "kette.rate to be set",
                         self->settings.rate);
}

static gboolean
build (KetteTrainer *self, const KetteTrainOptions *options, GError **error)
{
  KetteModel *model = self->graph->model;

  self->region = _kette_region_new (error);
  if (!self->region)
    return FALSE;
  if (self->graph->parent)
    return _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "a subgraph cannot be trained");
  if (options->resume && model->n_training == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "the model holds no training step: there is nothing to resume");
  self->resumed         = options->resume;
  self->resume_anyway   = options->resume_anyway;
  self->skip_not_finite = options->skip_not_finite;
  self->keep            = options->keep ? options->keep : 1;
  if (self->resumed ? !kette_graph_verify (self->graph, &self->note, error)
                    : !_kette_structure_hash (self->graph, self->model_hash, error))
    return FALSE;
  if (!_kette_settings_fill (&self->settings, options, self->graph, self->resumed,
                             self->region, error)
      || (self->settings.new_rate && !change_rate (self, error)))
    return FALSE;
  self->own_step = model->n_training > 0 && (self->resumed || !options->loss);
  if ((!self->own_step && !_kette_training_mode_raise (self->graph, &self->raised, error))
      || !_kette_graph_make_dense (self->graph, error)
      || !_kette_pass_free_batch (self->graph, &self->freed, error)
      || !choose_parameters (self, error))
    return FALSE;
  if (!self->resumed)
    _kette_frozen_hash (self->graph, &self->settings, self->params, self->trained,
                        self->n_params, self->model_hash);
  if (!check_patterns (self, "freeze", self->settings.freeze, error)
      || !check_patterns (self, "only", self->settings.only, error)
      || !make_step (self, error) || !_kette_graph_make_live (self->graph, error)
      || !_kette_graph_hash (self->graph, self->graph_hash, error)
      || !_kette_trainer_build_stages (self, error))
    return FALSE;
  return (!self->resumed || _kette_checkpoint_restore (self, error))
         && _kette_trainer_look_at_scale (self, TRUE, error);
}

KetteTrainer *
kette_trainer_new (KetteGraph *graph, const KetteTrainOptions *options, GError **error)
{
  KetteTrainer *self = _kette_alloc (_kette_account_process (), 1, sizeof *self, error);

  if (!self)
    return NULL;
  self->ref       = 1;
  self->graph     = kette_graph_ref (graph);
  self->order_of  = UINT64_MAX;
  self->last_loss = self->best_metric = NAN;
  if (build (self, options, error))
    return self;
  _kette_error_in_file (error, graph->model->file);
  kette_trainer_unref (self);
  return NULL;
}

/* How samples are scaled: as chosen, else as the model says, else bytes by 1/255. */
static gboolean
scaling_of (KetteTrainer *self, KetteScaling *out, GError **error)
{
  const KetteSettings *s = &self->settings;
  KetteInputRecipe recipe;
  gboolean present;

  *out = (KetteScaling){
    { s->scale != 0 ? s->scale : 1.0 / 255, s->mean, s->std != 0 ? s->std : 1 },
    { s->scale != 0 ? s->scale : 1, s->mean, s->std != 0 ? s->std : 1 },
    s->scale != 0 || s->mean != 0 || s->std != 0
  };
  if (!kette_graph_get_input_recipe (self->graph, self->input_names[0], &recipe, &present,
                                     error))
    return FALSE;
  if (present && !out->scales_others)
    out->bytes = recipe;
  return TRUE;
}

gboolean
_kette_trainer_dataset (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                        KetteDataset *out, GError **error)
{
  KetteScaling scaling;

  return scaling_of (self, &scaling, error)
         && _kette_dataset_init (out, x, t, self->input_types, self->input_names,
                                 self->n_inputs, &scaling, self->settings.one_hot, error);
}

/* Splits, checks the batch, and makes the runs, so that the first step allocates nothing. */
static gboolean
ready_data (KetteTrainer *self, GError **error)
{
  const KetteSettings *s = &self->settings;
  const size_t n         = self->data.n;

  self->n_train = n - (size_t) ((double) n * s->split + 0.5);
  self->n_used  = s->drop_last ? self->n_train - self->n_train % s->batch : self->n_train;
  if (self->n_used == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "%zu samples to train with are fewer than one batch of %u",
                        self->n_train, s->batch);
  if (self->position >= self->n_used && self->position > 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                        "the checkpoint is at sample %" G_GUINT64_FORMAT
                        " of an epoch, the data have %zu",
                        self->position, self->n_used);
  _kette_free (self->order);
  self->order    = NULL;
  self->order_of = UINT64_MAX;
  if (s->shuffle)
    {
      self->order = _kette_alloc_raw (_kette_account_process (), self->n_train,
                                      sizeof *self->order, error);
      if (!self->order)
        return FALSE;
    }
  for (size_t i = 0; i < self->n_stages; i++)
    {
      if (self->n_used >= s->batch
          && !_kette_trainer_take (self, &self->stages[i], s->batch, error))
        return FALSE;
      if (self->n_used % s->batch
          && !_kette_trainer_take (self, &self->stages[i], self->n_used % s->batch,
                                   error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
set_data (KetteTrainer *self, KetteTensor *x, KetteTensor *t, GError **error)
{
  KetteDataset data;

  if (!_kette_trainer_dataset (self, x, t, &data, error))
    return FALSE;
  _kette_dataset_clear (&self->data);
  self->data = data;
  kette_tensor_ref (x);
  kette_tensor_unref (self->x);
  self->x = x;
  if (t)
    kette_tensor_ref (t);
  kette_tensor_unref (self->t);
  self->t            = t;
  self->data_hash[0] = '\0';
  if (!ready_data (self, error)
      || (self->resumed && !_kette_checkpoint_check_data (self, error)))
    {
      _kette_dataset_clear (&self->data);
      return FALSE;
    }
  if (x->dtype == KT_U8 && data.columns[0].dtype != KT_U8
      && _kette_dtype (data.columns[0].dtype)->is_float)
    return kette_graph_set_input_recipe (self->graph, self->input_names[0],
                                         &data.columns[0].recipe, error);
  return TRUE;
}

gboolean
kette_trainer_set_data (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                        GError **error)
{
  if (set_data (self, x, t, error))
    return TRUE;
  _kette_error_in_file (error, self->graph->model->file);
  return FALSE;
}

/* The samples of the next batch, as rows or as a first row. */
static void
draw_batch (KetteTrainer *self, const uint32_t **rows, size_t *first)
{
  uint32_t key[2];

  if (self->order && self->order_of != self->epoch)
    {
      _kette_random_key (self->settings.seed, "shuffle", key);
      _kette_random_permutation (key, self->epoch, self->order, (uint32_t) self->n_train);
      self->order_of = self->epoch;
    }
  *rows  = self->order ? self->order + self->position : NULL;
  *first = (size_t) self->position;
}

static gboolean
run_stage (KetteTrainer *self, KetteStage *stage, const uint32_t *rows, size_t first,
           size_t n, double *loss, GCancellable *cancellable, GError **error)
{
  KetteRun *run = _kette_trainer_take (self, stage, n, error);
  char where[64];

  if (!run)
    return FALSE;
  _kette_dataset_feed (&self->data, run, rows, first, n);
  _kette_run_set_step (run, self->step);
  /* At once where it can be taken back: nobody waits for the loss in the middle of it. */
  const gboolean whole = _kette_run_can_undo (run);
  if (!_kette_run_execute (
          run, whole ? KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE : KETTE_PHASE_FORWARD,
          whole ? NULL : cancellable, error))
    return FALSE;
  *loss = self->has_loss ? _kette_run_scalar (run, 0) : NAN;
  if (self->has_loss && !isfinite (*loss))
    {
      if (whole && !_kette_run_undo (run, error))
        return FALSE;
      if (self->skip_not_finite)
        return TRUE;
      g_snprintf (where, sizeof where, "step %" G_GUINT64_FORMAT, self->step);
      return _kette_fail (error, KETTE_ERROR_VALUE, where,
                          "the loss is %g; the step was not taken", *loss);
    }
  return whole || _kette_run_execute (run, KETTE_PHASE_UPDATE, NULL, error);
}

static gboolean
complete_epoch (KetteTrainer *self, GError **error)
{
  const uint64_t counted = self->n_used - MIN (self->left_out, self->n_used);
  char where[64];

  self->last_loss = counted ? self->loss_sum / (double) counted : NAN;
  self->loss_sum  = 0;
  self->left_out  = 0;
  self->position  = 0;
  self->epoch++;
  if (counted > 0)
    return _kette_trainer_look_at_scale (self, FALSE, error);
  g_snprintf (where, sizeof where, "epoch %" G_GUINT64_FORMAT, self->epoch);
  return _kette_fail (error, KETTE_ERROR_VALUE, where, "no step had a finite loss");
}

/* It is time to stop, in front of a step. */
static gboolean
stop_at (const KetteTrainer *self, GCancellable *cancellable, GError **error)
{
  char where[64];

  g_snprintf (where, sizeof where, "step %" G_GUINT64_FORMAT, self->step);
  return _kette_check_stop (cancellable, where, error);
}

static gboolean
step (KetteTrainer *self, double *loss, GCancellable *cancellable, GError **error)
{
  const uint32_t *rows;
  size_t first, n;
  double first_loss = NAN, other;

  if (self->data.n_columns == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL, "the trainer has no data");
  if (_kette_stopped (cancellable) && !stop_at (self, cancellable, error))
    return FALSE;
  n = MIN ((size_t) self->settings.batch, self->n_used - (size_t) self->position);
  draw_batch (self, &rows, &first);
  for (size_t i = 0; i < self->n_stages; i++)
    if (!run_stage (self, &self->stages[i], rows, first, n, i ? &other : &first_loss,
                    i ? NULL : cancellable, error))
      return FALSE;
  self->step++;
  self->position += n;
  *loss = first_loss;
  if (self->skip_not_finite && self->has_loss && !isfinite (first_loss))
    {
      self->skipped++;
      self->left_out += n;
    }
  else
    self->loss_sum += first_loss * (double) n;
  return self->position < self->n_used || complete_epoch (self, error);
}

gboolean
kette_trainer_step (KetteTrainer *self, double *loss, GCancellable *cancellable,
                    GError **error)
{
  double value = NAN;

  if (!step (self, &value, _kette_stop_of (cancellable), error))
    {
      _kette_error_in_file (error, self->graph->model->file);
      return FALSE;
    }
  if (loss)
    *loss = value;
  return TRUE;
}

gboolean
kette_trainer_epoch (KetteTrainer *self, double *loss, GCancellable *cancellable,
                     GError **error)
{
  const uint64_t epoch = self->epoch;

  while (self->epoch == epoch)
    if (!kette_trainer_step (self, NULL, cancellable, error))
      return FALSE;
  if (loss)
    *loss = self->last_loss;
  return TRUE;
}

void
kette_trainer_get_state (KetteTrainer *self, KetteTrainState *state)
{
  *state = (KetteTrainState){
    .step        = self->step,
    .epoch       = self->epoch,
    .position    = self->position,
    .n_samples   = self->n_used,
    .n_held_out  = self->data.n - MIN (self->n_train, self->data.n),
    .batch       = self->settings.batch,
    .epoch_loss  = self->position
                       ? self->loss_sum / (double) (self->position - self->left_out)
                       : self->last_loss,
    .rate        = self->settings.rate,
    .skipped     = self->skipped,
    .evaluated   = self->evaluated,
    .best_epoch  = self->best_epoch,
    .best_metric = self->best_metric
  };
}
