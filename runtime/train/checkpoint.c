/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: the model file with its training step and, in the metadata, where training
 * stands and digests of what it depends on. Random numbers are a function of seed, epoch and
 * step, so nothing else needs to be stored for a resumed run to end with the same bits.
 */
#include "base/text.h"
#include "exec/places.h"
#include "io/io-private.h"
#include "pass/pass.h"
#include "train/train-private.h"
#include <math.h>
#include <string.h>

gboolean
kette_graph_is_checkpoint (KetteGraph *self)
{
  return self->model->n_training > 0 && _kette_model_get_meta (self->model, "kette.step");
}

static const char *
data_hash (KetteTrainer *self)
{
  if (!*self->data_hash && self->x)
    _kette_data_hash (self->x, self->t, self->data_hash);
  return self->data_hash;
}

/* WHAT differs from what the checkpoint was made with. */
static gboolean
differs (const char *what, const char *now, const char *stored, GError **error)
{
  KetteQuoted quoted;

  return _kette_fail (error, KETTE_ERROR_VALUE, NULL,
                      "%s from the checkpoint's: SHA-256 %.16s..., there %s; "
                      "--resume-anyway overrides",
                      what, now,
                      _kette_quote_n (&quoted, stored, MIN (strlen (stored), 16)));
}

/* Its value may stand in the metadata or not; FALSE: it is there and is no number. */
static gboolean
optional_u64 (const KetteModel *model, const char *key, uint64_t *out)
{
  return !_kette_model_get_meta (model, key) || _kette_meta_get_u64 (model, key, out);
}

static gboolean
restore_best (KetteTrainer *self)
{
  const KetteModel *model = self->graph->model;

  self->evaluated = self->epoch;
  return optional_u64 (model, "kette.evaluated", &self->evaluated)
         && optional_u64 (model, "kette.best-epoch", &self->best_epoch)
         && optional_u64 (model, "kette.skipped", &self->skipped)
         && optional_u64 (model, "kette.left-out", &self->left_out)
         && (!_kette_model_get_meta (model, "kette.best-metric")
             || _kette_meta_get_double (model, "kette.best-metric", &self->best_metric));
}

gboolean
_kette_checkpoint_restore (KetteTrainer *self, GError **error)
{
  const KetteModel *model = self->graph->model;
  const char *stored      = _kette_model_get_meta (model, "kette.graph-sha256");

  if (!_kette_meta_get_u64 (model, "kette.step", &self->step)
      || !_kette_meta_get_u64 (model, "kette.epoch", &self->epoch)
      || !_kette_meta_get_u64 (model, "kette.position", &self->position)
      || !_kette_meta_get_double (model, "kette.loss-sum", &self->loss_sum)
      || !_kette_meta_get_double (model, "kette.last-loss", &self->last_loss)
      || !restore_best (self))
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "no checkpoint: the metadata do not say where training stands");
  if (!self->resume_anyway && (!stored || strcmp (stored, self->graph_hash) != 0))
    return differs ("the graph differs", self->graph_hash, stored ? stored : "none",
                    error);
  return TRUE;
}

gboolean
_kette_checkpoint_check_data (KetteTrainer *self, GError **error)
{
  const char *stored = _kette_model_get_meta (self->graph->model, "kette.data-sha256");

  if (self->resume_anyway || !stored || strcmp (stored, data_hash (self)) == 0)
    return TRUE;
  return differs ("the data differ", data_hash (self), stored, error);
}

gboolean
_kette_checkpoint_check_validation (KetteTrainer *self, GError **error)
{
  const char *stored
      = _kette_model_get_meta (self->graph->model, "kette.validation-sha256");

  if (!self->resumed || self->resume_anyway || !stored
      || strcmp (stored, self->validation_hash) == 0)
    return TRUE;
  return differs ("the validation data differ", self->validation_hash, stored, error);
}

gboolean
kette_trainer_check_model (KetteTrainer *self, KetteGraph *model, GError **error)
{
  const char *stored = _kette_model_get_meta (self->graph->model, "kette.model-sha256");
  const char *its    = kette_graph_is_checkpoint (model)
                           ? _kette_model_get_meta (model->model, "kette.model-sha256")
                           : NULL;
  char hash[65];

  if (!stored || self->resume_anyway)
    return TRUE;
  if (its)
    g_strlcpy (hash, its, sizeof hash);
  else if (_kette_structure_hash (model, hash, error))
    _kette_frozen_hash (model, &self->settings, self->params, self->trained,
                        self->n_params, hash);
  else
    return FALSE;
  if (strcmp (stored, hash) == 0)
    return TRUE;
  differs ("is another model than the one that was trained: it differs", hash, stored,
           error);
  _kette_error_in_file (error, model->model->file);
  return FALSE;
}

/* Once: training changes no node, and what was exported before would stay in memory. */
static gboolean
export_functions (KetteTrainer *self, GError **error)
{
  self->exported = self->exported || _kette_pass_export_functions (self->graph, error);
  return self->exported;
}

/* A model that is beyond help replaces none that may be good. */
static gboolean
check_finite (const KetteTrainer *self, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < self->n_params; i++)
    {
      const KetteTensor *t = self->params[i]->data;

      for (size_t k = 0; self->trained[i] && k < t->count; k++)
        {
          const double v = _kette_tensor_get_double (t, k);

          if (isfinite (v))
            continue;
          g_snprintf (where, sizeof where, "initializer %s",
                      KETTE_QUOTE (self->params[i]->name));
          return _kette_fail (error, KETTE_ERROR_VALUE, where,
                              "element %zu is %g: not saved", k, v);
        }
    }
  return TRUE;
}

static gboolean
save_position (KetteTrainer *self, KetteModel *model, GError **error)
{
  return _kette_meta_set_u64 (model, "kette.step", self->step, error)
         && _kette_meta_set_u64 (model, "kette.epoch", self->epoch, error)
         && _kette_meta_set_u64 (model, "kette.position", self->position, error)
         && _kette_meta_set_u64 (model, "kette.evaluated", self->evaluated, error)
         && _kette_meta_set_u64 (model, "kette.skipped", self->skipped, error)
         && _kette_meta_set_u64 (model, "kette.left-out", self->left_out, error)
         && _kette_meta_set_double (model, "kette.loss-sum", self->loss_sum, error)
         && _kette_meta_set_double (model, "kette.last-loss", self->last_loss, error);
}

static gboolean
save_best (KetteTrainer *self, KetteModel *model, GError **error)
{
  if (isnan (self->best_metric))
    return _kette_model_set_meta (model, "kette.best-metric", NULL, error)
           && _kette_model_set_meta (model, "kette.best-epoch", NULL, error)
           && _kette_model_set_meta (model, "kette.best-file", NULL, error);
  return _kette_meta_set_double (model, "kette.best-metric", self->best_metric, error)
         && _kette_meta_set_u64 (model, "kette.best-epoch", self->best_epoch, error);
}

static gboolean
save_digests (KetteTrainer *self, KetteModel *model, GError **error)
{
  const char *data       = data_hash (self);
  const char *validation = self->validation_hash;
  char options[65];

  _kette_settings_hash (&self->settings, options);
  return _kette_model_set_meta (model, "kette.graph-sha256", self->graph_hash, error)
         && (!*self->model_hash
             || _kette_model_set_meta (model, "kette.model-sha256", self->model_hash,
                                       error))
         && _kette_model_set_meta (model, "kette.data-sha256", *data ? data : NULL, error)
         && (!*validation
             || _kette_model_set_meta (model, "kette.validation-sha256", validation,
                                       error))
         && _kette_model_set_meta (model, "kette.options-sha256", options, error);
}

static gboolean
save (KetteTrainer *self, const char *file, unsigned keep, GError **error)
{
  const KetteSaveOptions options
      = { .size  = sizeof options,
          .flags = KETTE_SAVE_CHECKSUMS | (keep ? KETTE_SAVE_KEEP_OLD : 0),
          .keep  = keep };
  KetteModel *model = self->graph->model;

  return _kette_residents_write_back (error) && check_finite (self, error)
         && save_position (self, model, error) && save_best (self, model, error)
         && save_digests (self, model, error)
         && _kette_model_set_meta (model, "kette.version", KETTE_VERSION, error)
         && _kette_settings_save (&self->settings, model, error)
         && _kette_settings_save_places (
             &self->settings,
             self->n_stages ? _kette_session_choice (self->stages[0].session) : NULL,
             model, error)
         && export_functions (self, error)
         && kette_graph_save_full (self->graph, file, &options, error);
}

gboolean
kette_trainer_save (KetteTrainer *self, const char *file, GError **error)
{
  if (save (self, file, self->keep, error))
    return TRUE;
  _kette_error_in_file (error, file);
  return FALSE;
}

/* The metric of a resumed run is that of its file; under another name a file begins anew. */
static gboolean
same_file (const KetteModel *model, const char *file)
{
  const char *stored = _kette_model_get_meta (model, "kette.best-file");

  return stored && strcmp (_kette_base_name (stored), _kette_base_name (file)) == 0;
}

gboolean
kette_trainer_end_epoch (KetteTrainer *self, double metric, const char *best_file,
                         gboolean *better, GError **error)
{
  KetteModel *model         = self->graph->model;
  const double old_metric   = self->best_metric;
  const uint64_t old_epoch  = self->best_epoch;
  const uint64_t old_passed = self->evaluated;
  const double best = best_file && !same_file (model, best_file) ? NAN : old_metric;
  const gboolean is_better = isfinite (metric) && !(best <= metric);

  if (better)
    *better = FALSE;
  self->evaluated = self->epoch;
  if (!is_better)
    return TRUE;
  self->best_metric = metric;
  self->best_epoch  = self->epoch;
  if (best_file
      && (!_kette_model_set_meta (model, "kette.best-file", best_file, error)
          || !save (self, best_file, 0, error)))
    {
      self->best_metric = old_metric;
      self->best_epoch  = old_epoch;
      self->evaluated   = old_passed;
      _kette_error_in_file (error, best_file);
      return FALSE;
    }
  if (better)
    *better = TRUE;
  return TRUE;
}
