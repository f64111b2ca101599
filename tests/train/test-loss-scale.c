/* SPDX-License-Identifier: Apache-2.0
 * Loss scaling: powers of two change no bit; a step whose gradients overflow changes nothing but
 * the scale; scales grow; checkpoints know them.
 */
#include "exec/places.h"
#include "io/io.h"
#include "networks.h"
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static const char *const optimizers[]
    = { "sgd", "momentum", "nesterov", "adagrad", "adam" };

static KetteTrainOptions
options_new (const char *optimizer, const char *scale)
{
  KetteTrainOptions options;

  kette_train_options_init (&options);
  options.loss       = "half-sse";
  options.optimizer  = optimizer;
  options.rate       = 0.125;
  options.batch      = 20;
  options.loss_scale = scale;
  return options;
}

static KetteGraph *
graph_new (int dtype)
{
  const int sizes[] = { 9, 7, 4 };
  return network_new (dtype, sizes, 2, "Sigmoid");
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
check_scale (KetteTrainer *trainer, double scale, guint64 skipped)
{
  GError *error = NULL;
  double have;
  guint64 n;

  g_assert_true (kette_trainer_get_loss_scale (trainer, &have, &n, &error));
  g_assert_no_error (error);
  g_assert_cmpfloat (have, ==, scale);
  g_assert_cmpuint (n, ==, skipped);
}

static double
state_of (KetteGraph *graph, const char *name)
{
  const KetteValue *v = _kette_graph_find (graph->model->training[0]->algorithm, name);

  g_assert_nonnull (v);
  g_assert_true (_kette_tensor_update (v->data, NULL));
  return _kette_tensor_get_double (v->data, 0);
}

/* The digest after N steps with SCALE. */
static char *
train (KetteGraph *graph, const char *optimizer, const char *scale, int n)
{
  const int dtype                  = graph->inputs[0]->type.dtype;
  const KetteTrainOptions options  = options_new (optimizer, scale);
  g_autoptr (KetteTensor) x        = network_rows (dtype, 70, 9, 1);
  g_autoptr (KetteTensor) t        = network_rows (dtype, 70, 4, 2);
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);

  steps (trainer, n);
  return network_digest (graph);
}

static void
test_bits (gconstpointer optimizer)
{
  static const char *const scales[] = { "1", "1024", "0.25", "dynamic", "dynamic:4:3" };
  static const int dtypes[]         = { KT_F32, KT_F64 };

  for (size_t d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      g_autoptr (KetteGraph) plain = graph_new (dtypes[d]);
      g_autofree char *bits        = train (plain, optimizer, NULL, 30);
      for (size_t i = 0; i < G_N_ELEMENTS (scales); i++)
        {
          g_autoptr (KetteGraph) graph = graph_new (dtypes[d]);
          g_autofree char *own         = train (graph, optimizer, scales[i], 30);
          g_assert_cmpstr (own, ==, bits);
        }
    }
}

/* Operators of the step that are superseded: no bit differs in a model of an older opset. */
static void
test_opsets (void)
{
  static const int32_t opsets[] = { 9, 12, 13, 17, 18 };

  for (size_t i = 0; i < G_N_ELEMENTS (opsets); i++)
    {
      g_autofree char *fresh = NULL;
      char *bits[2]          = { NULL };
      for (int scaled = 0; scaled < 2; scaled++)
        {
          g_autoptr (KetteGraph) graph = graph_new (KT_F32);
          g_assert_true (_kette_model_set_opset (graph->model, "", opsets[i], NULL));
          for (size_t k = 0; k < graph->n_nodes; k++)
            graph->nodes[k]->version = opsets[i];
          if (!scaled)
            fresh = network_digest (graph);
          bits[scaled] = train (graph, "adam", scaled ? "64" : NULL, 10);
        }
      g_test_message ("opset %d", (int) opsets[i]);
      g_assert_cmpstr (bits[0], !=, fresh);
      g_assert_cmpstr (bits[0], ==, bits[1]);
      g_free (bits[0]);
      g_free (bits[1]);
    }
}

/* Convolutions, pools, normalisation with its statistics, cross-entropy. */
static void
test_cnn (void)
{
  char *bits[2] = { NULL };

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteGraph) graph = network_cnn_new (8, 8, 16, TRUE);
      g_autoptr (KetteTensor) x = NULL, t = NULL;
      KetteTrainOptions options = options_new ("momentum", i ? "dynamic:256:2" : NULL);
      g_autoptr (KetteTrainer) trainer = NULL;

      options.loss = "cross-entropy";
      options.rate = 0.01;
      network_samples (60, &x, &t);
      trainer = network_trainer (graph, &options, x, t);
      steps (trainer, 5);
      bits[i] = network_digest (graph);
      if (i)
        check_scale (trainer, 1024, 0);
    }
  g_assert_cmpstr (bits[0], ==, bits[1]);
  g_free (bits[0]);
  g_free (bits[1]);
}

/* At 2^127 gradients overflow; what follows is what would have been without those steps. */
static void
test_overflow (gconstpointer optimizer)
{
  g_autoptr (KetteGraph) graph = graph_new (KT_F32), plain = graph_new (KT_F32);
  KetteTrainOptions options = options_new (optimizer, "dynamic:1.7014118346046923e38");
  g_autoptr (KetteTensor) x = network_rows (KT_F32, 20, 9, 1);
  g_autoptr (KetteTensor) t = network_rows (KT_F32, 20, 4, 2);
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autofree char *before = NULL, *first = NULL, *after = NULL, *bits = NULL;
  double scale;
  guint64 skipped;

  for (size_t i = 0; i < x->count; i++)
    ((float *) x->data)[i] *= 512;
  for (size_t i = 0; i < t->count; i++)
    ((float *) t->data)[i] *= 512;
  options.rate       = 0x1p-16;
  options.no_shuffle = TRUE;
  trainer            = network_trainer (graph, &options, x, t);
  before             = network_digest (graph);
  steps (trainer, 1);
  first = network_digest (graph);
  g_assert_cmpstr (before, ==, first);
  check_scale (trainer, 0x1p126, 1);
  g_assert_cmpfloat (state_of (graph, "kette.step"), ==, 0);
  steps (trainer, 39);
  after = network_digest (graph);
  g_assert_cmpstr (before, !=, after);
  g_assert_true (kette_trainer_get_loss_scale (trainer, &scale, &skipped, NULL));
  g_assert_cmpuint (skipped, >, 1);
  g_assert_cmpuint (skipped, <, 30);
  g_assert_cmpfloat (scale, ==, ldexp (1, 127 - (int) skipped));
  g_assert_cmpfloat (state_of (graph, "kette.step"), ==, 40 - (double) skipped);
  g_assert_cmpfloat (state_of (graph, "kette.loss_scale.good"), <=,
                     40 - (double) skipped);

  options.loss_scale             = NULL;
  g_autoptr (KetteTrainer) again = network_trainer (plain, &options, x, t);
  steps (again, 40 - (int) skipped);
  bits = network_digest (plain);
  g_assert_cmpstr (after, ==, bits);
}

static void
test_growth (void)
{
  g_autoptr (KetteGraph) graph     = graph_new (KT_F32);
  const KetteTrainOptions options  = options_new ("sgd", "dynamic:4194304:3");
  g_autoptr (KetteTensor) x        = network_rows (KT_F32, 70, 9, 1);
  g_autoptr (KetteTensor) t        = network_rows (KT_F32, 70, 4, 2);
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);

  check_scale (trainer, 0x1p22, 0);
  steps (trainer, 2);
  check_scale (trainer, 0x1p22, 0);
  steps (trainer, 1);
  check_scale (trainer, 0x1p23, 0);
  steps (trainer, 3);
  check_scale (trainer, 0x1p24, 0);
  steps (trainer, 6);
  check_scale (trainer, 0x1p24, 0); /* enough */
}

/* A scale that every gradient overflows with. */
static void
test_hopeless (void)
{
  g_autoptr (KetteGraph) graph     = graph_new (KT_F32);
  const KetteTrainOptions options  = options_new ("sgd", "3e38");
  g_autoptr (KetteTensor) x        = network_rows (KT_F32, 60, 9, 1);
  g_autoptr (KetteTensor) t        = network_rows (KT_F32, 60, 4, 2);
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autofree char *before = network_digest (graph), *after = NULL;
  GError *error = NULL;

  for (size_t i = 0; i < x->count; i++)
    ((float *) x->data)[i] *= 1e6F;
  for (size_t i = 0; i < t->count; i++)
    ((float *) t->data)[i] *= 1e6F;
  trainer = network_trainer (graph, &options, x, t);
  g_assert_false (kette_trainer_epoch (trainer, NULL, NULL, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message,
                            "epoch 1: no step had finite gradients at loss scale 3e+38"));
  g_clear_error (&error);
  after = network_digest (graph);
  g_assert_cmpstr (before, ==, after);
  check_scale (trainer, (double) 3e38F, 3);
}

/* An epoch whose last step alone overflows is none without finite gradients, also when it is
 * resumed in front of that step; the next one is judged as ever. */
static void
test_cut (void)
{
  g_autofree char *folder   = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file     = g_build_filename (folder, "cut.onnx", NULL);
  g_autoptr (KetteTensor) x = network_rows (KT_F32, 60, 9, 1);
  g_autoptr (KetteTensor) t = network_rows (KT_F32, 60, 4, 2);
  KetteTrainOptions options = options_new ("sgd", "1e30");
  GError *error             = NULL;

  options.no_shuffle = TRUE;
  for (size_t i = t->count / 3 * 2; i < t->count; i++)
    ((float *) t->data)[i] = 1e12F;
  {
    g_autoptr (KetteGraph) graph     = graph_new (KT_F32);
    g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
    steps (trainer, 2);
    check_scale (trainer, (double) 1e30F, 0);
    g_assert_true (kette_trainer_save (trainer, file, &error));
    g_assert_no_error (error);
  }
  g_autoptr (KetteGraph) loaded = kette_graph_load (file, &error);
  g_assert_no_error (error);
  options.resume                   = TRUE;
  g_autoptr (KetteTrainer) trainer = network_trainer (loaded, &options, x, t);
  g_assert_true (kette_trainer_epoch (trainer, NULL, NULL, &error));
  g_assert_no_error (error);
  check_scale (trainer, (double) 1e30F, 1);
  g_assert_true (kette_trainer_epoch (trainer, NULL, NULL, &error));
  g_assert_no_error (error);
  check_scale (trainer, (double) 1e30F, 2);
  g_remove (file);
  g_rmdir (folder);
}

static void
test_resume (void)
{
  g_autofree char *folder   = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file     = g_build_filename (folder, "scaled.onnx", NULL);
  char *bits[2]             = { NULL };
  g_autoptr (KetteTensor) x = network_rows (KT_F32, 70, 9, 1);
  g_autoptr (KetteTensor) t = network_rows (KT_F32, 70, 4, 2);
  KetteTrainOptions options = options_new ("adam", "dynamic:64:4");
  GError *error             = NULL;

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteGraph) graph     = graph_new (KT_F32);
      g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
      steps (trainer, i ? 6 : 14);
      if (i == 0)
        {
          check_scale (trainer, 512, 0);
          bits[0] = network_digest (graph);
          continue;
        }
      g_assert_true (kette_trainer_save (trainer, file, &error));
      g_assert_no_error (error);

      g_autoptr (KetteGraph) loaded = kette_graph_load (file, &error);
      KetteTrainOptions later       = options;
      g_assert_no_error (error);
      later.resume = TRUE, later.loss_scale = NULL;
      g_autoptr (KetteTrainer) again = network_trainer (loaded, &later, x, t);
      g_autofree char *text          = kette_trainer_describe (again);
      g_assert_nonnull (strstr (text, "loss-scale dynamic:64:4\n"));
      check_scale (again, 128, 0);
      steps (again, 8);
      check_scale (again, 512, 0);
      bits[1] = network_digest (loaded);
    }
  g_assert_cmpstr (bits[0], ==, bits[1]);
  g_free (bits[0]);
  g_free (bits[1]);

  g_autoptr (KetteGraph) loaded = kette_graph_load (file, &error);
  options.resume                = TRUE;
  options.loss_scale            = "128";
  g_assert_null (kette_trainer_new (loaded, &options, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "option loss-scale is \"128\", the checkpoint"
                                            " has \"dynamic:64:4\""));
  g_clear_error (&error);
  g_remove (file);
  g_rmdir (folder);
}

/* -- on a device ----------------------------------------------------------------------------- */

static kt_device real;
static size_t n_launches, n_replays;

static kt_status
count_execute (kt_call *call, kt_stream *stream, kt_task *task, void *arg,
               const kt_range *ranges, int32_t n, const char *label)
{
  n_launches++;
  return real.execute (call, stream, task, arg, ranges, n, label);
}

static kt_status
count_replay (kt_call *call, kt_stream *stream, kt_recording *recording)
{
  n_replays++;
  return real.replay (call, stream, recording);
}

/* Scaling takes part in the recording of a step: nothing is launched one by one. */
static void
test_recorded (void)
{
  KetteUnit *unit              = NULL;
  g_autoptr (KetteGraph) graph = graph_new (KT_F32);
  KetteTrainOptions options    = options_new ("adam", "dynamic:1024:2");
  g_autoptr (KetteTensor) x    = network_rows (KT_F32, 60, 9, 1);
  g_autoptr (KetteTensor) t    = network_rows (KT_F32, 60, 4, 2);
  GError *error                = NULL;

  g_assert_true (kette_plugins_get (&error));
  g_assert_true (_kette_unit_get ("guard", &unit, &error));
  g_assert_no_error (error);
  options.device                   = "guard";
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  steps (trainer, 4);

  kt_device *device = &unit->kind->device;
  real              = *device;
  device->execute   = count_execute;
  device->replay    = count_replay;
  steps (trainer, 3);
  *device = real;
  g_assert_cmpuint (n_launches, ==, 0);
  g_assert_cmpuint (n_replays, ==, 3);
  check_scale (trainer, 8192, 0);
}

static void
test_words (void)
{
  static const char *const wrong[] = { "0",
                                       "-2",
                                       "x",
                                       "2x",
                                       "inf",
                                       "nan",
                                       "1e39",
                                       "1e-40",
                                       "dynamical",
                                       "dynamic:",
                                       "dynamic:0",
                                       "dynamic:2:0",
                                       "dynamic:2:x",
                                       "dynamic:2:3:4",
                                       "dynamic:2:1.5" };

  for (size_t i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (KetteGraph) graph    = graph_new (KT_F32);
      const KetteTrainOptions options = options_new ("sgd", wrong[i]);
      g_autoptr (GError) error        = NULL;
      g_assert_null (kette_trainer_new (graph, &options, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
      g_assert_nonnull (strstr (error->message, "it must be a number, or dynamic"));
    }

  g_autoptr (KetteGraph) graph     = graph_new (KT_F32);
  const KetteTrainOptions options  = options_new ("sgd", NULL);
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, NULL);
  check_scale (trainer, 0, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (optimizers); i++)
    {
      g_autofree char *bits
          = g_strdup_printf ("/train/loss-scale/bits/%s", optimizers[i]);
      g_autofree char *over
          = g_strdup_printf ("/train/loss-scale/overflow/%s", optimizers[i]);
      g_test_add_data_func (bits, optimizers[i], test_bits);
      g_test_add_data_func (over, optimizers[i], test_overflow);
    }
  g_test_add_func ("/train/loss-scale/cnn", test_cnn);
  g_test_add_func ("/train/loss-scale/cut", test_cut);
  g_test_add_func ("/train/loss-scale/growth", test_growth);
  g_test_add_func ("/train/loss-scale/hopeless", test_hopeless);
  g_test_add_func ("/train/loss-scale/opsets", test_opsets);
  g_test_add_func ("/train/loss-scale/recorded", test_recorded);
  g_test_add_func ("/train/loss-scale/resume", test_resume);
  g_test_add_func ("/train/loss-scale/words", test_words);
  return g_test_run ();
}
