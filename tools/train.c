/* SPDX-License-Identifier: Apache-2.0
 * kette train: trains a model file on data files and writes the trained model.
 */
#include "train.h"
#include "model.h"
#include "verbs.h"
#include <stdio.h>
#include <string.h>

/* "X,T" into two names. */
static gboolean
split_pair (TrainArguments *a, GError **error)
{
  const char *comma = a->val ? strchr (a->val, ',') : NULL;

  if (!a->val)
    return TRUE;
  if (!comma || comma == a->val || !comma[1])
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--val needs X,T");
      return FALSE;
    }
  a->val_data   = g_strndup (a->val, (gsize) (comma - a->val));
  a->val_target = g_strdup (comma + 1);
  return TRUE;
}

static gboolean
usage_error (GError **error, const char *text)
{
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, text);
  return FALSE;
}

static gboolean
check_arguments (TrainArguments *a, GError **error)
{
  char *end;

  if (!a->models || !a->models[0] || a->models[1])
    return usage_error (error, "train needs one MODEL");
  if (!a->data && !(a->list && !a->dry_run))
    return usage_error (error, "--data FILE is missing");
  if (a->train.resume && !a->out)
    a->out = g_strdup (a->models[0]);
  if (!a->out && !a->list && !a->dry_run)
    return usage_error (error, "-o FILE is missing: where the trained model goes");
  if (a->batch < 0 || a->epochs < 0 || a->steps < 0 || a->one_hot < 0 || a->threads < 0
      || a->every_epochs < 0 || a->log_every < 0 || !(a->every_seconds >= 0)
      || a->threads > 256 || a->patience < 0 || a->keep < 1 || a->keep > 99)
    return usage_error (error, "a number is out of range");
  if (!(a->rate >= 0))
    return usage_error (error, "--lr must be above 0");
  if (a->seed)
    {
      a->train.seed = g_ascii_strtoull (a->seed, &end, 10);
      if (!g_ascii_isdigit (*a->seed) || *end || a->train.seed == KETTE_SEED_DEFAULT)
        return usage_error (error, "--seed needs a number of 64 bits");
    }
  if (!split_pair (a, error))
    return FALSE;
  if (a->val_target && !a->val_data)
    return usage_error (error, "--val-target needs --val-data");
  if (a->on_nan && strcmp (a->on_nan, "stop") != 0 && strcmp (a->on_nan, "skip") != 0)
    return usage_error (error, "--on-nan needs stop or skip");
  if (a->best && a->out && strcmp (a->best, a->out) == 0)
    return usage_error (error, "--best and -o need two files");
  a->train.skip_not_finite = a->on_nan && strcmp (a->on_nan, "skip") == 0;
  a->train.keep            = (guint) a->keep;
  a->train.loss            = a->loss;
  a->train.optimizer       = a->optimizer;
  a->train.rate            = a->rate;
  a->train.batch           = (guint) a->batch;
  a->train.one_hot         = (guint) a->one_hot;
  a->train.device          = a->device;
  a->train.precision       = a->precision;
  a->train.loss_scale      = a->loss_scale;
  a->train.place           = (const char *const *) a->place;
  a->train.freeze          = (const char *const *) a->freeze;
  a->train.only            = (const char *const *) a->only;
  a->train.init            = (const char *const *) a->init;
  return TRUE;
}

static const char examples[]
    = "  kette train net.onnx --data train-images.gz --target train-labels.gz \\\n"
      "    --loss half-sse --lr 1 --batch 10 --epochs 10 --init '*=fan-in' -o "
      "trained.onnx\n"
      "  kette train trained.onnx --data train-images.gz --target train-labels.gz \\\n"
      "    --epochs 20 --resume\n"
      "  kette train net.onnx --data x.npy --target y.npy --split 0.1 --loss "
      "cross-entropy \\\n"
      "    --optimizer adam --freeze 'features.*' -o trained.onnx\n";

static gboolean
parse (TrainArguments *a, int *argc, char ***argv, int *status)
{
  KetteTrainOptions *t         = &a->train;
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &a->data, "samples: IDX, IDX.gz, NPY", "X" },
    { "target", 0, 0, G_OPTION_ARG_FILENAME, &a->target, "targets: rows, or labels",
      "T" },
    { "val", 0, 0, G_OPTION_ARG_FILENAME, &a->val, "samples and targets to validate with",
      "X,T" },
    { "val-data", 0, 0, G_OPTION_ARG_FILENAME, &a->val_data, "the same, one by one",
      "X" },
    { "val-target", 0, 0, G_OPTION_ARG_FILENAME, &a->val_target, "their targets", "T" },
    { "split", 0, 0, G_OPTION_ARG_DOUBLE, &t->split,
      "hold the last share of the samples out", "0.1" },
    { "loss", 0, 0, G_OPTION_ARG_STRING, &a->loss,
      "half-sse, mse, l1, bce, bce-logits, cross-entropy, ...", "L" },
    { "optimizer", 0, 0, G_OPTION_ARG_STRING, &a->optimizer,
      "sgd, momentum, nesterov, adam, adagrad", "O" },
    { "lr", 0, 0, G_OPTION_ARG_DOUBLE, &a->rate, "learning rate", "R" },
    { "beta", 0, 0, G_OPTION_ARG_DOUBLE, &t->beta, "momentum; first coefficient of adam",
      "B" },
    { "beta2", 0, 0, G_OPTION_ARG_DOUBLE, &t->beta2, "second coefficient of adam", "B" },
    { "epsilon", 0, 0, G_OPTION_ARG_DOUBLE, &t->epsilon, "of adam, adagrad", "E" },
    { "batch", 0, 0, G_OPTION_ARG_INT, &a->batch, "samples per step", "N" },
    { "epochs", 0, 0, G_OPTION_ARG_INT, &a->epochs, "epochs in all (10)", "N" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &a->steps, "end at this step at the latest", "N" },
    { "seed", 0, 0, G_OPTION_ARG_STRING, &a->seed, "of shuffling, fresh weights, dropout",
      "S" },
    { "no-shuffle", 0, 0, G_OPTION_ARG_NONE, &t->no_shuffle, "samples in file order",
      NULL },
    { "drop-last", 0, 0, G_OPTION_ARG_NONE, &t->drop_last,
      "leave a smaller last batch out", NULL },
    { "freeze", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->freeze,
      "parameters that stay as they are", "GLOB" },
    { "only", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->only, "the only parameters to train",
      "GLOB" },
    { "init", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->init,
      "fresh weights: fan-in, he, glorot-uniform, n01, ...", "GLOB=NAME" },
    { "scale", 0, 0, G_OPTION_ARG_DOUBLE, &t->scale,
      "factor of the samples (1/255 for bytes)", "F" },
    { "mean", 0, 0, G_OPTION_ARG_DOUBLE, &t->mean, "subtracted behind that", "M" },
    { "std", 0, 0, G_OPTION_ARG_DOUBLE, &t->std, "divided by behind that", "D" },
    { "one-hot", 0, 0, G_OPTION_ARG_INT, &a->one_hot, "length of rows made of labels",
      "K" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &a->out,
      "the trained model, also the checkpoint", "FILE" },
    { "resume", 0, 0, G_OPTION_ARG_NONE, &t->resume,
      "go on from FILE of -o where it is there", NULL },
    { "resume-anyway", 0, 0, G_OPTION_ARG_NONE, &t->resume_anyway,
      "even if options, data or graph differ", NULL },
    { "every-epochs", 0, 0, G_OPTION_ARG_INT, &a->every_epochs,
      "save every N epochs (1); 0: at the end", "N" },
    { "every-seconds", 0, 0, G_OPTION_ARG_DOUBLE, &a->every_seconds,
      "save every S seconds", "S" },
    { "keep", 0, 0, G_OPTION_ARG_INT, &a->keep,
      "older checkpoints that stay as FILE.1, FILE.2, ... (1)", "N" },
    { "best", 0, 0, G_OPTION_ARG_FILENAME, &a->best,
      "the model of the epoch with the smallest validation loss", "FILE" },
    { "patience", 0, 0, G_OPTION_ARG_INT, &a->patience,
      "end after N epochs without a smaller validation loss", "N" },
    { "on-nan", 0, 0, G_OPTION_ARG_STRING, &a->on_nan,
      "a loss that is not finite: stop, or skip the step", "stop|skip" },
    { "save-must-succeed", 0, 0, G_OPTION_ARG_NONE, &a->must_save,
      "end when a checkpoint cannot be written", NULL },
    { "no-fusion", 0, 0, G_OPTION_ARG_NONE, &t->no_fusion,
      "run each node on its own; the same bits, slower", NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &a->device,
      "where: cpu, auto, or what kette ops --devices lists, such as cuda, cuda:1", "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &a->place,
      "nodes whose name or operator fits go there; the first rule that fits counts",
      "GLOB=D" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &a->precision,
      "of products' factors, on devices that have it: f32, tf32, bf16", "P" },
    { "loss-scale", 0, 0, G_OPTION_ARG_STRING, &a->loss_scale,
      "of the loss under gradients; steps that overflow are left out", "N|dynamic" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &a->threads,
      "threads; the results do not depend on it", "N" },
    { "log", 0, 0, G_OPTION_ARG_FILENAME, &a->log, "a row per epoch", "FILE.csv" },
    { "log-every", 0, 0, G_OPTION_ARG_INT, &a->log_every, "and a row every N steps",
      "N" },
    { "list", 0, 0, G_OPTION_ARG_NONE, &a->list,
      "list the parameters and what is done with them", NULL },
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &a->dry_run,
      "say what would be done, with the plan of a step", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &a->quiet, "say nothing but errors", NULL },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &a->models, NULL, NULL },
    { NULL }
  };
  g_autoptr (GError) error = NULL;

  if (!kette_tool_parse (
          argc, argv, entries, "MODEL --data X [--target T] -o FILE",
          "Trains a model. What is written is an ordinary ONNX model that holds the "
          "training step as well.\nThe first Ctrl-C finishes the step and saves.",
          examples, status))
    return FALSE;
  if (check_arguments (a, &error))
    return TRUE;
  *status = kette_tool_usage ("%s", error->message);
  return FALSE;
}

static gboolean
load_data (const TrainArguments *a, KetteTrainer *trainer, GError **error)
{
  g_autoptr (KetteTensor) x = kette_tensor_load (a->data, error);
  g_autoptr (KetteTensor) t
      = x && a->target ? kette_tensor_load (a->target, error) : NULL;

  if (!x || (a->target && !t) || !kette_trainer_set_data (trainer, x, t, error))
    return FALSE;
  if (!a->val_data)
    return TRUE;

  g_autoptr (KetteTensor) val_x = kette_tensor_load (a->val_data, error);
  g_autoptr (KetteTensor) val_t
      = val_x && a->val_target ? kette_tensor_load (a->val_target, error) : NULL;

  return val_x && (val_t || !a->val_target)
         && kette_trainer_set_validation (trainer, val_x, val_t, error);
}

/* Everything that is said before, or instead of, training. */
static gboolean
announce (const TrainArguments *a, KetteTrainer *trainer, GError **error)
{
  if (a->list)
    {
      g_autofree char *list = kette_trainer_list (trainer);
      g_print ("%s", list);
    }
  if (a->dry_run || (!a->quiet && !a->list))
    {
      g_autofree char *text = kette_trainer_describe (trainer);
      g_print ("%s", text);
    }
  if (a->dry_run)
    {
      g_autofree char *plan = kette_trainer_plan (trainer, error);
      if (!plan)
        return FALSE;
      g_print ("%s", plan);
    }
  else if (a->place && a->data && !a->list)
    {
      g_autofree char *idle = kette_trainer_find_idle_places (trainer, error);
      if (!idle)
        return FALSE;
      if (*idle)
        fprintf (stderr, "warning: %s: %s\n", a->models[0], idle);
    }
  return TRUE;
}

static void
free_arguments (TrainArguments *a)
{
  char *texts[]  = { a->data, a->target, a->val,    a->val_data,  a->val_target,
                     a->out,  a->log,    a->loss,   a->seed,      a->optimizer,
                     a->best, a->on_nan, a->device, a->precision, a->loss_scale };
  char **lists[] = { a->freeze, a->only, a->init, a->models, a->place };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    g_strfreev (lists[i]);
}

static gboolean
run (TrainArguments *a, GError **error)
{
  g_autoptr (KetteTrainer) trainer = NULL;

  kette_set_threads (a->threads);
  trainer = train_make_trainer (a, error);
  if (!trainer || (a->data && !load_data (a, trainer, error))
      || !announce (a, trainer, error))
    return FALSE;
  return a->list || a->dry_run || train_loop (a, trainer, error);
}

int
kette_verb_train (int argc, char **argv)
{
  TrainArguments a         = { .epochs = 10, .every_epochs = 1, .keep = 1 };
  g_autoptr (GError) error = NULL;
  int status               = 0;

  kette_train_options_init (&a.train);
  if (parse (&a, &argc, &argv, &status))
    {
      if (!run (&a, &error))
        status = kette_tool_fail (error);
      else if (a.stopped)
        status = 128 + kette_tool_signal ();
    }
  free_arguments (&a);
  return status;
}
