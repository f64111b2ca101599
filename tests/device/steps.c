/* SPDX-License-Identifier: Apache-2.0
 * Training steps over several devices, and graphs, for the tests of devices.
 */
#include "steps.h"
#include "op/devices.h"
#include <string.h>

const Placement placements[N_PLACEMENTS] = {
  { "dense, one device", DENSE, "guard", { NULL } },
  { "dense, spread",
    DENSE,
    "guard:0",
    { "Sigmoid*=guard:1", "*SSE*=cpu", "MatMul=guard:1", "Transpose=cpu", NULL } },
  { "convolutions, one device", CNN, "guard:1", { NULL } },
  { "convolutions, spread",
    CNN,
    "cpu",
    { "Conv*=guard:0", "Relu*=guard:1", "Gemm=guard:1", "*Batch*=guard:0", NULL } },
  { "dropout and Adam, one device", DROPOUT, "guard", { NULL } },
  { "dropout and Adam, two devices",
    DROPOUT,
    "guard:0",
    { "Conv*=guard:1", "*Pool*=guard:1", "Adam*=guard:1", NULL } },
  { "dropout and Adam, device and CPU",
    DROPOUT,
    "guard:1",
    { "Gemm=cpu", "*Batch*=cpu", "Dropout*=cpu", NULL } },
};

KetteTrainer *
trainer_new (const Placement *p, KetteGraph **graph, GError **error)
{
  const int sizes[]         = { 784, 12, 10 };
  KetteTrainOptions options = { 0 };
  KetteTensor *x, *t;
  KetteTrainer *trainer;

  *graph = p->network == DENSE ? network_new (KT_F32, sizes, 2, "Sigmoid")
           : p->network == CNN ? network_cnn_new (8, 8, 16, TRUE)
                               : network_cnn_dropout_new (8, 8, 16);
  network_samples (25, &x, &t);
  kette_train_options_init (&options);
  options.loss      = p->network == DENSE ? "half-sse" : "cross-entropy";
  options.optimizer = p->network == DROPOUT ? "adam" : "momentum";
  options.batch     = 10;
  options.device    = p->device;
  options.place     = p->place;
  trainer           = kette_trainer_new (*graph, &options, error);
  if (trainer && !kette_trainer_set_data (trainer, x, t, error))
    g_clear_pointer (&trainer, kette_trainer_unref);
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  return trainer;
}

char *
train (const Placement *p, GError **error)
{
  g_autoptr (KetteGraph) graph     = NULL;
  g_autoptr (KetteTrainer) trainer = trainer_new (p, &graph, error);
  gboolean ok                      = trainer != NULL;

  for (int i = 0; ok && i < STEPS; i++)
    ok = kette_trainer_step (trainer, NULL, NULL, error);
  ok = ok && _kette_residents_write_back (error);
  return ok ? network_digest (graph) : NULL;
}

char *
train_on_cpu (const Placement *p)
{
  const Placement cpu = { p->name, p->network, "cpu", { NULL } };
  GError *error       = NULL;
  char *digest        = train (&cpu, &error);

  g_assert_no_error (error);
  return digest;
}

size_t
free_memory (void)
{
  KetteUnit *unit = NULL;
  size_t left     = 0, all;
  KetteCall call;

  g_assert_true (_kette_unit_get ("guard", &unit, NULL));
  _kette_call_init (&call);
  unit->device->memory (&call.call, unit->handle, &left, &all);
  return left;
}

KetteGraph *
chain_new (int n)
{
  const int64_t dims[] = { 4 };
  KetteModel *model    = _kette_model_new ("chain", NULL);
  KetteGraph *graph    = _kette_graph_new (model, "chain", NULL);
  KetteValue *last     = _kette_graph_add_value (graph, "x", NULL);

  _kette_model_set_opset (model, "", 18, NULL);
  _kette_model_unref (model);
  _kette_value_set_tensor_type (last, KT_F32, dims, 1, NULL);
  _kette_graph_add_input (graph, last, NULL);
  for (int i = 0; i < n; i++)
    {
      KetteValue *next      = _kette_graph_add_value (graph, NULL, NULL);
      g_autofree char *name = g_strdup_printf ("n%d", i);
      _kette_graph_add_node (graph, name, "", i % 2 ? "Neg" : "Abs", 18, &last, 1, &next,
                             1, NULL, 0, NULL);
      last = next;
    }
  _kette_graph_add_output (graph, last, NULL);
  return graph;
}

void
steps_init (int *argc, char ***argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (argc, argv, NULL);
  g_setenv ("KETTE_GUARD", "", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
}
