/* SPDX-License-Identifier: Apache-2.0
 * Placement by cost, with the constants of a large GPU given to the guard: small steps are the
 * CPU's, large ones the device's, whole, so that they are recorded.
 */
#include "op/devices.h"
#include "steps.h"
#include <string.h>

/* plugins/cuda/device.c */
static const kt_costs large_gpu = { .launch_us           = 3,
                                    .copy_us             = 10,
                                    .link_bytes_per_us   = 25e3,
                                    .memory_bytes_per_us = 3e6,
                                    .flops_per_us        = 40e6,
                                    .kernel_us           = 2 };

/* The plan of a training step, by cost; n_there: its steps on the guard, n_here: on the host. */
static void
place (KetteGraph *graph, const char *loss, guint batch, size_t *n_there, size_t *n_here)
{
  const char *const offer[] = { "no such node=guard", NULL };
  KetteTrainOptions options;
  KetteTensor *x, *t;
  GError *error = NULL;

  network_samples (batch, &x, &t);
  kette_train_options_init (&options);
  options.loss                     = loss;
  options.batch                    = batch;
  options.device                   = "auto";
  options.place                    = offer;
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, &options, &error);
  g_assert_no_error (error);
  g_assert_true (kette_trainer_set_data (trainer, x, t, &error));
  g_autofree char *plan = kette_trainer_plan (trainer, &error);
  g_assert_no_error (error);
  *n_there = *n_here = 0;
  for (const char *at = plan; (at = strstr (at, "guard:0  kette")); at++)
    ++*n_there;
  for (const char *at = plan; (at = strstr (at, "cpu      kette")); at++)
    ++*n_here;
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  kette_graph_unref (graph);
}

static void
test_dense (void)
{
  static const struct
  {
    int sizes[5];
    size_t n;
    guint batch;
    gboolean there;
  } cases[] = { { { 784, 30, 10 }, 2, 10, FALSE },
                { { 784, 30, 10 }, 2, 1, FALSE },
                { { 784, 1024, 1024, 10 }, 3, 256, TRUE },
                { { 784, 4096, 10 }, 2, 64, TRUE } };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      size_t there, here;
      place (network_new (KT_F32, cases[i].sizes, (int) cases[i].n, "Relu"), "half-sse",
             cases[i].batch, &there, &here);
      g_test_message ("case %zu: %zu on the device, %zu on the host", i, there, here);
      g_assert_true (cases[i].there ? there > 10 && here == 0 : there == 0);
    }
}

static void
test_convolutions (void)
{
  size_t there, here;

  place (network_cnn_new (64, 128, 512, TRUE), "cross-entropy", 64, &there, &here);
  g_test_message ("%zu on the device, %zu on the host", there, here);
  g_assert_cmpuint (there, >, 20);
  g_assert_cmpuint (here, ==, 0);
}

/* The model is a function of the graph and of constants. */
static void
test_steady (void)
{
  const int sizes[] = { 784, 200, 10 };
  size_t first[2], now[2];

  for (int i = 0; i < 3; i++)
    {
      size_t *out = i ? now : first;
      place (network_new (KT_F32, sizes, 2, "Relu"), "half-sse", 64, &out[0], &out[1]);
      g_assert_true (i == 0 || memcmp (first, now, sizeof first) == 0);
    }
}

int
main (int argc, char **argv)
{
  KetteUnit *unit = NULL;

  steps_init (&argc, &argv);
  g_assert_true (_kette_unit_get ("guard", &unit, NULL));
  unit->kind->device.costs = large_gpu;
  g_test_add_func ("/cost/dense", test_dense);
  g_test_add_func ("/cost/convolutions", test_convolutions);
  g_test_add_func ("/cost/steady", test_steady);
  return g_test_run ();
}
