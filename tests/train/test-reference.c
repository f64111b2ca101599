/* SPDX-License-Identifier: Apache-2.0
 * 500 steps of the lecture's network against a run of PyTorch from the same weights, over the
 * same samples in the same order: reference/make-reference.py.
 */
#include "io/io.h"
#include "networks.h"
#include <math.h>

enum
{
  STEPS = 500,
  BATCH = 10
};

static KetteTensor *
reference (const char *name)
{
  g_autofree char *part = g_strdup_printf ("tests/train/reference/%s.npy", name);
  g_autofree char *file = network_source (part);
  GError *error         = NULL;
  KetteTensor *t        = kette_tensor_load (file, &error);

  g_assert_no_error (error);
  return t;
}

static void
compare_parameter (KetteGraph *graph, const char *name)
{
  g_autoptr (KetteTensor) wanted = reference (name);
  KetteTensor *have              = kette_graph_get_parameter (graph, name);
  double difference = 0, norm = 0;

  g_assert_nonnull (have);
  g_assert_cmpuint (have->count, ==, wanted->count);
  for (size_t i = 0; i < have->count; i++)
    {
      const double a = _kette_tensor_get_double (have, i),
                   b = _kette_tensor_get_double (wanted, i);
      difference += (a - b) * (a - b);
      norm += b * b;
    }
  g_test_message ("%s: relative difference %.2e", name, sqrt (difference / norm));
  g_assert_cmpfloat (sqrt (difference), <=, 1e-5 * sqrt (norm));
}

static void
test_pytorch (void)
{
  g_autofree char *file            = network_source ("examples/lecture/lecture.onnx");
  GError *error                    = NULL;
  g_autoptr (KetteGraph) graph     = kette_graph_load (file, &error);
  g_autoptr (KetteTensor) wanted   = reference ("loss");
  g_autoptr (KetteTrainer) trainer = NULL;
  KetteTensor *x, *t;
  KetteTrainOptions options;
  double worst = 0;

  g_assert_no_error (error);
  kette_train_options_init (&options);
  options.loss       = "half-sse";
  options.rate       = 1;
  options.batch      = BATCH;
  options.no_shuffle = TRUE;
  network_samples (STEPS * BATCH, &x, &t);
  trainer = network_trainer (graph, &options, x, t);
  for (int i = 0; i < STEPS; i++)
    {
      const double b = _kette_tensor_get_double (wanted, (size_t) i);
      double loss;

      kette_trainer_step (trainer, &loss, NULL, &error);
      g_assert_no_error (error);
      worst = MAX (worst, fabs (loss - b) / b);
    }
  g_test_message ("loss: largest relative difference %.2e", worst);
  g_assert_cmpfloat (worst, <=, 1e-5);
  compare_parameter (graph, "layer1.W");
  compare_parameter (graph, "layer1.b");
  compare_parameter (graph, "layer2.W");
  compare_parameter (graph, "layer2.b");
  kette_tensor_unref (x);
  kette_tensor_unref (t);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/reference/pytorch", test_pytorch);
  return g_test_run ();
}
