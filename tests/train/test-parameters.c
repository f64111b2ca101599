/* SPDX-License-Identifier: Apache-2.0
 * Which parameters are trained, what they begin with, and how data fit the inputs.
 */
#include "networks.h"
#include "train/input.h"
#include <math.h>
#include <string.h>

static KetteTrainOptions
options_new (void)
{
  KetteTrainOptions options;

  kette_train_options_init (&options);
  options.loss  = "half-sse";
  options.batch = 4;
  return options;
}

static gboolean
changed (const KetteTensor *old, KetteGraph *graph, const char *name)
{
  return !_kette_tensor_equal (old, kette_graph_get_parameter (graph, name));
}

/* Patterns, then the parameters that are trained. */
static void
check_choice (const char *const *freeze, const char *const *only, const char *trained)
{
  static const char *const names[] = { "w0", "b0", "w1", "b1" };
  const int sizes[]                = { 3, 4, 2 };
  g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 2, "Sigmoid");
  g_autoptr (KetteTensor) x        = network_rows (KT_F32, 4, 3, 1);
  g_autoptr (KetteTensor) t        = network_rows (KT_F32, 4, 2, 2);
  g_autoptr (KetteTrainer) trainer = NULL;
  KetteTrainOptions options        = options_new ();
  KetteTensor *old[4];
  GError *error = NULL;

  for (int i = 0; i < 4; i++)
    old[i] = _kette_tensor_copy (kette_graph_get_parameter (graph, names[i]), &error);
  options.freeze = freeze;
  options.only   = only;
  trainer        = network_trainer (graph, &options, x, t);
  kette_trainer_step (trainer, NULL, NULL, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 4; i++)
    {
      g_assert_cmpint (changed (old[i], graph, names[i]), ==,
                       strstr (trained, names[i]) != NULL);
      kette_tensor_unref (old[i]);
    }
}

static void
test_freeze (void)
{
  check_choice (NULL, NULL, "w0 b0 w1 b1");
  check_choice ((const char *const[]){ "w0", NULL }, NULL, "b0 w1 b1");
  check_choice ((const char *const[]){ "*0", NULL }, NULL, "w1 b1");
  check_choice ((const char *const[]){ "w?", "b1", NULL }, NULL, "b0");
  check_choice (NULL, (const char *const[]){ "?1", NULL }, "w1 b1");
  check_choice ((const char *const[]){ "b*", NULL }, (const char *const[]){ "?1", NULL },
                "w1");
}

static void
expect_error (const KetteTrainOptions *options, KetteErrorCode code, const char *text)
{
  const int sizes[]            = { 3, 4, 2 };
  g_autoptr (KetteGraph) graph = network_new (KT_F32, sizes, 2, "Sigmoid");
  GError *error                = NULL;

  g_assert_null (kette_trainer_new (graph, options, &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, text));
  g_clear_error (&error);
}

static void
test_mistakes (void)
{
  KetteTrainOptions options = options_new ();

  options.freeze = (const char *const[]){ "nothing*", NULL };
  expect_error (&options, KETTE_ERROR_VALUE, "no parameter matches \"nothing*\"");
  options.freeze = (const char *const[]){ "*", NULL };
  expect_error (&options, KETTE_ERROR_VALUE, "no parameter is left");
  options      = options_new ();
  options.loss = "half-see";
  expect_error (&options, KETTE_ERROR_VALUE, "no loss \"half-see\"");
  options           = options_new ();
  options.optimizer = "sdg";
  expect_error (&options, KETTE_ERROR_VALUE, "no optimizer \"sdg\"");
  options      = options_new ();
  options.init = (const char *const[]){ "*=fanin", NULL };
  expect_error (&options, KETTE_ERROR_VALUE, "no initializer \"fanin\"");
  options.init = (const char *const[]){ "fan-in", NULL };
  expect_error (&options, KETTE_ERROR_VALUE, "PATTERN=NAME");
  options      = options_new ();
  options.rate = NAN;
  expect_error (&options, KETTE_ERROR_VALUE, "rate");
  options       = options_new ();
  options.split = 1;
  expect_error (&options, KETTE_ERROR_VALUE, "split");
  options        = options_new ();
  options.resume = TRUE;
  expect_error (&options, KETTE_ERROR_VALUE, "nothing to resume");
}

typedef struct
{
  const char *init;
  double mean, deviation, largest; /* of w0, 200 x 300; largest 0: not bounded */
  double bias;                     /* deviation of b0 */
} Wanted;

static void
moments (const KetteTensor *t, double *mean, double *deviation, double *largest)
{
  double sum = 0, squares = 0;

  *largest = 0;
  for (size_t i = 0; i < t->count; i++)
    {
      const double v = _kette_tensor_get_double (t, i);
      sum += v;
      squares += v * v;
      *largest = MAX (*largest, fabs (v));
    }
  *mean      = sum / (double) t->count;
  *deviation = sqrt (squares / (double) t->count - *mean * *mean);
}

static void
check_initializer (gconstpointer data)
{
  const Wanted *w           = data;
  const int sizes[]         = { 200, 300 };
  g_autofree char *rule     = g_strdup_printf ("*=%s", w->init);
  KetteTrainOptions options = options_new ();
  double mean, deviation, largest;
  g_autofree char *digests[3] = { NULL };

  options.init = (const char *const[]){ rule, NULL };
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 1, NULL);
      g_autoptr (KetteTrainer) trainer = NULL;
      GError *error                    = NULL;

      options.seed = i == 2 ? 4 : 3;
      trainer      = kette_trainer_new (graph, &options, &error);
      g_assert_no_error (error);
      moments (kette_graph_get_parameter (graph, "w0"), &mean, &deviation, &largest);
      g_assert_cmpfloat_with_epsilon (mean, w->mean, 0.02 * w->deviation + 1e-7);
      g_assert_cmpfloat_with_epsilon (deviation, w->deviation,
                                      0.02 * w->deviation + 1e-7);
      if (w->largest > 0)
        g_assert_cmpfloat (largest, <=, w->largest);
      moments (kette_graph_get_parameter (graph, "b0"), &mean, &deviation, &largest);
      g_assert_cmpfloat_with_epsilon (deviation, w->bias, 0.2 * w->bias + 1e-7);
      digests[i] = network_digest (graph);
    }
  g_assert_cmpstr (digests[0], ==, digests[1]);
  if (w->deviation > 0)
    g_assert_cmpstr (digests[0], !=, digests[2]);
  for (int i = 1; i < 3; i++)
    g_clear_pointer (&digests[i], g_free);
}

/* Another layer does not change the first one's weights. */
static void
test_streams (void)
{
  const int sizes[]             = { 5, 6, 7 };
  g_autoptr (KetteTensor) first = NULL;
  KetteTrainOptions options     = options_new ();
  GError *error                 = NULL;

  options.init = (const char *const[]){ "*=fan-in", "w1=zeros", NULL };
  for (int layers = 1; layers <= 2; layers++)
    {
      g_autoptr (KetteGraph) graph     = network_new (KT_F64, sizes, layers, NULL);
      g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, &error);

      g_assert_nonnull (trainer);
      g_assert_no_error (error);
      if (!first)
        first = kette_tensor_ref (kette_graph_get_parameter (graph, "w0"));
      else
        {
          double mean, deviation, largest;
          g_assert_false (changed (first, graph, "w0"));
          moments (kette_graph_get_parameter (graph, "w1"), &mean, &deviation, &largest);
          g_assert_cmpfloat (largest, ==, 0);
        }
    }
}

static KetteTrainer *
digits_trainer (KetteGraph *graph, KetteTensor *x, KetteTensor *t, GError **error)
{
  const KetteTrainOptions options = options_new ();
  KetteTrainer *trainer           = kette_trainer_new (graph, &options, error);

  g_assert_no_error (*error);
  if (kette_trainer_set_data (trainer, x, t, error))
    return trainer;
  kette_trainer_unref (trainer);
  return NULL;
}

static void
expect_data_error (KetteTensor *x, KetteTensor *t, KetteErrorCode code, const char *text)
{
  const int sizes[]            = { 784, 10 };
  g_autoptr (KetteGraph) graph = network_new (KT_F32, sizes, 1, "Sigmoid");
  GError *error                = NULL;

  g_assert_null (digits_trainer (graph, x, t, &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, text));
  g_clear_error (&error);
}

static void
test_data (void)
{
  const int sizes[]                = { 784, 10 };
  const gint64 pictures[]          = { 12, 1, 28, 28 };
  g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 1, "Sigmoid");
  g_autoptr (KetteTensor) few      = network_rows (KT_F32, 12, 783, 1);
  g_autoptr (KetteTensor) square   = NULL;
  g_autoptr (KetteTensor) fed      = NULL;
  g_autoptr (KetteTrainer) trainer = NULL;
  KetteTensor *x, *t, *short_t, *other_x;
  KetteInputRecipe recipe;
  GError *error = NULL;
  gboolean present;

  network_samples (12, &x, &t);
  network_samples (11, &other_x, &short_t);
  square = kette_tensor_new (KT_U8, pictures, 4, &error);
  memcpy (square->data, x->data, x->bytes);

  /* Bytes for a float input that has no recipe yet: no guess. */
  g_assert_null (kette_input_prepare (graph, "x", x, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_TYPE);
  g_clear_error (&error);

  trainer = digits_trainer (graph, square, t, &error);
  g_assert_no_error (error);
  g_assert_true (kette_graph_get_input_recipe (graph, "x", &recipe, &present, &error));
  g_assert_true (present);
  g_assert_cmpfloat (recipe.scale, ==, 1.0 / 255);
  fed = kette_input_prepare (graph, "x", square, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fed->dtype, ==, KT_F32);
  g_assert_cmpint (fed->rank, ==, 2);
  g_assert_cmpint (fed->dims[1], ==, 784);
  g_assert_cmpfloat_with_epsilon (((float *) fed->data)[5],
                                  ((guint8 *) x->data)[5] / 255.0, 1e-7);

  expect_data_error (few, t, KETTE_ERROR_SHAPE, "float32[12,783]");
  expect_data_error (x, short_t, KETTE_ERROR_SHAPE, "12 samples and 11 targets");
  expect_data_error (x, NULL, KETTE_ERROR_VALUE, "no data for input \"target\"");
  ((guint8 *) t->data)[3] = 10;
  expect_data_error (x, t, KETTE_ERROR_VALUE, "label 10 of sample 3 is not in 0..9");
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  kette_tensor_unref (other_x);
  kette_tensor_unref (short_t);
}

/* Every sample once per epoch, the last batch smaller; --drop-last and --split. */
static void
test_epoch (void)
{
  const int sizes[] = { 784, 10 };
  KetteTensor *x, *t;
  KetteTrainState s;

  network_samples (26, &x, &t);
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (KetteGraph) graph     = network_new (KT_F32, sizes, 1, "Sigmoid");
      g_autoptr (KetteTrainer) trainer = NULL;
      KetteTrainOptions options        = options_new ();
      GError *error                    = NULL;
      double loss, accuracy;

      options.drop_last = i & 1;
      options.split     = i & 2 ? 0.25 : 0;
      trainer           = network_trainer (graph, &options, x, t);
      kette_trainer_epoch (trainer, &loss, NULL, &error);
      g_assert_no_error (error);
      kette_trainer_get_state (trainer, &s);
      g_assert_cmpuint (s.epoch, ==, 1);
      g_assert_cmpuint (s.n_held_out, ==, i & 2 ? 7 : 0);
      g_assert_cmpuint (s.n_samples, ==, i == 0 ? 26 : i == 1 ? 24 : i == 2 ? 19 : 16);
      g_assert_cmpuint (s.step, ==, (s.n_samples + 3) / 4);
      if (i & 2)
        {
          kette_trainer_evaluate (trainer, NULL, NULL, &loss, &accuracy, &error);
          g_assert_no_error (error);
          g_assert_true (accuracy >= 0 && accuracy <= 1 && loss > 0);
        }
    }
  kette_tensor_unref (x);
  kette_tensor_unref (t);
}

int
main (int argc, char **argv)
{
  static const Wanted initializers[] = {
    { "zeros", 0, 0, 0, 0 },
    { "ones", 1, 0, 1, 0 },
    { "constant:0.25", 0.25, 0, 0.25, 0 },
    { "uniform", 0, 0.0288675, 0.05, 0 },
    { "normal:0.3", 0, 0.3, 0, 0 },
    { "truncated:0.1", 0, 0.0879626, 0.2, 0 },
    { "glorot-uniform", 0, 0.0632456, 0.109545, 0 },
    { "glorot-normal", 0, 0.0632456, 0, 0 },
    { "he", 0, 0.1, 0, 0 },
    { "fan-in", 0, 0.0707107, 0, 0 },
    { "n01", 0, 1, 0, 1 },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/parameters/freeze", test_freeze);
  g_test_add_func ("/train/parameters/mistakes", test_mistakes);
  g_test_add_func ("/train/parameters/streams", test_streams);
  for (size_t i = 0; i < G_N_ELEMENTS (initializers); i++)
    {
      g_autofree char *path = g_strdup_printf ("/train/init/%s", initializers[i].init);
      g_test_add_data_func (path, &initializers[i], check_initializer);
    }
  g_test_add_func ("/train/data/shapes", test_data);
  g_test_add_func ("/train/data/epoch", test_epoch);
  return g_test_run ();
}
