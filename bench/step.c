/* SPDX-License-Identifier: Apache-2.0
 * W1: a training step of the lecture's network (784-30-10, sigmoid, half-sse, SGD, batch 10),
 * Kette's against one written by hand in C with the same OpenBLAS in the same process. Both
 * start from the same weights and see the same batches in the same order; the weights must
 * agree before anything is timed.
 *
 * step MODEL [SECONDS]; one line of JSON. step MODEL serve [THREADS]: for the driver.
 */
#include "kette.h"
#include "serve.h"
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  IN      = 784,
  HIDDEN  = 30,
  OUT     = 10,
  BATCH   = 10,
  SAMPLES = 1000
};

static float samples[SAMPLES * IN], targets[SAMPLES * OUT];

/* -- by hand ------------------------------------------------------------------------------ */

typedef struct
{
  float w1[IN * HIDDEN], b1[HIDDEN], w2[HIDDEN * OUT], b2[OUT];
  float h[BATCH * HIDDEN], y[BATCH * OUT], dz2[BATCH * OUT], dz1[BATCH * HIDDEN];
  int at;
} hand;

static void
activate (float *z, const float *bias, int n)
{
  for (int i = 0; i < BATCH; i++)
    for (int k = 0; k < n; k++)
      z[i * n + k] = 1.0f / (1.0f + expf (-(z[i * n + k] + bias[k])));
}

static void
subtract_columns (float *bias, const float *dz, int n, float rate)
{
  for (int k = 0; k < n; k++)
    {
      float sum = 0;
      for (int i = 0; i < BATCH; i++)
        sum += dz[i * n + k];
      bias[k] -= rate * sum;
    }
}

static void
hand_step (void *user)
{
  hand *net      = user;
  const float *x = samples + net->at * BATCH * IN, *t = targets + net->at * BATCH * OUT;
  const float rate = 1.0f;

  net->at = (net->at + 1) % (SAMPLES / BATCH);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, BATCH, HIDDEN, IN, 1, x, IN,
               net->w1, HIDDEN, 0, net->h, HIDDEN);
  activate (net->h, net->b1, HIDDEN);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, BATCH, OUT, HIDDEN, 1, net->h,
               HIDDEN, net->w2, OUT, 0, net->y, OUT);
  activate (net->y, net->b2, OUT);
  for (int i = 0; i < BATCH * OUT; i++)
    net->dz2[i] = (net->y[i] - t[i]) / BATCH * net->y[i] * (1 - net->y[i]);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, BATCH, HIDDEN, OUT, 1, net->dz2,
               OUT, net->w2, OUT, 0, net->dz1, HIDDEN);
  for (int i = 0; i < BATCH * HIDDEN; i++)
    net->dz1[i] *= net->h[i] * (1 - net->h[i]);
  /* The update is folded into the products: W -= rate * X^T dZ. */
  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, HIDDEN, OUT, BATCH, -rate, net->h,
               HIDDEN, net->dz2, OUT, 1, net->w2, OUT);
  subtract_columns (net->b2, net->dz2, OUT, rate);
  cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, IN, HIDDEN, BATCH, -rate, x, IN,
               net->dz1, HIDDEN, 1, net->w1, HIDDEN);
  subtract_columns (net->b1, net->dz1, HIDDEN, rate);
}

/* -- Kette -------------------------------------------------------------------------------- */

static void
kette_step (void *user)
{
  g_autoptr (GError) error = NULL;

  if (!kette_trainer_step (user, NULL, NULL, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      exit (1);
    }
}

static KetteTensor *
tensor_of (const float *data, gint64 rows, gint64 columns)
{
  KetteTensor *t = kette_tensor_new (1, (const gint64[]){ rows, columns }, 2, NULL);

  memcpy (kette_tensor_get_data (t), data, (size_t) (rows * columns) * sizeof *data);
  return t;
}

static void
copy_parameter (KetteGraph *graph, const char *name, float *out)
{
  const KetteTensor *t = kette_graph_get_parameter (graph, name);

  memcpy (out, kette_tensor_get_data (t), kette_tensor_get_count (t) * sizeof *out);
}

static double
distance (const float *a, const float *b, int n)
{
  double difference = 0, norm = 0;

  for (int i = 0; i < n; i++)
    {
      difference += pow ((double) a[i] - (double) b[i], 2);
      norm += pow ((double) b[i], 2);
    }
  return sqrt (difference / norm);
}

static void
make_data (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  for (int i = 0; i < SAMPLES * IN; i++)
    samples[i] = (float) g_rand_double (random);
  for (int i = 0; i < SAMPLES; i++)
    targets[i * OUT + g_rand_int_range (random, 0, OUT)] = 1;
}

/* The weights were compared before. */
static long
nothing_to_check (void *user, FILE *file)
{
  (void) user;
  (void) file;
  return 0;
}

int
main (int argc, char **argv)
{
  static hand net;
  static float w1[IN * HIDDEN];
  g_autoptr (GError) error = NULL;
  const int serve          = argc > 2 && !strcmp (argv[2], "serve");
  const double seconds     = argc > 2 ? atof (argv[2]) : 0.3;
  KetteTrainOptions options;
  bench_result result;

  make_data ();
  kette_set_threads (serve && argc > 3 ? atoi (argv[3]) : 1);
  g_autoptr (KetteGraph) graph = kette_graph_load (argv[1], &error);
  if (!graph)
    return fprintf (stderr, "%s\n", error->message), 1;
  copy_parameter (graph, "layer1.W", net.w1);
  copy_parameter (graph, "layer1.b", net.b1);
  copy_parameter (graph, "layer2.W", net.w2);
  copy_parameter (graph, "layer2.b", net.b2);

  kette_train_options_init (&options);
  options.loss                     = "half-sse";
  options.optimizer                = "sgd";
  options.rate                     = 1;
  options.batch                    = BATCH;
  options.no_shuffle               = TRUE;
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, &error);
  g_autoptr (KetteTensor) x        = tensor_of (samples, SAMPLES, IN);
  g_autoptr (KetteTensor) t        = tensor_of (targets, SAMPLES, OUT);
  if (!trainer || !kette_trainer_set_data (trainer, x, t, &error))
    return fprintf (stderr, "%s\n", error->message), 1;

  for (int i = 0; i < 100; i++)
    {
      hand_step (&net);
      kette_step (trainer);
    }
  copy_parameter (graph, "layer1.W", w1);
  const double apart = distance (w1, net.w1, IN * HIDDEN);
  if (!(apart < 1e-5))
    return fprintf (stderr, "after 100 steps the weights are %.3g apart\n", apart), 1;

  const bench_subject subjects[]
      = { { "hand", hand_step, &net }, { "kette", kette_step, trainer } };
  if (serve)
    return bench_serve (subjects, 2, nothing_to_check, NULL, PROJECT_VERSION);
  bench_measure (subjects, 2, seconds < 0.05 ? 3 : 11, seconds, &result);
  printf (
      "{\"bench\": \"W1\", \"what\": \"training step 784-30-10, batch 10, 1 thread\", "
      "\"hand_us\": %.2f, \"kette_us\": %.2f, \"ratio\": %.3f, \"least\": %.3f, "
      "\"most\": %.3f, "
      "\"weights_apart\": %.2g, \"goal\": 1.4}\n",
      result.median[0], result.median[1], result.ratio[1], result.least[1],
      result.most[1], apart);
  return 0;
}
