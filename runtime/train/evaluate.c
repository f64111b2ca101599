/* SPDX-License-Identifier: Apache-2.0
 * Evaluation: mean loss and accuracy over a data set, with the parameters as they are.
 */
#include "base/deadline-private.h"
#include "train/train-private.h"
#include <math.h>

/* Samples per run: enough to fill the matrix kernels, little enough for the cache. */
enum
{
  EVALUATION_BATCH = 256
};

typedef struct
{
  double loss_sum;
  size_t n_right, n_classified;
} Score;

/* Place of the largest of N elements of row I. */
static int64_t
largest (const kt_tensor *y, int dtype, size_t i, size_t n)
{
  size_t best = 0;

  if (dtype == KT_F64)
    {
      const double *row = (const double *) y->data + i * n;
      for (size_t k = 1; k < n; k++)
        best = row[k] > row[best] ? k : best;
    }
  else
    {
      const float *row = (const float *) y->data + i * n;
      for (size_t k = 1; k < n; k++)
        best = row[k] > row[best] ? k : best;
    }
  return (int64_t) best;
}

static void
count_right (KetteRun *run, const KetteDataColumn *target, size_t first, size_t n,
             Score *score)
{
  kt_tensor y;
  int dtype;

  if (!_kette_run_output (run, 1, &y, &dtype) || !y.data || y.ndim != 2 || y.shape[1] < 2
      || y.shape[0] != (int64_t) n || (dtype != KT_F32 && dtype != KT_F64))
    return;
  for (size_t i = 0; i < n; i++)
    {
      const int64_t wanted = _kette_column_class (target, first + i);

      if (wanted < 0)
        return;
      score->n_right += largest (&y, dtype, i, (size_t) y.shape[1]) == wanted;
      score->n_classified++;
    }
}

static gboolean
run_batch (KetteTrainer *self, KetteDataset *data, size_t first, size_t n, Score *score,
           GError **error)
{
  kt_type types[2];
  KetteRun *run;
  gboolean ok;

  _kette_dataset_types (data, n, types);
  run = _kette_session_take (self->evaluation, types, NULL, error);
  if (!run)
    return FALSE;
  _kette_dataset_feed (data, run, NULL, first, n);
  _kette_run_set_step (run, self->step);
  ok = _kette_run_execute (run, KETTE_PHASE_FORWARD | KETTE_PHASE_UPDATE,
                           _kette_stop_of (NULL), error);
  if (ok)
    {
      score->loss_sum += _kette_run_scalar (run, 0) * (double) n;
      if (self->has_output && data->n_columns == 2)
        count_right (run, &data->columns[1], first, n, score);
    }
  _kette_session_give (self->evaluation, run);
  return ok;
}

static gboolean
evaluate (KetteTrainer *self, KetteDataset *data, size_t first, size_t n, double *loss,
          double *accuracy, GError **error)
{
  Score score = { 0 };

  if (!self->evaluation)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "the training step has no loss to evaluate");
  for (size_t i = 0; i < n; i += EVALUATION_BATCH)
    if (!run_batch (self, data, first + i, MIN (EVALUATION_BATCH, n - i), &score, error))
      return FALSE;
  if (loss)
    *loss = score.loss_sum / (double) n;
  if (accuracy)
    *accuracy = score.n_classified == n ? (double) score.n_right / (double) n : NAN;
  return TRUE;
}

gboolean
kette_trainer_set_validation (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                              GError **error)
{
  KetteDataset data;

  if (!_kette_trainer_dataset (self, x, t, &data, error))
    {
      _kette_error_in_file (error, self->graph->model->file);
      return FALSE;
    }
  _kette_data_hash (x, t, self->validation_hash);
  if (!_kette_checkpoint_check_validation (self, error))
    {
      _kette_dataset_clear (&data);
      _kette_error_in_file (error, self->graph->model->file);
      return FALSE;
    }
  _kette_dataset_clear (&self->validation);
  self->validation = data;
  return TRUE;
}

gboolean
kette_trainer_evaluate (KetteTrainer *self, KetteTensor *x, KetteTensor *t, double *loss,
                        double *accuracy, GError **error)
{
  KetteDataset data;
  gboolean ok;

  if (x)
    {
      ok = _kette_trainer_dataset (self, x, t, &data, error);
      if (ok)
        {
          ok = evaluate (self, &data, 0, data.n, loss, accuracy, error);
          _kette_dataset_clear (&data);
        }
    }
  else if (self->validation.n_columns > 0)
    ok = evaluate (self, &self->validation, 0, self->validation.n, loss, accuracy, error);
  else if (self->data.n_columns == 0 || self->n_train == self->data.n)
    ok = _kette_fail (error, KETTE_ERROR_VALUE, NULL, "no samples are held out");
  else
    ok = evaluate (self, &self->data, self->n_train, self->data.n - self->n_train, loss,
                   accuracy, error);
  if (!ok)
    _kette_error_in_file (error, self->graph->model->file);
  return ok;
}
