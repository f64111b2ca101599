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
 * KETTE_SEED_DEFAULT:
 *
 * No seed was chosen: the checkpoint's when resuming, otherwise 0.
 */
#define KETTE_SEED_DEFAULT G_MAXUINT64

/**
 * KetteTrainOptions:
 * @loss: "half-sse", "mse", "cross-entropy", ..., or a scalar value of the graph; %NULL: the
 *   model's own training step, "half-sse" where it has none
 * @optimizer: "sgd", "momentum", "nesterov", "adam", "adagrad"; %NULL: "sgd"
 * @rate: learning rate; 0: the optimizer's default
 * @beta: momentum's alpha, Adam's first coefficient; negative: the default
 * @beta2: Adam's second coefficient; negative: the default
 * @epsilon: what keeps a division from zero; negative: the default
 * @batch: samples per step; 0: the default, 32
 * @seed: of shuffling, initial weights and random operators; KETTE_SEED_DEFAULT: not chosen
 * @freeze: (array zero-terminated=1) (nullable): globs of parameters that stay as they are
 * @init: (array zero-terminated=1) (nullable): "PATTERN=NAME": fresh weights, e.g. "*=fan-in";
 *   the last pattern that matches a name wins
 * @no_shuffle: take the samples in file order
 * @drop_last: leave out a last, smaller batch
 * @only: (array zero-terminated=1) (nullable): globs: only these parameters are trained
 * @split: share of the samples, the last ones, that is held out for validation; 0: none
 * @scale: factor of the inputs; 0: 1/255 for uint8, 1 for others
 * @mean: subtracted from the scaled inputs
 * @std: what they are divided by afterwards; 0: 1
 * @one_hot: length of the one-hot rows made of labels; 0: as the target needs
 * @resume: continue from the position that the model was saved at
 * @resume_anyway: continue even if options, data or graph differ from those of the checkpoint
 * @skip_not_finite: a step whose loss is not finite is left out and counted; otherwise it is an
 *   error
 * @keep: how many older files kette_trainer_save() keeps as FILE.1, FILE.2, ...; 0: one
 * @no_fusion: each node runs on its own; the results are the same bits
 * @device: where, as kette_session_new_on() has it; %NULL: the CPU
 * @place: exceptions, ended by %NULL, as kette_session_new_on() has them; or %NULL
 * @precision: (nullable): to what products and convolutions of float32 round their factors:
 *   "tf32", "bf16"; "f32": not at all. %NULL: the checkpoint's when resuming, otherwise "f32".
 *   Sums, gradients, parameters and states stay float32. A device must have it, else making the
 *   trainer fails
 * @loss_scale: (nullable): gradients are computed of the loss times this, and updates divide by
 *   it: a number; or "dynamic[:START[:STEPS]]" (32768, 2000): halved by a step whose gradients
 *   are not all finite, doubled after STEPS others in a row. Steps whose gradients are not finite
 *   are left out. %NULL: no scaling, which is what f32, tf32 and bf16 need: all have float32's
 *   range
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
  const char *const *only;
  double split, scale, mean, std;
  guint one_hot;
  gboolean resume, resume_anyway, skip_not_finite;
  guint keep;
  gboolean no_fusion;
  const char *device;
  const char *const *place;
  const char *precision, *loss_scale;
  gpointer reserved[4];
} KetteTrainOptions;
KETTE_EXPORT void kette_train_options_init (KetteTrainOptions *options);

/**
 * KetteTrainState:
 * @step: updates made so far
 * @epoch: epochs completed
 * @position: samples of the current epoch that were used
 * @n_samples: samples that an epoch uses
 * @n_held_out: samples held out for validation
 * @batch: samples per step
 * @epoch_loss: mean loss of the current epoch's samples so far, or of the last complete
 *   epoch where a new one has not begun
 * @rate: learning rate
 * @skipped: steps that were left out because their loss was not finite
 * @evaluated: epochs that kette_trainer_end_epoch() was told of
 * @best_epoch: the one of @best_metric
 * @best_metric: the smallest that kette_trainer_end_epoch() was given; NaN: none
 *
 * Where training stands.
 */
typedef struct
{
  guint64 step, epoch, position, n_samples, n_held_out, batch;
  double epoch_loss, rate;
  guint64 skipped, evaluated, best_epoch;
  double best_metric;
} KetteTrainState;

/**
 * kette_graph_is_checkpoint:
 * @self: a graph
 *
 * Returns: whether training can be resumed from it: it holds a training step and says where
 *   training stands
 */
KETTE_EXPORT gboolean kette_graph_is_checkpoint (KetteGraph *self);
/**
 * kette_trainer_new:
 * @graph: the model; it is changed by training
 * @options: how to train
 * @error: return location
 *
 * Adds the training step to the graph (its `training_info`), frees a fixed batch dimension,
 * initialises what @options ask for. A graph that holds a step already continues with it if
 * no loss is chosen, or if it is resumed.
 *
 * Returns: (transfer full) (nullable): the trainer
 */
KETTE_EXPORT KetteTrainer *kette_trainer_new (KetteGraph *graph,
                                              const KetteTrainOptions *options,
                                              GError **error);
KETTE_EXPORT KetteTrainer *kette_trainer_ref (KetteTrainer *self);
KETTE_EXPORT void kette_trainer_unref (KetteTrainer *self);
/**
 * kette_trainer_set_data:
 * @self: a trainer
 * @x: samples, dim 0 counts them; uint8 images are scaled by 1/255
 * @t: (nullable): targets: one row per sample, or labels of an integer type (one-hot encoded
 *   where the loss wants rows); %NULL where the step reads none
 * @error: return location
 *
 * Returns: %FALSE with `shape`, `type` or `value`
 */
KETTE_EXPORT gboolean kette_trainer_set_data (KetteTrainer *self, KetteTensor *x,
                                              KetteTensor *t, GError **error);
/**
 * kette_trainer_set_validation:
 * @self: a trainer
 * @x: samples to validate with
 * @t: (nullable): their targets
 * @error: return location
 *
 * Returns: %FALSE with `shape`, `type` or `value`; `value` too where a resumed run was validated
 *   with other data before
 */
KETTE_EXPORT gboolean kette_trainer_set_validation (KetteTrainer *self, KetteTensor *x,
                                                    KetteTensor *t, GError **error);
/**
 * kette_trainer_check_model:
 * @self: a trainer that was resumed
 * @model: the model that the caller believes was trained
 * @error: return location
 *
 * Returns: %FALSE with `value` if the checkpoint was made from another model: other nodes,
 *   shapes, constants or frozen weights
 */
KETTE_EXPORT gboolean kette_trainer_check_model (KetteTrainer *self, KetteGraph *model,
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
KETTE_EXPORT gboolean kette_trainer_step (KetteTrainer *self, double *loss,
                                          GCancellable *cancellable, GError **error);
/**
 * kette_trainer_epoch:
 * @self: a trainer with data
 * @loss: (out) (optional): mean loss of the epoch's samples
 * @cancellable: (nullable): stops before an update
 * @error: return location
 *
 * Steps until the current epoch is complete.
 *
 * Returns: %FALSE on error
 */
KETTE_EXPORT gboolean kette_trainer_epoch (KetteTrainer *self, double *loss,
                                           GCancellable *cancellable, GError **error);
/**
 * kette_trainer_end_epoch:
 * @self: a trainer
 * @metric: what is to become small: a validation loss, or 1 - accuracy; NaN: none
 * @best_file: (nullable): where the best model so far is kept
 * @better: (out) (optional): whether @metric is smaller than all before
 * @error: return location
 *
 * Called when an epoch is complete and was evaluated. Checkpoints know the best metric, so
 * that a resumed run does not write a worse model to @best_file.
 *
 * Returns: %FALSE if @best_file could not be written; the call can be repeated
 */
KETTE_EXPORT gboolean kette_trainer_end_epoch (KetteTrainer *self, double metric,
                                               const char *best_file, gboolean *better,
                                               GError **error);
/**
 * kette_trainer_evaluate:
 * @self: a trainer
 * @x: (nullable): samples; %NULL: those of kette_trainer_set_validation(), else those that
 *   @split held out
 * @t: (nullable): targets
 * @loss: (out) (optional): mean loss
 * @accuracy: (out) (optional): share of samples whose largest output is the target's; NaN
 *   where the outputs are no rows of at least two classes
 * @error: return location
 *
 * Returns: %FALSE on error
 */
KETTE_EXPORT gboolean kette_trainer_evaluate (KetteTrainer *self, KetteTensor *x,
                                              KetteTensor *t, double *loss,
                                              double *accuracy, GError **error);
/**
 * kette_trainer_save:
 * @self: a trainer
 * @file: the model file to write
 * @error: return location
 *
 * Writes the model with its training step, optimizer state and position: a checkpoint that
 * is an ordinary ONNX file. The old file stays as FILE.1.
 *
 * Returns: %FALSE with `io`, or `value` where a trained parameter is not finite: the old file
 *   is as it was
 */
KETTE_EXPORT gboolean kette_trainer_save (KetteTrainer *self, const char *file,
                                          GError **error);
/**
 * kette_trainer_get_state:
 * @self: a trainer
 * @state: (out): where training stands
 */
KETTE_EXPORT void kette_trainer_get_state (KetteTrainer *self, KetteTrainState *state);
/**
 * kette_trainer_get_loss_scale:
 * @self: a trainer
 * @scale: (out) (optional): by what the loss is multiplied in the next step; 0: there is no
 *   scaling
 * @skipped: (out) (optional): steps that were left out because a gradient was not finite
 * @error: return location
 *
 * Where training runs on a device, waits for it.
 *
 * Returns: %FALSE with `device`
 */
KETTE_EXPORT gboolean kette_trainer_get_loss_scale (KetteTrainer *self, double *scale,
                                                    guint64 *skipped, GError **error);
/**
 * kette_trainer_describe:
 * @self: a trainer
 *
 * The values that training uses, defaults filled in, one "NAME VALUE" a line; notes follow.
 *
 * Returns: (transfer full): readable text
 */
KETTE_EXPORT char *kette_trainer_describe (KetteTrainer *self);
/**
 * kette_trainer_list:
 * @self: a trainer
 *
 * One line per parameter: what is done with it and why.
 *
 * Returns: (transfer full): readable text
 */
KETTE_EXPORT char *kette_trainer_list (KetteTrainer *self);
/**
 * kette_trainer_plan:
 * @self: a trainer
 * @error: return location
 *
 * The plan of one step: its kernels in order, and the memory that it takes.
 *
 * Returns: (transfer full) (nullable): readable text
 */
KETTE_EXPORT char *kette_trainer_plan (KetteTrainer *self, GError **error);
/**
 * kette_trainer_find_idle_places:
 * @self: a trainer with data
 * @error: return location
 *
 * Returns: (transfer full) (nullable): as kette_session_find_idle_places(), of a step
 */
KETTE_EXPORT char *kette_trainer_find_idle_places (KetteTrainer *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KetteTrainer, kette_trainer_unref)
G_END_DECLS
