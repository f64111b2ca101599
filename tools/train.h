/* SPDX-License-Identifier: Apache-2.0
 * The verb train: command line, and the loop.
 */
#pragma once
#include "train/trainer.h"

/* What the command line says beside KetteTrainOptions. */
typedef struct
{
  KetteTrainOptions train;
  char *data, *target, *val, *val_data, *val_target, *out, *log, *loss, *optimizer;
  char *best, *on_nan, *device, *precision, *loss_scale;
  char **freeze, **only, **init, **models, **place;
  double rate, every_seconds;
  int threads, batch, epochs, steps, every_epochs, log_every, one_hot, patience, keep;
  char *seed;
  gboolean list, dry_run, quiet, must_save;
  gboolean stopped; /* by a signal; what was reached is saved */
} TrainArguments;

/* train-resume.c: the trainer, new or from the checkpoint. */
KetteTrainer *train_make_trainer (TrainArguments *a, GError **error);
/* train-loop.c: trains, reports, saves. Stopped by a signal, it saves and returns TRUE; by the
 * time limit, it saves and fails with `timeout`. */
gboolean train_loop (TrainArguments *a, KetteTrainer *trainer, GError **error);
