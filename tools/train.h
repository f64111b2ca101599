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
  char **freeze, **only, **init, **models;
  double rate, every_seconds;
  int threads, batch, epochs, steps, every_epochs, log_every, one_hot;
  char *seed;
  gboolean list, dry_run, quiet, must_save;
} TrainArguments;

/* train-loop.c: trains, reports, saves. */
gboolean train_loop (TrainArguments *a, KetteTrainer *trainer, GError **error);
/* The signal that ended training early, or 0. */
int train_stop_signal (void);
