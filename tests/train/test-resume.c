/* SPDX-License-Identifier: Apache-2.0
 * Same bits: for any number of threads, and for a run that was saved, loaded and resumed; and
 * what differs from the checkpoint is named.
 */
#include "base/pool.h"
#include "io/io.h"
#include "networks.h"
#include <glib/gstdio.h>
#include <string.h>

enum
{
  N     = 437,
  BATCH = 20
};

static KetteTensor *x, *t;
static char *folder;

static KetteGraph *
graph_new (void)
{
  const int sizes[] = { 784, 64, 10 };
  return network_new (KT_F32, sizes, 2, "Sigmoid");
}

static KetteTrainOptions
options_new (const char *optimizer)
{
  KetteTrainOptions options;

  kette_train_options_init (&options);
  options.loss      = "half-sse";
  options.optimizer = optimizer;
  options.batch     = BATCH;
  options.seed      = 7;
  return options;
}

static void
steps (KetteTrainer *trainer, int n)
{
  GError *error = NULL;

  for (int i = 0; i < n; i++)
    {
      kette_trainer_step (trainer, NULL, NULL, &error);
      g_assert_no_error (error);
    }
}

static void
test_threads (void)
{
  const int counts[]     = { 1, 2, 3, 8 };
  g_autofree char *first = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (KetteGraph) graph     = graph_new ();
      const KetteTrainOptions options  = options_new ("adam");
      g_autoptr (KetteTrainer) trainer = NULL;
      g_autofree char *digest          = NULL;

      _kette_pool_set_threads (counts[i]);
      trainer = network_trainer (graph, &options, x, t);
      steps (trainer, 100);
      digest = network_digest (graph);
      if (i == 0)
        first = g_steal_pointer (&digest);
      else
        g_assert_cmpstr (first, ==, digest);
    }
}

/* 60 steps at once, and 60 in pieces, each saved, loaded, and with other threads. */
static void
test_pieces (gconstpointer optimizer)
{
  static const int pieces[] = { 7, 15, 1, 22, 15 };
  g_autofree char *file     = g_build_filename (folder, "pieces.onnx", NULL);
  g_autofree char *whole = NULL, *resumed = NULL;
  KetteTrainOptions options        = options_new (optimizer);
  g_autoptr (KetteGraph) graph     = graph_new ();
  g_autoptr (KetteTrainer) trainer = NULL;
  GError *error                    = NULL;

  _kette_pool_set_threads (1);
  trainer = network_trainer (graph, &options, x, t);
  steps (trainer, 60);
  whole = network_digest (graph);
  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_autoptr (KetteGraph) piece   = i ? kette_graph_load (file, &error) : graph_new ();
      g_autoptr (KetteTrainer) again = NULL;

      g_assert_no_error (error);
      _kette_pool_set_threads ((int) i % 3 + 1);
      options.resume = i > 0;
      again          = network_trainer (piece, &options, x, t);
      steps (again, pieces[i]);
      kette_trainer_save (again, file, &error);
      g_assert_no_error (error);
      g_free (resumed);
      resumed = network_digest (piece);
    }
  g_assert_cmpstr (whole, ==, resumed);
}

/* The error of resuming FILE with OPTIONS. */
static void
expect_error (const char *file, const KetteTrainOptions *options, KetteTensor *data,
              const char *text)
{
  GError *error                    = NULL;
  g_autoptr (KetteGraph) graph     = kette_graph_load (file, &error);
  g_autoptr (KetteTrainer) trainer = NULL;

  g_assert_no_error (error);
  trainer = kette_trainer_new (graph, options, &error);
  if (trainer)
    kette_trainer_set_data (trainer, data, t, &error);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, text));
  g_clear_error (&error);
}

static void
test_differences (void)
{
  g_autofree char *file            = g_build_filename (folder, "differences.onnx", NULL);
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = graph_new ();
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  g_autoptr (KetteTensor) other    = NULL;
  GError *error                    = NULL;
  KetteTrainState state;

  steps (trainer, 5);
  kette_trainer_save (trainer, file, &error);
  g_assert_no_error (error);

  options.resume = TRUE;
  options.batch  = 10;
  expect_error (file, &options, x, "batch is \"10\", the checkpoint has \"20\"");
  options        = options_new ("adam");
  options.resume = TRUE;
  expect_error (file, &options, x, "optimizer is \"adam\", the checkpoint has \"sgd\"");
  options        = options_new ("sgd");
  options.resume = TRUE;
  other          = _kette_tensor_copy (x, &error);
  ((guint8 *) other->data)[1000] ^= 1;
  expect_error (file, &options, other, "data differ");

  options.resume_anyway              = TRUE;
  options.batch                      = 10;
  g_autoptr (KetteGraph) again_graph = kette_graph_load (file, &error);
  g_autoptr (KetteTrainer) again     = network_trainer (again_graph, &options, other, t);
  kette_trainer_get_state (again, &state);
  g_assert_cmpuint (state.step, ==, 5);
  g_assert_cmpuint (state.position, ==, 100);
}

/* A checkpoint whose graph was changed. */
static void
test_graph (void)
{
  g_autofree char *file            = g_build_filename (folder, "graph.onnx", NULL);
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = graph_new ();
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  g_autoptr (KetteGraph) changed   = NULL;
  GError *error                    = NULL;

  steps (trainer, 3);
  kette_trainer_save (trainer, file, &error);
  g_assert_no_error (error);
  changed = kette_graph_load (file, &error);
  g_assert_no_error (error);
  changed->nodes[changed->n_nodes - 1]->op    = "Tanh";
  changed->nodes[changed->n_nodes - 1]->proto = NULL;
  options.resume                              = TRUE;
  g_assert_null (kette_trainer_new (changed, &options, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "graph differs"));
  g_clear_error (&error);
}

/* One bit of a weight is another one. */
static void
test_damage (void)
{
  g_autofree char *file            = g_build_filename (folder, "damage.onnx", NULL);
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = graph_new ();
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  GError *error                    = NULL;
  g_autofree char *content         = NULL;
  gsize size;

  steps (trainer, 3);
  kette_trainer_save (trainer, file, &error);
  g_assert_no_error (error);
  g_file_get_contents (file, &content, &size, &error);
  g_assert_no_error (error);
  content[size / 2] ^= 1;
  options.resume = TRUE;
  for (int i = 0; i < 2; i++)
    { /* from a file, where all bytes are checked; from memory, where the state is */
      g_autoptr (GBytes) bytes     = g_bytes_new (content, size);
      g_autoptr (KetteGraph) again = NULL;

      g_file_set_contents (file, content, (gssize) size, &error);
      again
          = i ? kette_graph_load_bytes (bytes, &error) : kette_graph_load (file, &error);
      g_assert_no_error (error);
      g_assert_null (kette_trainer_new (again, &options, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_FORMAT);
      g_test_message ("%s", error->message);
      g_clear_error (&error);
    }
}

/* A loss that is not finite stops before the update. */
static void
test_not_finite (void)
{
  const int sizes[]                = { 3, 2 };
  g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 1, NULL);
  g_autoptr (KetteTensor) rows     = network_rows (KT_F32, 8, 3, 1);
  g_autoptr (KetteTensor) targets  = network_rows (KT_F32, 8, 2, 2);
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autofree char *before = NULL, *after = NULL;
  GError *error = NULL;
  KetteTrainState state;

  options.no_shuffle         = TRUE;
  options.batch              = 4;
  ((float *) rows->data)[15] = G_MAXFLOAT;
  trainer                    = network_trainer (graph, &options, rows, targets);
  steps (trainer, 1);
  before = network_digest (graph);
  g_assert_false (kette_trainer_step (trainer, NULL, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "step 1: the loss is inf"));
  g_clear_error (&error);
  after = network_digest (graph);
  g_assert_cmpstr (before, ==, after);
  kette_trainer_get_state (trainer, &state);
  g_assert_cmpuint (state.step, ==, 1);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("kette-resume-XXXXXX", NULL);
  network_samples (N, &x, &t);
  g_test_add_func ("/train/threads", test_threads);
  g_test_add_data_func ("/train/resume/pieces/sgd", "sgd", test_pieces);
  g_test_add_data_func ("/train/resume/pieces/momentum", "momentum", test_pieces);
  g_test_add_data_func ("/train/resume/pieces/adam", "adam", test_pieces);
  g_test_add_func ("/train/resume/differences", test_differences);
  g_test_add_func ("/train/resume/graph", test_graph);
  g_test_add_func ("/train/resume/damage", test_damage);
  g_test_add_func ("/train/not-finite", test_not_finite);
  status = g_test_run ();
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  for (size_t i = 0; i < 2; i++)
    for (const char *const *name
         = (const char *const[]){ "pieces", "differences", "graph", "damage", NULL };
         *name; name++)
      {
        g_autofree char *file
            = g_strdup_printf ("%s/%s.onnx%s", folder, *name, i ? ".1" : "");
        g_unlink (file);
      }
  g_rmdir (folder);
  g_free (folder);
  return status;
}
