/* SPDX-License-Identifier: Apache-2.0
 * Public: training.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * KetteTrainer:
 *
 * Trains a graph: loss, gradients and optimizer are nodes of the graph's training step.
 */
typedef struct _KetteTrainer KetteTrainer;
#define KETTE_TYPE_TRAINER (kette_trainer_get_type ())
KETTE_EXPORT GType kette_trainer_get_type (void);

/**
 * KetteTrainOptions:
 * @loss: "half-sse", "mse", "cross-entropy", ...; %NULL: the model's own training step
 * @optimizer: "sgd", "momentum", "nesterov", "adam", "adagrad"
 * @rate: learning rate; 0: the optimizer's default
 * @beta: momentum's alpha, Adam's first coefficient; negative: the default
 * @batch: samples per step
 * @seed: of shuffling, initial weights and random operators
 * @freeze: (array zero-terminated=1) (nullable): globs of parameters that stay as they are
 * @init: (array zero-terminated=1) (nullable): "PATTERN=NAME": fresh weights, e.g. "*=fan-in"
 * @no_shuffle: take the samples in file order
 * @drop_last: leave out a last, smaller batch
 *
 * How to train. Start from kette_train_options_init().
 */
typedef struct
{
  const char *loss, *optimizer;
  double rate, beta, beta2, epsilon;
  guint batch;
  guint64 seed;
  const char *const *freeze, *const *init;
  gboolean no_shuffle, drop_last;
  gpointer reserved[4];
} KetteTrainOptions;
KETTE_EXPORT void kette_train_options_init (KetteTrainOptions *options);

/**
 * kette_trainer_new:
 * @graph: the model; it is changed by training
 * @options: how to train
 * @error: return location
 *
 * Adds the training step to the graph (its `training_info`), frees a fixed batch dimension,
 * initialises what @options ask for. A graph that holds a step already continues with it.
 *
 * Returns: (transfer full) (nullable): the trainer
 */
KETTE_EXPORT KetteTrainer *kette_trainer_new (KetteGraph *graph, const KetteTrainOptions *options,
                                              GError **error);
KETTE_EXPORT KetteTrainer *kette_trainer_ref (KetteTrainer *self);
KETTE_EXPORT void kette_trainer_unref (KetteTrainer *self);
/**
 * kette_trainer_set_data:
 * @self: a trainer
 * @x: samples, dim 0 counts them; uint8 images are scaled by 1/255
 * @t: targets: one row per sample, or labels of an integer type (one-hot encoded where the
 *   loss wants rows)
 * @error: return location
 *
 * Returns: %FALSE with `shape`, `type` or `value`
 */
KETTE_EXPORT gboolean kette_trainer_set_data (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                                              GError **error);
/**
 * kette_trainer_step:
 * @self: a trainer with data
 * @loss: (out) (optional): the loss before the update
 * @cancellable: (nullable): stops before the update
 * @error: return location
 *
 * The next mini-batch: forward, loss, gradients, update.
 *
 * Returns: %FALSE on error; a loss that is not finite is `value`, and nothing was updated
 */
KETTE_EXPORT gboolean kette_trainer_step (KetteTrainer *self, double *loss, GCancellable *cancellable,
                                          GError **error);
/**
 * kette_trainer_epoch:
 * @self: a trainer with data
 * @loss: (out) (optional): mean loss of the epoch's samples
 * @error: return location
 *
 * Steps until the current epoch is complete.
 *
 * Returns: %FALSE on error
 */
KETTE_EXPORT gboolean kette_trainer_epoch (KetteTrainer *self, double *loss, GCancellable *cancellable,
                                           GError **error);
/**
 * kette_trainer_evaluate:
 * @self: a trainer
 * @x: samples
 * @t: targets
 * @loss: (out) (optional): mean loss
 * @accuracy: (out) (optional): share of samples whose largest output is the target's
 * @error: return location
 *
 * Returns: %FALSE on error
 */
KETTE_EXPORT gboolean kette_trainer_evaluate (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                                              double *loss, double *accuracy, GError **error);
/**
 * kette_trainer_save:
 * @self: a trainer
 * @file: the model file to write
 * @error: return location
 *
 * Writes the model with its training step, optimizer state and position: a checkpoint that
 * is an ordinary ONNX file.
 *
 * Returns: %FALSE with `io`
 */
KETTE_EXPORT gboolean kette_trainer_save (KetteTrainer *self, const char *file, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KetteTrainer, kette_trainer_unref)
G_END_DECLS
