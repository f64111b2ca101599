/* SPDX-License-Identifier: Apache-2.0
 * Devices whose kernels launch themselves: operands that stay on the host, nodes that fall back to
 * the CPU and are named, values that go from one kind of device to another.
 */
#include "exec/session-private.h"
#include "io/io.h"
#include "networks.h"
#include <glib/gstdio.h>
#include <string.h>

/* y = Reshape (Neg (OP (Neg (x))), shape) */
static KetteGraph *
graph_new (const char *op)
{
  const char *const ops[] = { "Neg", op, "Neg", "Reshape" };
  const int64_t dims[] = { 2, 3 }, two[] = { 2 };
  KetteModel *model = _kette_model_new ("launch", NULL);
  KetteGraph *graph = _kette_graph_new (model, "launch", NULL);
  KetteValue *in[2] = { _kette_graph_add_value (graph, "x", NULL),
                        _kette_graph_add_value (graph, "shape", NULL) };

  _kette_model_set_opset (model, "", 18, NULL);
  _kette_model_unref (model);
  _kette_value_set_tensor_type (in[0], KT_F32, dims, 2, NULL);
  _kette_value_set_tensor_type (in[1], KT_I64, two, 1, NULL);
  _kette_graph_add_input (graph, in[0], NULL);
  _kette_graph_add_input (graph, in[1], NULL);
  for (int i = 0; i < 4; i++)
    {
      KetteValue *next = _kette_graph_add_value (graph, i == 3 ? "y" : NULL, NULL);
      _kette_graph_add_node (graph, ops[i], "", ops[i], 18, in, i == 3 ? 2 : 1, &next, 1,
                             NULL, 0, NULL);
      in[0] = next;
    }
  _kette_graph_add_output (graph, in[0], NULL);
  return graph;
}

/* Runs it a few times; TEXTS must occur in what is said about the plan. */
static void
check_with (const char *op, KetteSessionFlags flags, const char *device,
            const char *const *place, const char *const *texts)
{
  g_autoptr (KetteGraph) graph = graph_new (op);
  GError *error                = NULL;
  g_autoptr (KetteSession) session
      = kette_session_new_on (graph, flags, device, place, &error);
  const gint64 dims[] = { 2, 3 }, two[] = { 2 }, shape[] = { 3, 2 };
  const float x[] = { 1, -2, 3, -4, 5, -6 };
  KetteTensor *in[2], *out[1];

  g_assert_no_error (error);
  in[0] = kette_tensor_new (KT_F32, dims, 2, &error);
  in[1] = kette_tensor_new (KT_I64, two, 1, &error);
  memcpy (in[0]->data, x, sizeof x);
  memcpy (in[1]->data, shape, sizeof shape);
  for (int run = 0; run < 4; run++)
    {
      g_assert_true (kette_session_run (session, in, out, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (out[0]->dims[0], ==, 3);
      for (int i = 0; i < 6; i++)
        g_assert_cmpfloat (((const float *) kette_tensor_get_data (out[0]))[i], ==,
                           strcmp (op, "Abs") == 0 ? -(float) (i + 1) : x[i]);
      kette_tensor_unref (out[0]);
    }
  g_autofree char *plan = kette_session_explain (session, in, NULL, &error);
  g_assert_no_error (error);
  for (; *texts; texts++)
    if (!strstr (plan, *texts))
      g_error ("\"%s\" is not in\n%s", *texts, plan);
  kette_tensor_unref (in[0]);
  kette_tensor_unref (in[1]);
}

static void
check (const char *op, const char *device, const char *const *place,
       const char *const *texts)
{
  check_with (op, (KetteSessionFlags) 0, device, place, texts);
}

/* A precision that some device has, the others compute as ever; and one that none has. */
static void
test_precision (void)
{
  const char *const place[] = { "Abs=guard:1", NULL };
  const char *const texts[]
      = { "(asked for, tf32)", "(a rule)",
          "precision tf32: 2 steps round to tf32, 0 to bf16", NULL };
  const struct
  {
    KetteSessionFlags flags;
    const char *device, *place[2], *text;
  } refused[] = {
    { KETTE_SESSION_TF32, NULL, { NULL }, "the cpu computes float32 as float32 only" },
    { KETTE_SESSION_BF16, "cpu", { NULL }, "precision bf16 needs a device that has it" },
    { KETTE_SESSION_TF32, "guard", { NULL }, "guard:0 computes float32 as float32 only" },
    { KETTE_SESSION_BF16,
      "launch",
      { "Neg=guard:1", NULL },
      "launch:0, guard:1 compute float32 as float32 only: precision bf16" },
  };
  KetteSessionFlags flags;
  GError *error = NULL;

  check_with ("Abs", KETTE_SESSION_TF32, "launch", place, texts);
  for (size_t i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (KetteGraph) graph = graph_new ("Abs");
      g_assert_null (kette_session_new_on (graph, refused[i].flags, refused[i].device,
                                           refused[i].place, &error));
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      g_assert_nonnull (strstr (error->message, refused[i].text));
      g_clear_error (&error);
    }
  g_assert_true (kette_session_flags_for_precision (NULL, &flags, &error));
  g_assert_cmpint (flags, ==, 0);
  g_assert_true (kette_session_flags_for_precision ("bf16", &flags, &error));
  g_assert_cmpint (flags, ==, KETTE_SESSION_BF16);
  g_assert_false (kette_session_flags_for_precision ("f16", &flags, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_VALUE);
  g_clear_error (&error);
}

/* Training on a device that has tf32; OPTIONS as text, or an error that has TEXT in it. */
static void
check_training (KetteGraph *graph, const KetteTrainOptions *options, const char *text,
                const char *file)
{
  GError *error                    = NULL;
  g_autoptr (KetteTrainer) trainer = kette_trainer_new (graph, options, &error);

  if (!trainer)
    {
      g_assert_nonnull (strstr (error->message, text));
      g_error_free (error);
      return;
    }
  g_autofree char *what = kette_trainer_describe (trainer);
  g_assert_true (!text || strstr (what, text));
  g_assert_true (text || !strstr (what, "precision"));
  g_assert_true (!file || kette_trainer_save (trainer, file, &error));
  g_assert_no_error (error);
}

static KetteGraph *
load (const char *file)
{
  GError *error     = NULL;
  KetteGraph *graph = kette_graph_load (file, &error);

  g_assert_no_error (error);
  return graph;
}

/* Checkpoints know the precision, and it is never left out silently. */
static void
test_training (void)
{
  const int sizes[]         = { 3, 2 };
  g_autofree char *folder   = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *file     = g_build_filename (folder, "launch.onnx", NULL);
  KetteTrainOptions options = { 0 };

  kette_train_options_init (&options);
  options.loss                 = "mse";
  options.device               = "launch";
  options.precision            = "tf32";
  g_autoptr (KetteGraph) graph = network_new (KT_F32, sizes, 1, NULL);
  check_training (graph, &options, "precision tf32\n", file);
  kette_train_options_init (&options);
  options.resume              = TRUE;
  g_autoptr (KetteGraph) same = load (file);
  check_training (same, &options, "precision tf32\n", NULL);
  options.device              = "guard";
  g_autoptr (KetteGraph) here = load (file);
  check_training (here, &options, "guard:0 computes float32 as float32 only", NULL);
  options.precision            = "f32";
  g_autoptr (KetteGraph) exact = load (file);
  check_training (exact, &options, NULL, NULL);
  options.precision            = "double";
  g_autoptr (KetteGraph) wrong = load (file);
  check_training (wrong, &options, "there is no precision \"double\"", NULL);
  g_remove (file);
  g_rmdir (folder);
}

static void
test_fallback (void)
{
  const char *const texts[]
      = { "launch:0: 3 steps", "copies: 2 in, 2 out, 0 between devices",
          "on the cpu though asked for elsewhere:\nnode \"Abs\" (Abs): no kernel", NULL };

  check ("Abs", "launch", NULL, texts);
}

static void
test_kinds (void)
{
  const char *const place[] = { "Abs=guard:1", NULL };
  const char *const texts[] = { "launch:0: 3 steps", "guard:1: 1 steps",
                                "copies: 3 in, 3 out, 0 between devices", NULL };

  check ("Abs", "launch", place, texts);
}

static void
test_absorbed (void)
{
  const char *const texts[] = { "Floor+Neg", "launch:0: 3 steps", NULL };

  check ("Floor", "launch", NULL, texts);
}

static void
test_host (void)
{
  const char *const place[] = { "Neg=launch", NULL };
  const char *const texts[]
      = { "launch:0: 2 steps", "copies: 2 in, 2 out, 0 between devices", NULL };

  check ("Abs", "cpu", place, texts);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  g_setenv ("KETTE_GUARD", "lazy", TRUE);
  kette_plugins_get (&error);
  g_assert_no_error (error);
  g_assert_true (kette_plugins_add_file (g_getenv ("KETTE_LAUNCH"), TRUE, &error));
  g_test_add_func ("/launch/absorbed", test_absorbed);
  g_test_add_func ("/launch/fallback", test_fallback);
  g_test_add_func ("/launch/host", test_host);
  g_test_add_func ("/launch/kinds", test_kinds);
  g_test_add_func ("/launch/precision", test_precision);
  g_test_add_func ("/launch/training", test_training);
  return g_test_run ();
}
