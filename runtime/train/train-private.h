/* SPDX-License-Identifier: Apache-2.0
 * Training: the library's own view.
 *
 *   settings    what a training run does, every default filled in
 *   loss        a row per loss: emits nodes into the training step
 *   optimizer   a row per optimizer
 *   dataset     samples and targets as the step's inputs want them
 */
#pragma once
#include "exec/session-private.h"
#include "graph/graph-private.h"
#include "train/input.h"
#include "train/loss-scale.h"
#include "train/loss.h"
#include "train/trainer.h"

#define KETTE_TRAINING_DOMAIN "ai.onnx.preview.training"

/* Optimizers (optimizer.c) ------------------------------------------------------------------- */

enum
{
  KETTE_MOST_ATTRS = 6,
  KETTE_MOST_SLOTS = 2
};

typedef enum
{
  KETTE_FIXED, /* the value of the row */
  KETTE_BETA,  /* options' beta, else the value of the row */
  KETTE_BETA2,
  KETTE_EPSILON
} KetteCoefficient;

typedef struct
{
  const char *name, *domain, *op;
  double rate;                         /* default */
  const char *slots[KETTE_MOST_SLOTS]; /* states per parameter, zeros at first */
  gboolean has_count, count_from_one;  /* input T: none; the step; step + 1 */
  struct
  {
    const char *name, *text; /* text: of a STRING attribute */
    KetteCoefficient from;
    double value;
  } attrs[KETTE_MOST_ATTRS];
} KetteOptimizer;
const KetteOptimizer *_kette_optimizer_find (const char *name); /* or NULL */
char *_kette_optimizer_names (void);                            /* g_free */

/* Settings (settings.c) ----------------------------------------------------------------------- */

/* Texts live in the trainer's region. */
typedef struct
{
  const char *loss_name, *optimizer_name; /* NULL: the model's own step */
  const KetteLoss *loss;                  /* NULL: loss_name is a value of the graph */
  const KetteOptimizer *optimizer;
  double rate, beta, beta2, epsilon; /* as given: 0 and negative are defaults */
  double split, scale, mean, std;    /* scale 0, std 0: defaults */
  uint64_t seed;
  uint32_t batch, one_hot;
  gboolean shuffle, drop_last, no_fusion;
  const char *loss_scale;           /* as given, or NULL */
  KetteLossScale scaling;           /* what it means */
  int32_t precision;                /* KT_ROUND_* */
  const char *device;               /* NULL: the CPU */
  const char *const *place;         /* ended by NULL */
  const char *choice;               /* of "auto", from the checkpoint, or NULL */
  gboolean new_rate;                /* the checkpoint's step has another one */
  const char *freeze, *only, *init; /* patterns joined by commas, "" for none */
} KetteSettings;

/* Fills OUT from OPTIONS and, where they choose nothing and RESUME, from the metadata of
 * GRAPH's model; a choice that contradicts the checkpoint is the error `value`. */
gboolean _kette_settings_fill (KetteSettings *out, const KetteTrainOptions *options,
                               KetteGraph *graph, gboolean resume, KetteRegion *region,
                               GError **error);
/* Writes them into the model's metadata as kette.option.NAME. */
gboolean _kette_settings_save (const KetteSettings *self, KetteModel *model,
                               GError **error);
/* place.c: where steps are executed, as the caller says, else as the checkpoint BEFORE (or NULL)
 * does; CHOICE: what placement by cost chose, or NULL. */
gboolean _kette_settings_places (KetteSettings *out, const KetteTrainOptions *options,
                                 const KetteModel *before, KetteRegion *region,
                                 GError **error);
gboolean _kette_settings_save_places (const KetteSettings *self, const char *choice,
                                      KetteModel *model, GError **error);
void _kette_settings_hash (const KetteSettings *self, char out[65]);
/* The value of the attribute that ROW describes. */
double _kette_settings_coefficient (const KetteSettings *self, KetteCoefficient from,
                                    double value);
/* Does one of the comma-separated globs match? */
gboolean _kette_glob_list_match (const char *list, const char *name);
/* May training change the initializer NAME? */
gboolean _kette_settings_trains (const KetteSettings *self, const char *name);
/* The metadata entry as a number; FALSE: absent or no number. */
gboolean _kette_meta_get_u64 (const KetteModel *model, const char *key, uint64_t *out);
gboolean _kette_meta_get_double (const KetteModel *model, const char *key, double *out);
gboolean _kette_meta_set_u64 (KetteModel *model, const char *key, uint64_t v,
                              GError **error);
gboolean _kette_meta_set_double (KetteModel *model, const char *key, double v,
                                 GError **error);

/* Training mode (training-mode.c) ---------------------------------------------------------------- */

/* Copies, in the step, of forward nodes of which some do something else in training. */
typedef struct
{
  KetteValue **map;      /* by index in the main graph; NULL: there are no copies */
  KetteBinding *updates; /* running statistics */
  size_t n_updates, capacity;
} KetteTrainingCopies;

/* What TARGET depends on is copied if there is need. Cleared by the caller, after a failure,
 * too. */
gboolean _kette_training_copies_make (KetteTrainingCopies *self, KetteEmitter *e,
                                      const KetteSettings *settings,
                                      const KetteValue *target, GError **error);
/* The copy of VALUE of the main graph; NULL: it has none. */
KetteValue *_kette_training_copies_find (const KetteTrainingCopies *self,
                                         const KetteValue *value);
void _kette_training_copies_clear (KetteTrainingCopies *self);
/* Raises the model's opset to the first one in which all its operators have their training
 * mode; *raised: to which, or 0. */
gboolean _kette_training_mode_raise (KetteGraph *graph, int *raised, GError **error);
/* Is VALUE a statistic that a node of GRAPH keeps while it trains? */
gboolean _kette_is_running_statistic (const KetteGraph *graph, const KetteValue *value);

/* The step (build-step.c) ----------------------------------------------------------------------- */

/* Appends a training info to the model: loss, gradient, optimizer and step + 1 for PARAMS
 * (initializers of GRAPH, which become state). TYPED: a prepared copy of GRAPH. */
gboolean _kette_build_step (KetteGraph *graph, KetteGraph *typed,
                            const KetteSettings *settings, KetteValue *const *params,
                            size_t n_params, GError **error);
/* Drops every training info of the model. */
void _kette_drop_steps (KetteModel *model);

/* Initial weights (init.c, init-graph.c) --------------------------------------------------- */

typedef enum
{
  KETTE_INIT_NONE, /* stays as it is */
  KETTE_INIT_ZERO,
  KETTE_INIT_ONE, /* size everywhere */
  KETTE_INIT_UNIFORM,
  KETTE_INIT_NORMAL,
  KETTE_INIT_TRUNCATED,
  KETTE_INIT_IDENTITY
} KetteInitShape;

typedef struct
{
  KetteInitShape shape;
  double size; /* standard deviation; half width of a uniform one; the constant */
} KetteInit;

/* Fills PARAMS by "PATTERN=NAME" of SETTINGS; the last pattern that matches wins. used[i]
 * tells how (zeroed by the caller). */
gboolean _kette_init_parameters (KetteGraph *graph, const KetteSettings *settings,
                                 KetteValue *const *params, size_t n_params,
                                 KetteInit *used, GError **error);
gboolean _kette_init_check (const char *list, GError **error);
/* Writes the same as nodes into the newest training info: its `initialization`. */
gboolean _kette_init_record (KetteGraph *graph, KetteValue *const *params,
                             size_t n_params, const KetteInit *used, GError **error);
/* Element I of the normal stream KEY at STEP (Box-Muller in double). */
double _kette_random_normal (const uint32_t key[2], uint64_t step, uint64_t i);

/* Data (data.c) -------------------------------------------------------------------------------- */

/* What one input of the step gets per sample. */
typedef struct
{
  KetteTensor *data;            /* samples; of labels to be encoded: int32 */
  int dtype, rank;              /* of the input */
  int64_t dims[KETTE_MAX_RANK]; /* of the input; dims[0] is set per batch */
  size_t row;                   /* elements per sample */
  gboolean one_hot;             /* DATA holds a label per sample */
  KetteInputRecipe recipe;
} KetteDataColumn;

typedef struct
{
  KetteDataColumn columns[2]; /* x, t */
  size_t n_columns, n;        /* n: samples */
} KetteDataset;

/* How samples are scaled. */
typedef struct
{
  KetteInputRecipe bytes, others; /* uint8 for a float input; numbers of other types */
  gboolean scales_others;         /* otherwise they are taken as they are */
} KetteScaling;

/* X and T as inputs of types TYPES (dims unknown or symbolic where open) want them. ONE_HOT:
 * length of rows made of labels where the type leaves it open; 0: not said. */
gboolean _kette_dataset_init (KetteDataset *self, KetteTensor *x, KetteTensor *t,
                              const kt_type *types, const char *const *names,
                              size_t n_types, const KetteScaling *scaling,
                              uint32_t one_hot, GError **error);
void _kette_dataset_clear (KetteDataset *self);
/* The types of a batch of N samples. */
void _kette_dataset_types (KetteDataset *self, size_t n, kt_type *types);
/* Writes N samples, ROWS[i] or FIRST + i where ROWS is NULL, into the memory of an input. */
void _kette_column_gather (const KetteDataColumn *self, const uint32_t *rows,
                           size_t first, size_t n, void *out);
/* The samples as the inputs of RUN: where they lie, or gathered into its memory. */
void _kette_dataset_feed (const KetteDataset *self, KetteRun *run, const uint32_t *rows,
                          size_t first, size_t n);
/* The class of sample I: its label or the place of its largest element; -1: no classes. */
int64_t _kette_column_class (const KetteDataColumn *self, size_t i);

/* The trainer (trainer.c, evaluate.c, checkpoint.c, describe.c) --------------------------------- */

typedef struct
{
  KetteSession *session;
  KetteRun *runs[2]; /* full batch; last, smaller batch */
  size_t run_batch[2];
  int run_threads[2];
} KetteStage;

struct _KetteTrainer
{
  gint ref;
  KetteRegion *region;
  KetteGraph *graph;
  KetteSettings settings;
  gboolean own_step;   /* the model came with its step */
  gboolean freed;      /* the batch dimension was freed */
  int raised;          /* the opset that the model was raised to, or 0 */
  gboolean exported;   /* functions for other runtimes are in the model */
  KetteValue **params; /* candidates for training */
  uint8_t *trained;    /* per candidate */
  size_t n_params;
  KetteStage *stages; /* one per training info */
  size_t n_stages;
  gboolean has_loss, has_output; /* outputs 0 and 1 of stages and evaluation */
  KetteSession *evaluation;      /* loss and output without updates */
  kt_type input_types[2];        /* of the step's inputs; dims in the region */
  const char *input_names[2];
  size_t n_inputs;
  KetteTensor *x, *t; /* as given */
  KetteDataset data;
  uint32_t *order;   /* of the samples in this epoch; NULL: file order */
  uint64_t order_of; /* the epoch that ORDER belongs to; UINT64_MAX: none */
  uint64_t step, epoch, position;
  size_t n_train, n_used; /* samples not held out; those that an epoch uses */
  double loss_sum;        /* of the current epoch's samples */
  double last_loss;       /* mean of the last complete epoch */
  gboolean resumed, resume_anyway, skip_not_finite;
  unsigned keep;              /* older checkpoints that stay */
  uint64_t skipped, left_out; /* steps in all; samples of this epoch, not in loss_sum */
  uint64_t evaluated;         /* epochs that kette_trainer_end_epoch has seen */
  double best_metric;         /* NaN: none */
  uint64_t best_epoch;
  uint64_t epoch_step,
      epoch_overflows;     /* steps, and those that loss scaling left out, when
                                               the epoch began */
  gboolean epoch_cut;      /* it began in another process: its start is not known */
  KetteDataset validation; /* no columns: none */
  char validation_hash[65], model_hash[65]; /* "": not known */
  const char *note;                         /* about the checkpoint, or NULL */
  char data_hash[65];                       /* "": not computed yet */
  char graph_hash[65];
};

/* stage.c: sessions of the training steps and of evaluation. */
gboolean _kette_trainer_build_stages (KetteTrainer *self, GError **error);
void _kette_stage_clear (KetteStage *stage);
/* The run for N samples: RUNS[0] for full batches, RUNS[1] for others. */
KetteRun *_kette_trainer_take (KetteTrainer *self, KetteStage *stage, size_t n,
                               GError **error);
double _kette_run_scalar (KetteRun *run, size_t output);

/* loss-scale.c: an epoch is complete: did any of its steps change something? BEGIN: only
 * remembers where it begins. */
gboolean _kette_trainer_look_at_scale (KetteTrainer *self, gboolean begin,
                                       GError **error);

/* trainer.c: X and T as the inputs of the step. */
gboolean _kette_trainer_dataset (KetteTrainer *self, KetteTensor *x, KetteTensor *t,
                                 KetteDataset *out, GError **error);

/* digest.c */
gboolean _kette_graph_hash (KetteGraph *graph, char out[65], GError **error);
/* The same without the content of any floating-point initializer. */
gboolean _kette_structure_hash (KetteGraph *graph, char out[65], GError **error);
/* Mixes into STRUCTURE the initializers of GRAPH that training does not change; by name, so that
 * PARAMS may be of another graph. */
void _kette_frozen_hash (const KetteGraph *graph, const KetteSettings *settings,
                         KetteValue *const *params, const uint8_t *trained, size_t n,
                         char structure[65]);
void _kette_data_hash (const KetteTensor *x, const KetteTensor *t, char out[65]);

/* checkpoint.c */
/* Position from the metadata; an error where the graph differs from the checkpoint's. */
gboolean _kette_checkpoint_restore (KetteTrainer *self, GError **error);
gboolean _kette_checkpoint_check_data (KetteTrainer *self, GError **error);
gboolean _kette_checkpoint_check_validation (KetteTrainer *self, GError **error);
