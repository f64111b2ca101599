/* SPDX-License-Identifier: Apache-2.0
 * A training step of a network of dense layers: Kette's against two that are written by hand
 * in C, one with the same products and one with OpenBLAS alone, in the same process. All start
 * from the same weights and see the same batches in the same order; the weights must agree
 * before anything is timed.
 *
 * step MODEL LOSS RATE BATCH [THREADS [SECONDS]]; one line of JSON. SECONDS "serve": for the
 * driver. LOSS is half-sse (sigmoids) or cross-entropy (relus).
 */
#include "hand.h"
#include "kette.h"
#include "serve.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  SAMPLES = 1024, /* or a few less: whole batches */
  STEPS   = 30    /* before the weights are compared */
};

static void
die (GError *error)
{
  fprintf (stderr, "%s\n", error ? error->message : "no memory");
  exit (1);
}

static void
kette_step (void *user)
{
  GError *error = NULL;

  if (!kette_trainer_step (user, NULL, NULL, &error))
    die (error);
}

static void *
memory (size_t n, size_t size)
{
  void *p = aligned_alloc (64, (n * size + 63) & ~(size_t) 63);

  if (!p)
    die (NULL);
  return memset (p, 0, n * size);
}

/* The parameter of dense layer L, in the names of the lecture or of network.py. */
static KetteTensor *
parameter (KetteGraph *graph, int l, bool bias)
{
  for (int i = 0, seen = 0; i < 4 * HAND_MOST_LAYERS; i++)
    for (int style = 0; style < 2; style++)
      {
        char name[32];
        snprintf (name, sizeof name, style ? "fc%d.%s" : "layer%d.%s", i,
                  style ? (bias ? "bias" : "weight") : (bias ? "b" : "W"));
        KetteTensor *t = kette_graph_get_parameter (graph, name);
        if (t && seen++ == l)
          return t;
      }
  return NULL;
}

/* Dims and weights of the network; it must be one of dense layers. */
static void
read_network (KetteGraph *graph, hand_net *net)
{
  for (int l = 0; l < HAND_MOST_LAYERS; l++)
    {
      KetteTensor *w = parameter (graph, l, false), *b = parameter (graph, l, true);
      if (!w || !b)
        break;
      const gint64 *dims = kette_tensor_get_dims (w, NULL);
      const int out      = (int) kette_tensor_get_count (b);
      const size_t n     = kette_tensor_get_count (w);
      net->turned        = dims[0] == out && (l == 0 || net->turned);
      net->dims[l]       = (int) n / out;
      net->dims[l + 1]   = out;
      net->w[l]          = memory (n, sizeof (float));
      net->b[l]          = memory ((size_t) out, sizeof (float));
      memcpy (net->w[l], kette_tensor_get_data (w), n * sizeof (float));
      memcpy (net->b[l], kette_tensor_get_data (b), (size_t) out * sizeof (float));
      net->n_layers = l + 1;
    }
  if (net->n_layers == 0)
    {
      fprintf (stderr, "no dense layers\n");
      exit (1);
    }
}

static double
apart (KetteGraph *graph, const hand_net *net)
{
  double most = 0;

  for (int l = 0; l < net->n_layers; l++)
    {
      const KetteTensor *t = parameter (graph, l, false);
      const float *w       = kette_tensor_get_data ((KetteTensor *) t);
      double difference = 0, norm = 0;
      for (size_t i = 0; i < kette_tensor_get_count (t); i++)
        {
          difference += pow ((double) w[i] - (double) net->w[l][i], 2);
          norm += pow ((double) w[i], 2);
        }
      most = fmax (most, sqrt (difference / norm));
    }
  return most;
}

/* Samples between 0 and 1, a label for each. */
static KetteTensor *
make_data (hand_net *net, KetteTensor **targets)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  const int in = net->dims[0], out = net->dims[net->n_layers];
  KetteTensor *x = kette_tensor_new (1, (const gint64[]){ net->samples, in }, 2, NULL);
  float *data    = kette_tensor_get_data (x);
  int *labels    = memory ((size_t) net->samples, sizeof *labels);
  float *one_hot = memory ((size_t) net->samples * (size_t) out, sizeof *one_hot);

  for (int i = 0; i < net->samples * in; i++)
    data[i] = (float) g_rand_double (random);
  for (int i = 0; i < net->samples; i++)
    {
      labels[i]                    = g_rand_int_range (random, 0, out);
      one_hot[i * out + labels[i]] = 1;
    }
  if (net->sigmoid)
    *targets = kette_tensor_new (1, (const gint64[]){ net->samples, out }, 2, NULL);
  else
    *targets = kette_tensor_new (7, (const gint64[]){ net->samples }, 1, NULL);
  for (int i = 0; i < net->samples && !net->sigmoid; i++)
    ((gint64 *) kette_tensor_get_data (*targets))[i] = labels[i];
  if (net->sigmoid)
    memcpy (kette_tensor_get_data (*targets), one_hot,
            (size_t) (net->samples * out) * sizeof *one_hot);
  net->x      = data;
  net->t      = one_hot;
  net->labels = labels;
  return x;
}

/* The same network with weights of its own, on OpenBLAS. */
static hand_net
copy_of (const hand_net *net)
{
  hand_net copy = *net;

  copy.blas_only = true;
  for (int l = 0; l < net->n_layers; l++)
    {
      const size_t n = (size_t) net->dims[l] * (size_t) net->dims[l + 1];
      copy.w[l]      = memory (n, sizeof (float));
      copy.b[l]      = memory ((size_t) net->dims[l + 1], sizeof (float));
      memcpy (copy.w[l], net->w[l], n * sizeof (float));
      memcpy (copy.b[l], net->b[l], (size_t) net->dims[l + 1] * sizeof (float));
    }
  return copy;
}

/* The weights were compared before. */
static long
nothing_to_check (void *user, FILE *file)
{
  (void) user;
  (void) file;
  return 0;
}

static void
report (const hand_net *net, int threads, const bench_result *r, double distance)
{
  printf ("{\"bench\": \"step\", \"what\": \"training step %d", net->dims[0]);
  for (int l = 0; l < net->n_layers; l++)
    printf ("-%d", net->dims[l + 1]);
  printf (", batch %d\", \"threads\": %d, \"hand_us\": %.2f, \"kette_us\": %.2f, "
          "\"openblas_us\": %.2f, \"ratio\": %.3f, \"least\": %.3f, \"most\": %.3f, "
          "\"weights_apart\": %.2g}\n",
          net->batch, threads, r->median[0], r->median[1], r->median[2], r->ratio[1],
          r->least[1], r->most[1], distance);
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  KetteTrainOptions options;
  bench_result result;
  hand_net net = { 0 };

  if (argc < 5)
    return fprintf (stderr, "step MODEL LOSS RATE BATCH [THREADS [SECONDS]]\n"), 64;
  const int threads    = argc > 5 ? atoi (argv[5]) : 1;
  const char *how      = argc > 6 ? argv[6] : "0.3";
  const double seconds = atof (how);

  kette_set_threads (threads);
  g_autoptr (KetteGraph) graph = kette_graph_load (argv[1], &error);
  if (!graph)
    die (error);
  net.sigmoid = strcmp (argv[2], "half-sse") == 0;
  net.rate    = (float) atof (argv[3]);
  net.batch   = atoi (argv[4]);
  net.samples = SAMPLES / net.batch * net.batch;
  read_network (graph, &net);
  g_autoptr (KetteTensor) t = NULL;
  g_autoptr (KetteTensor) x = make_data (&net, &t);
  hand_net plain            = copy_of (&net);

  kette_train_options_init (&options);
  options.loss                     = argv[2];
  options.optimizer                = "sgd";
  options.rate                     = net.rate;
  options.batch                    = net.batch;
  options.no_shuffle               = TRUE;
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, &error);
  if (!trainer || !kette_trainer_set_data (trainer, x, t, &error))
    die (error);
  if (!hand_prepare (&net) || !hand_prepare (&plain))
    die (NULL);

  for (int i = 0; i < STEPS; i++)
    {
      hand_step (&net);
      hand_step (&plain);
      kette_step (trainer);
    }
  const double from_hand = apart (graph, &net), from_plain = apart (graph, &plain);
  const double distance = fmax (from_hand, from_plain);
  if (!(distance < 1e-5))
    return fprintf (stderr, "the weights are %.3g apart, with OpenBLAS %.3g\n", from_hand,
                    from_plain),
           1;

  const bench_subject subjects[] = { { "hand", hand_step, &net },
                                     { "kette", kette_step, trainer },
                                     { "hand-openblas", hand_step, &plain } };
  if (strcmp (how, "serve") == 0)
    return bench_serve (subjects, 3, nothing_to_check, NULL, PROJECT_VERSION);
  bench_measure (subjects, 3, seconds < 0.05 ? 3 : 11, seconds, &result);
  report (&net, threads, &result, distance);
  return 0;
}
