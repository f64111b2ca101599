/* SPDX-License-Identifier: Apache-2.0
 * What a checkpoint says and what is made of it: metadata that are missing or no numbers,
 * digests of model, data and validation, the best epoch, weights that are not saved.
 */
#include "io/io.h"
#include "networks.h"
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static KetteTensor *x, *t;
static char *folder, *file; /* file: a checkpoint after two steps */

static const int sizes[] = { 3, 2 };

static KetteTrainOptions
options_new (gboolean resume)
{
  KetteTrainOptions options;

  kette_train_options_init (&options);
  options.batch  = 4;
  options.resume = resume;
  if (!resume)
    options.loss = "half-sse";
  return options;
}

static KetteTrainer *
trainer_new (const KetteTrainOptions *options)
{
  g_autoptr (KetteGraph) graph = network_new (KT_F32, sizes, 1, NULL);

  return network_trainer (graph, options, x, t);
}

/* A trainer that goes on with the checkpoint, in which KEY is VALUE; NULL: it is not there. */
static KetteTrainer *
resume (const char *key, const char *value, gboolean anyway, GError **error)
{
  g_autoptr (KetteGraph) graph = kette_graph_load (file, error);
  KetteTrainOptions options    = options_new (TRUE);

  g_assert_nonnull (graph);
  options.resume_anyway = anyway;
  g_assert_true (!key || _kette_model_set_meta (graph->model, key, value, error));
  return kette_trainer_new (graph, &options, error);
}

static void
expect_end (GError **error, int code, const char *want)
{
  g_assert_error (*error, KETTE_ERROR, code);
  if (!g_str_has_suffix ((*error)->message, want))
    g_test_fail_printf ("\"%s\" instead of \"%s\"", (*error)->message, want);
  g_clear_error (error);
}

/* -- metadata ----------------------------------------------------------------------------- */

static void
test_position (void)
{
  static const struct
  {
    const char *key;
    gboolean needed;
  } keys[] = {
    { "kette.step", TRUE },        { "kette.epoch", TRUE },
    { "kette.position", TRUE },    { "kette.loss-sum", TRUE },
    { "kette.last-loss", TRUE },   { "kette.evaluated", FALSE },
    { "kette.best-epoch", FALSE }, { "kette.skipped", FALSE },
    { "kette.left-out", FALSE },   { "kette.best-metric", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (GError) error       = NULL;
      g_autoptr (KetteTrainer) wrong = resume (keys[i].key, "many", FALSE, &error);
      g_autoptr (KetteTrainer) none  = NULL;

      g_assert_null (wrong);
      expect_end (&error, KETTE_ERROR_FORMAT,
                  "no checkpoint: the metadata do not say where training stands");
      none = resume (keys[i].key, NULL, FALSE, &error);
      if (keys[i].needed)
        {
          g_assert_null (none);
          g_assert_nonnull (error);
        }
      else
        {
          KetteTrainState state;

          g_assert_no_error (error);
          kette_trainer_get_state (none, &state);
          g_assert_cmpuint (state.step, ==, 2);
          g_assert_cmpuint (state.skipped, ==, 0);
          g_assert_true (isnan (state.best_metric));
        }
    }
}

static void
test_digests (void)
{
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteTrainer) trainer = resume ("kette.graph-sha256", NULL, FALSE, &error);

  g_assert_null (trainer);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "the graph differs from the checkpoint's: "));
  g_assert_nonnull (strstr (error->message, "there \"none\"; --resume-anyway overrides"));
  g_clear_error (&error);
  trainer = resume ("kette.graph-sha256", NULL, TRUE, &error);
  g_assert_no_error (error);
  g_clear_pointer (&trainer, kette_trainer_unref);
  /* Without a digest any data are the right ones. */
  trainer = resume ("kette.data-sha256", NULL, FALSE, &error);
  g_assert_no_error (error);
  g_assert_true (kette_trainer_set_data (trainer, t, t, NULL) == FALSE);
  g_assert_true (kette_trainer_set_data (trainer, x, t, &error));
  g_clear_pointer (&trainer, kette_trainer_unref);
  trainer = resume ("kette.data-sha256", "0123456789abcdef0123", FALSE, &error);
  g_assert_false (kette_trainer_set_data (trainer, x, t, &error));
  expect_end (&error, KETTE_ERROR_VALUE,
              "there \"0123456789abcdef\"; --resume-anyway overrides");
  g_clear_pointer (&trainer, kette_trainer_unref);
  trainer = resume ("kette.data-sha256", "0123456789abcdef0123", TRUE, &error);
  g_assert_true (kette_trainer_set_data (trainer, x, t, &error));
}

/* Saved without data: nothing is said about them, and nothing is left of what was said. */
static void
test_no_data (void)
{
  g_autofree char *other           = g_build_filename (folder, "other.onnx", NULL);
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteTrainer) trainer = resume (NULL, NULL, FALSE, &error);
  g_autoptr (KetteGraph) graph     = NULL;

  g_assert_no_error (error);
  g_assert_true (kette_trainer_save (trainer, other, &error));
  graph = kette_graph_load (other, &error);
  g_assert_no_error (error);
  g_assert_true (kette_graph_is_checkpoint (graph));
  g_assert_null (_kette_model_get_meta (graph->model, "kette.data-sha256"));
  g_unlink (other);
}

static void
test_validation (void)
{
  g_autofree char *other           = g_build_filename (folder, "validated.onnx", NULL);
  g_autofree char *usual           = file;
  const KetteTrainOptions options  = options_new (FALSE);
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteTensor) more     = network_rows (KT_F32, 8, 3, 5);
  g_autoptr (KetteTrainer) trainer = trainer_new (&options);

  g_assert_true (kette_trainer_set_validation (trainer, x, t, &error));
  g_assert_true (kette_trainer_set_validation (trainer, more, t, &error));
  g_assert_true (kette_trainer_save (trainer, other, &error));
  g_clear_pointer (&trainer, kette_trainer_unref);
  /* The checkpoint without validation takes any. */
  trainer = resume (NULL, NULL, FALSE, &error);
  g_assert_true (kette_trainer_set_validation (trainer, x, t, &error));
  g_clear_pointer (&trainer, kette_trainer_unref);
  file    = other;
  trainer = resume (NULL, NULL, FALSE, &error);
  g_assert_true (kette_trainer_set_validation (trainer, more, t, &error));
  g_assert_false (kette_trainer_set_validation (trainer, x, t, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_nonnull (strstr (error->message, "the validation data differ from"));
  g_clear_error (&error);
  g_clear_pointer (&trainer, kette_trainer_unref);
  trainer = resume (NULL, NULL, TRUE, &error);
  g_assert_true (kette_trainer_set_validation (trainer, x, t, &error));
  g_unlink (other);
  file = g_steal_pointer (&usual);
}

/* Which model was trained: the same one, one with other weights, another one, a checkpoint. */
static void
test_model (void)
{
  const int wider[]                = { 3, 4 };
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteTrainer) trainer = resume (NULL, NULL, FALSE, &error);
  g_autoptr (KetteGraph) same      = network_new (KT_F32, sizes, 1, NULL);
  g_autoptr (KetteGraph) other     = network_new (KT_F32, wider, 1, NULL);
  g_autoptr (KetteGraph) saved     = kette_graph_load (file, &error);
  g_autoptr (KetteGraph) silent    = kette_graph_load (file, &error);
  g_autoptr (KetteGraph) strange   = kette_graph_load (file, &error);

  g_assert_no_error (error);
  g_assert_true (kette_trainer_check_model (trainer, same, &error));
  _kette_tensor_set_double (kette_graph_get_parameter (same, "w0"), 0, 17);
  g_assert_true (kette_trainer_check_model (trainer, same, &error));
  g_assert_true (kette_trainer_check_model (trainer, saved, &error));
  g_assert_false (kette_trainer_check_model (trainer, other, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_assert_true (g_str_has_prefix (error->message,
                                   "<memory>: value: is another model than the one that "
                                   "was trained: it differs from the checkpoint's: "));
  g_clear_error (&error);
  /* A checkpoint tells of which model it is; without that it is a model like others. */
  g_assert_true (_kette_model_set_meta (strange->model, "kette.model-sha256", "0", NULL));
  g_assert_false (kette_trainer_check_model (trainer, strange, NULL));
  g_assert_true (_kette_model_set_meta (silent->model, "kette.model-sha256", NULL, NULL));
  g_assert_false (kette_trainer_check_model (trainer, silent, NULL));
  g_clear_pointer (&trainer, kette_trainer_unref);
  trainer = resume (NULL, NULL, TRUE, &error);
  g_assert_true (kette_trainer_check_model (trainer, other, &error));
  g_clear_pointer (&trainer, kette_trainer_unref);
  trainer = resume ("kette.model-sha256", NULL, FALSE, &error);
  g_assert_true (kette_trainer_check_model (trainer, other, &error));
}

/* -- epochs ------------------------------------------------------------------------------- */

static void
expect_best (KetteTrainer *trainer, double metric, guint64 evaluated)
{
  KetteTrainState state;

  kette_trainer_get_state (trainer, &state);
  g_assert_true (isnan (metric) ? isnan (state.best_metric)
                                : state.best_metric == metric);
  g_assert_cmpuint (state.evaluated, ==, evaluated);
}

/* Only what is smaller than all before is better, and only that is written. */
static void
test_best (void)
{
  g_autofree char *best            = g_build_filename (folder, "best.onnx", NULL);
  g_autofree char *second          = g_build_filename (folder, "second.onnx", NULL);
  g_autofree char *nowhere         = g_build_filename (folder, "no", "best.onnx", NULL);
  const KetteTrainOptions options  = options_new (FALSE);
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteTrainer) trainer = trainer_new (&options);
  gboolean better;

  g_assert_true (kette_trainer_epoch (trainer, NULL, NULL, &error));
  g_assert_true (kette_trainer_end_epoch (trainer, NAN, best, &better, &error));
  g_assert_false (better);
  g_assert_true (kette_trainer_end_epoch (trainer, INFINITY, best, NULL, &error));
  expect_best (trainer, NAN, 1);
  g_assert_false (g_file_test (best, G_FILE_TEST_EXISTS));
  g_assert_false (kette_trainer_end_epoch (trainer, 2, nowhere, &better, &error));
  g_assert_false (better);
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_IO);
  g_assert_true (g_str_has_prefix (error->message, nowhere));
  g_clear_error (&error);
  expect_best (trainer, NAN, 1);
  g_assert_true (kette_trainer_end_epoch (trainer, 2, best, &better, &error));
  g_assert_true (better);
  g_assert_true (g_file_test (best, G_FILE_TEST_EXISTS));
  g_unlink (best);
  g_assert_true (kette_trainer_end_epoch (trainer, 2, best, &better, &error));
  g_assert_false (better);
  g_assert_true (kette_trainer_epoch (trainer, NULL, NULL, &error));
  g_assert_true (kette_trainer_end_epoch (trainer, 3, best, &better, &error));
  g_assert_false (better);
  expect_best (trainer, 2, 2);
  g_assert_false (g_file_test (best, G_FILE_TEST_EXISTS));
  /* Another file has no best model yet. */
  g_assert_true (kette_trainer_end_epoch (trainer, 3, second, &better, &error));
  g_assert_true (better);
  g_assert_true (g_file_test (second, G_FILE_TEST_EXISTS));
  g_assert_true (kette_trainer_end_epoch (trainer, 1, NULL, NULL, &error));
  expect_best (trainer, 1, 2);
  g_unlink (second);
}

/* -- weights ------------------------------------------------------------------------------ */

/* A weight that is no number is not saved over a good file, unless it was never trained. */
static void
test_not_finite (void)
{
  static const char *const frozen[] = { "b0", NULL };
  g_autofree char *other            = g_build_filename (folder, "weights.onnx", NULL);
  KetteTrainOptions options         = options_new (FALSE);
  g_autoptr (GError) error          = NULL;
  g_autoptr (KetteGraph) graph      = network_new (KT_F32, sizes, 1, NULL);
  g_autoptr (KetteTrainer) trainer  = NULL;

  options.freeze = frozen;
  trainer        = network_trainer (graph, &options, x, t);
  _kette_tensor_set_double (kette_graph_get_parameter (graph, "b0"), 1, NAN);
  g_assert_true (kette_trainer_save (trainer, other, &error));
  g_assert_true (kette_trainer_save (trainer, other, &error));
  g_unlink (other);
  _kette_tensor_set_double (kette_graph_get_parameter (graph, "w0"), 4, -INFINITY);
  g_assert_false (kette_trainer_save (trainer, other, &error));
  g_assert_true (g_str_has_prefix (error->message, other));
  expect_end (&error, KETTE_ERROR_VALUE,
              "value: initializer \"w0\": element 4 is -inf: not saved");
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  const KetteTrainOptions options = options_new (FALSE);
  g_autoptr (KetteTrainer) first  = NULL;
  g_autofree char *kept           = NULL;
  GError *error                   = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("kette-checkpoint-XXXXXX", NULL);
  file   = g_build_filename (folder, "first.onnx", NULL);
  kept   = g_build_filename (folder, "weights.onnx.1", NULL);
  x      = network_rows (KT_F32, 8, 3, 1);
  t      = network_rows (KT_F32, 8, 2, 2);
  first  = trainer_new (&options);
  for (int i = 0; i < 2; i++)
    kette_trainer_step (first, NULL, NULL, &error);
  kette_trainer_save (first, file, &error);
  g_assert_no_error (error);
  g_test_add_func ("/train/checkpoint/position", test_position);
  g_test_add_func ("/train/checkpoint/digests", test_digests);
  g_test_add_func ("/train/checkpoint/no-data", test_no_data);
  g_test_add_func ("/train/checkpoint/validation", test_validation);
  g_test_add_func ("/train/checkpoint/model", test_model);
  g_test_add_func ("/train/checkpoint/best", test_best);
  g_test_add_func ("/train/checkpoint/not-finite", test_not_finite);
  status = g_test_run ();
  g_unlink (file);
  g_unlink (kept);
  g_rmdir (folder);
  g_free (file);
  g_free (folder);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return status;
}
