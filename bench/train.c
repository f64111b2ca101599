/* SPDX-License-Identifier: Apache-2.0
 * Kette's training step, for the driver: plain SGD, samples in file order.
 *
 * train MODEL X.npy T.npy LOSS RATE BATCH THREADS; the numbers to compare are the losses of the
 * first steps.
 */
#include "kette.h"
#include "serve.h"
#include <stdlib.h>

enum
{
  CURVE = 20
};

static float curve[CURVE];
static int n_curve;

static void
die (GError *error)
{
  fprintf (stderr, "%s\n", error ? error->message : "no memory");
  exit (1);
}

static void
step (void *trainer)
{
  GError *error = NULL;

  if (!kette_trainer_step (trainer, NULL, NULL, &error))
    die (error);
}

static void
step_seen (KetteTrainer *trainer)
{
  GError *error = NULL;
  double loss;

  if (!kette_trainer_step (trainer, &loss, NULL, &error))
    die (error);
  curve[n_curve++] = (float) loss;
}

static long
write_curve (void *trainer, FILE *file)
{
  while (n_curve < CURVE)
    step_seen (trainer);
  return fwrite (curve, sizeof *curve, CURVE, file) == CURVE ? CURVE : -1;
}

int
main (int argc, char **argv)
{
  KetteTrainOptions options;
  GError *error = NULL;

  if (argc != 8)
    return fprintf (stderr, "train MODEL X.npy T.npy LOSS RATE BATCH THREADS\n"), 1;
  kette_set_threads (atoi (argv[7]));
  kette_train_options_init (&options);
  options.loss       = argv[4];
  options.optimizer  = "sgd";
  options.rate       = atof (argv[5]);
  options.batch      = (guint) atoi (argv[6]);
  options.no_shuffle = TRUE;

  g_autoptr (KetteGraph) graph = kette_graph_load (argv[1], &error);
  g_autoptr (KetteTensor) x    = graph ? kette_tensor_load (argv[2], &error) : NULL;
  g_autoptr (KetteTensor) t    = x ? kette_tensor_load (argv[3], &error) : NULL;
  g_autoptr (KetteTrainer) trainer
      = t ? kette_trainer_new (graph, &options, &error) : NULL;
  if (!trainer || !kette_trainer_set_data (trainer, x, t, &error))
    die (error);
  step_seen (trainer);

  const bench_subject subjects[] = { { "kette", step, trainer } };
  return bench_serve (subjects, 1, write_curve, trainer, PROJECT_VERSION);
}
