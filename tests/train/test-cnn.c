/* SPDX-License-Identifier: Apache-2.0
 * Training steps of convolutional networks: the same bits for any number of threads, and memory
 * close to what must live at once.
 */
#include "base/pool.h"
#include "networks.h"
#include "train/train-private.h"

static KetteTrainer *
trainer_new (KetteGraph *graph, int batch, const char *optimizer)
{
  KetteTrainOptions options;
  KetteTrainer *trainer;
  KetteTensor *x, *t;

  network_samples ((size_t) batch * 3, &x, &t);
  kette_train_options_init (&options);
  options.loss      = "cross-entropy";
  options.optimizer = optimizer;
  options.batch     = (guint) batch;
  trainer           = network_trainer (graph, &options, x, t);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return trainer;
}

/* Six steps with this many threads; the digest of all weights. */
static char *
trained (int threads, gboolean normalised)
{
  g_autoptr (KetteGraph) graph     = network_cnn_new (16, 24, 64, normalised);
  g_autoptr (KetteTrainer) trainer = trainer_new (graph, 16, "sgd");
  GError *error                    = NULL;

  _kette_pool_set_threads (threads);
  for (int i = 0; i < 6; i++)
    {
      kette_trainer_step (trainer, NULL, NULL, &error);
      g_assert_no_error (error);
    }
  _kette_pool_set_threads (1);
  return network_digest (graph);
}

static void
test_threads (gconstpointer normalised)
{
  static const int counts[] = { 2, 3, 8 };
  g_autofree char *alone    = trained (1, GPOINTER_TO_INT (normalised));

  for (size_t i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autofree char *digest = trained (counts[i], GPOINTER_TO_INT (normalised));
      g_assert_cmpstr (digest, ==, alone);
    }
}

typedef struct
{
  const char *name, *optimizer;
  int c1, c2, hidden, batch;
  gboolean normalised;
} Size;

/* The arena is at most 1.15 times what must live at the worst moment. */
static void
test_memory (gconstpointer user)
{
  const Size *size = user;
  g_autoptr (KetteGraph) graph
      = network_cnn_new (size->c1, size->c2, size->hidden, size->normalised);
  g_autoptr (KetteTrainer) trainer = trainer_new (graph, size->batch, size->optimizer);
  GError *error                    = NULL;
  KettePlanInfo info;
  kt_type types[2];

  g_assert_cmpuint (trainer->n_stages, ==, 1);
  _kette_dataset_types (&trainer->data, (size_t) size->batch, types);
  _kette_session_plan_info (trainer->stages[0].session, types, &info, &error);
  g_assert_no_error (error);
  g_test_message ("arena %zu bytes, at the worst moment %zu live: %.3f", info.arena_bytes,
                  info.live_peak_bytes,
                  (double) info.arena_bytes / (double) info.live_peak_bytes);
  g_assert_cmpuint (info.live_peak_bytes, >, 0);
  g_assert_cmpuint (info.arena_bytes, <=, info.live_peak_bytes / 100 * 115);
}

int
main (int argc, char **argv)
{
  static const Size sizes[] = {
    { "conv32-conv64-128", "sgd", 32, 64, 128, 64, FALSE },
    { "conv32-conv64-128-adam", "adam", 32, 64, 128, 64, FALSE },
    { "batch-normalisation", "sgd", 16, 32, 64, 32, TRUE },
    { "one", "sgd", 8, 8, 16, 1, FALSE },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/train/cnn/threads/plain", GINT_TO_POINTER (FALSE),
                        test_threads);
  g_test_add_data_func ("/train/cnn/threads/batch-normalisation", GINT_TO_POINTER (TRUE),
                        test_threads);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = g_strdup_printf ("/train/cnn/memory/%s", sizes[i].name);
      g_test_add_data_func (path, &sizes[i], test_memory);
    }
  return g_test_run ();
}
