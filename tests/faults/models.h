/* SPDX-License-Identifier: Apache-2.0
 * Small models of every kind, for the tests that make things fail.
 */
#pragma once
#include "graph/graph-private.h"
#include "train/trainer.h"

typedef struct
{
  const char *name;
  char *file;            /* where it lies */
  GBytes *bytes;         /* what is in it */
  gboolean external;     /* needs the files beside it */
  const char *loss;      /* it can be trained, with this loss ("": with its own step) */
  const char *optimizer; /* NULL: "sgd" */
  gboolean resume, is_long; /* long: not in the short form */
} FaultModel;

/* Makes a folder with all models in it. */
GPtrArray *fault_models (void);
void fault_models_free (GPtrArray *models);
const char *fault_folder (void);

/* Ones, of the type and shape of input I; open dims are OPEN. */
KetteTensor *fault_input (KetteGraph *graph, guint i, gint64 open);
/* Samples and targets for a trainer of MODEL. */
void fault_samples (const FaultModel *model, KetteGraph *graph, KetteTensor **x,
                    KetteTensor **t);
void fault_options (const FaultModel *model, KetteTrainOptions *options);
/* Descriptors that are open. */
guint fault_descriptors (void);
/* Files of FOLDER whose names contain PART. */
guint fault_count_files (const char *folder, const char *part);

/* How file calls fail. */
#define FAULT_ERRORS 5
extern const struct FaultError
{
  const char *name;
  int number;        /* 0: a short count, which is no failure */
  gboolean can_last; /* may fail for ever */
} fault_errors[FAULT_ERRORS];
