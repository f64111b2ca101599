/* SPDX-License-Identifier: Apache-2.0
 * Networks with batch normalisation and dropout: 20 steps against a run of PyTorch
 * (reference-bn/make-reference.py), the same bits after a resume, frozen statistics, evaluation
 * in inference mode, files of an old operator set.
 */
#include "base/pool.h"
#include "exec/session.h"
#include "io/io.h"
#include "networks.h"
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define REFERENCE "tests/train/reference-bn/"

static KetteTensor *
reference (const char *name)
{
  g_autofree char *part = g_strdup_printf (REFERENCE "%s.npy", name);
  g_autofree char *file = network_source (part);
  GError *error         = NULL;
  KetteTensor *t        = kette_tensor_load (file, &error);

  g_assert_no_error (error);
  return t;
}

/* ||have - wanted|| <= 1e-5 ||wanted|| */
static void
compare (const char *name, const KetteTensor *have)
{
  g_autoptr (KetteTensor) wanted = reference (name);
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
test_pytorch (void)
{
  static const char *const parameters[]
      = { "conv.weight",     "bn1.weight",       "bn1.bias",        "bn1.running_mean",
          "bn1.running_var", "fc1.weight",       "fc1.bias",        "bn2.weight",
          "bn2.bias",        "bn2.running_mean", "bn2.running_var", "fc2.weight",
          "fc2.bias" };
  g_autofree char *file            = network_source (REFERENCE "network.onnx");
  GError *error                    = NULL;
  g_autoptr (KetteGraph) graph     = kette_graph_load (file, &error);
  g_autoptr (KetteTensor) x        = reference ("x");
  g_autoptr (KetteTensor) t        = reference ("t");
  g_autoptr (KetteTensor) losses   = reference ("loss");
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autoptr (KetteSession) session = NULL;
  KetteTrainOptions options;
  KetteTensor *y = NULL;

  g_assert_no_error (error);
  kette_train_options_init (&options);
  options.loss       = "cross-entropy";
  options.rate       = 0.1;
  options.batch      = 8;
  options.no_shuffle = TRUE;
  trainer            = network_trainer (graph, &options, x, t);
  for (size_t i = 0; i < losses->count; i++)
    {
      double loss;

      kette_trainer_step (trainer, &loss, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpfloat_with_epsilon (loss, _kette_tensor_get_double (losses, i), 1e-5);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (parameters); i++)
    compare (parameters[i], kette_graph_get_parameter (graph, parameters[i]));

  /* The graph itself is the network in inference, with the statistics of training. */
  session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  kette_session_run (session, &x, &y, NULL, &error);
  g_assert_no_error (error);
  compare ("y", y);
  kette_tensor_unref (y);
}

/* A small network of its own -------------------------------------------------------------- */

enum
{
  WIDTH  = 6,
  HIDDEN = 8,
  N      = 50,
  BATCH  = 10
};

static KetteTensor *x, *t;
static char *folder;

static KetteValue *
numbers (KetteGraph *graph, const char *name, const gint64 *dims, guint rank, double low)
{
  GError *error     = NULL;
  KetteTensor *data = kette_tensor_new (KT_F32, dims, rank, &error);
  KetteValue *value;

  g_assert_no_error (error);
  for (size_t i = 0; i < data->count; i++)
    _kette_tensor_set_double (
        data, i, low + network_mix ((guint32) i + g_str_hash (name)) / 4294967296.0);
  value = _kette_graph_add_constant (graph, name, data, &error);
  g_assert_no_error (error);
  kette_tensor_unref (data);
  return value;
}

static KetteValue *
node (KetteGraph *graph, int32_t opset, const char *op, KetteValue *const *in,
      int32_t n_in, const kt_attr *attr, const char *name)
{
  GError *error   = NULL;
  KetteValue *out = _kette_graph_add_value (graph, name, &error);

  g_assert_no_error (error);
  _kette_graph_add_node (graph, name, "", op, opset, in, n_in, &out, 1, attr,
                         attr ? 1 : 0, &error);
  g_assert_no_error (error);
  return out;
}

/* x w0 -> BatchNormalization "bn" -> Relu -> Dropout "drop" -> y = ... w1. */
static KetteGraph *
network (int32_t opset)
{
  GError *error        = NULL;
  KetteModel *model    = _kette_model_new ("<memory>", &error);
  const gint64 first[] = { WIDTH, HIDDEN }, second[] = { HIDDEN, 3 };
  const gint64 hidden   = HIDDEN;
  const kt_attr seed    = { .name = "seed", .kind = KT_A_INT, .i = 3 };
  const kt_attr old     = { .name = "ratio", .kind = KT_A_FLOAT, .f = 0.25 };
  const gboolean is_new = opset >= 12;
  KetteGraph *graph;
  KetteValue *in[5];
  gint64 dims[2];

  g_assert_no_error (error);
  model->ir_version = 8;
  _kette_model_set_opset (model, "", opset, &error);
  graph = _kette_graph_new (model, "network", &error);
  g_assert_no_error (error);
  _kette_model_unref (model);
  in[0]   = _kette_graph_add_value (graph, "x", &error);
  dims[0] = _kette_model_symbol (graph->model, "N", &error);
  dims[1] = WIDTH;
  _kette_value_set_tensor_type (in[0], KT_F32, dims, 2, &error);
  _kette_graph_add_input (graph, in[0], &error);
  g_assert_no_error (error);
  in[1] = numbers (graph, "w0", first, 2, -0.5);
  in[0] = node (graph, opset, "MatMul", in, 2, NULL, "h");
  in[1] = numbers (graph, "bn.scale", &hidden, 1, 0.5);
  in[2] = numbers (graph, "bn.bias", &hidden, 1, -0.5);
  in[3] = numbers (graph, "bn.mean", &hidden, 1, -0.5);
  in[4] = numbers (graph, "bn.var", &hidden, 1, 0.5);
  in[0] = node (graph, opset, "BatchNormalization", in, 5, NULL, "bn");
  in[0] = node (graph, opset, "Relu", in, 1, NULL, "relu");
  in[1] = is_new ? numbers (graph, "ratio", NULL, 0, 0) : NULL;
  if (is_new)
    _kette_tensor_set_double (in[1]->data, 0, 0.25);
  in[0]
      = node (graph, opset, "Dropout", in, is_new ? 2 : 1, is_new ? &seed : &old, "drop");
  in[1]   = numbers (graph, "w1", second, 2, -0.5);
  in[0]   = node (graph, opset, "MatMul", in, 2, NULL, "y");
  dims[1] = 3;
  _kette_value_set_tensor_type (in[0], KT_F32, dims, 2, &error);
  _kette_graph_add_output (graph, in[0], &error);
  g_assert_no_error (error);
  return graph;
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

static KetteTensor *
copy_of (KetteGraph *graph, const char *name)
{
  GError *error = NULL;
  KetteTensor *copy
      = _kette_tensor_copy (kette_graph_get_parameter (graph, name), &error);

  g_assert_no_error (error);
  return copy;
}

static gboolean
is_as_before (KetteGraph *graph, const char *name, KetteTensor *before)
{
  const KetteTensor *now = kette_graph_get_parameter (graph, name);

  return memcmp (now->data, before->data, now->bytes) == 0;
}

/* 30 steps at once, and 30 in pieces, each saved, loaded, and with other threads. */
static void
test_pieces (gconstpointer optimizer)
{
  static const int pieces[] = { 4, 11, 1, 14 };
  g_autofree char *file     = g_build_filename (folder, "pieces.onnx", NULL);
  g_autofree char *whole = NULL, *resumed = NULL;
  KetteTrainOptions options        = options_new (optimizer);
  g_autoptr (KetteGraph) graph     = network (15);
  g_autoptr (KetteTrainer) trainer = NULL;
  GError *error                    = NULL;

  _kette_pool_set_threads (1);
  trainer = network_trainer (graph, &options, x, t);
  steps (trainer, 30);
  whole = network_digest (graph);
  for (size_t i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_autoptr (KetteGraph) piece   = i ? kette_graph_load (file, &error) : network (15);
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

/* A pattern that statistics match keeps their node in inference mode. */
static void
test_frozen (void)
{
  static const char *const patterns[] = { "bn.*", NULL }, *const statistic[]
                                                          = { "bn.var", NULL };
  static const char *const all[] = { "bn.scale", "bn.bias", "bn.mean", "bn.var" };

  for (int k = 0; k < 2; k++)
    {
      KetteTrainOptions options        = options_new ("sgd");
      g_autoptr (KetteGraph) graph     = network (15);
      g_autoptr (KetteTrainer) trainer = NULL;
      KetteTensor *before[G_N_ELEMENTS (all)];

      options.freeze = k ? statistic : patterns;
      for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
        before[i] = copy_of (graph, all[i]);
      trainer = network_trainer (graph, &options, x, t);
      steps (trainer, 10);
      for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
        {
          const gboolean stays = i >= 2 || k == 0;
          g_assert_cmpint (is_as_before (graph, all[i], before[i]), ==, stays);
          kette_tensor_unref (before[i]);
        }
    }
}

static double
loss_of (KetteTrainer *trainer)
{
  GError *error = NULL;
  double loss;

  kette_trainer_evaluate (trainer, x, t, &loss, NULL, &error);
  g_assert_no_error (error);
  return loss;
}

/* What is evaluated is the network in inference: no mask, the running statistics. */
static void
test_evaluation (void)
{
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = network (15);
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  g_autoptr (KetteSession) session = NULL;
  g_autoptr (KetteTensor) y        = NULL;
  GError *error                    = NULL;
  double sum                       = 0;

  steps (trainer, 7);
  const double loss = loss_of (trainer);
  g_assert_cmpfloat (loss, ==, loss_of (trainer));
  session = kette_session_new (graph, &error);
  g_assert_no_error (error);
  kette_session_run (session, &x, &y, NULL, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < y->count; i++)
    {
      const double d = _kette_tensor_get_double (y, i) - _kette_tensor_get_double (t, i);
      sum += d * d / 2;
    }
  g_assert_cmpfloat_with_epsilon (loss, sum / N, 1e-5);
}

/* Each step has a mask of its own, whatever seed the node has. */
static void
test_masks (void)
{
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = network (15);
  g_autoptr (KetteTrainer) trainer = NULL;
  GError *error                    = NULL;
  double first, second;

  options.batch = N;
  options.rate  = 1e-30;
  trainer       = network_trainer (graph, &options, x, t);
  kette_trainer_step (trainer, &first, NULL, &error);
  g_assert_no_error (error);
  kette_trainer_step (trainer, &second, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (fabs (first - second), >, 1e-4 * first);
}

/* A step that is not taken changes no statistic. */
static void
test_not_finite (void)
{
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = network (15);
  g_autoptr (KetteTensor) before   = copy_of (graph, "bn.mean");
  g_autoptr (KetteTrainer) trainer = NULL;
  g_autoptr (KetteTensor) broken   = NULL;
  GError *error                    = NULL;
  double loss;

  broken = _kette_tensor_copy (x, &error);
  g_assert_no_error (error);
  for (size_t i = 0; i < broken->count; i += WIDTH)
    ((float *) broken->data)[i] = 3e38f;
  options.skip_not_finite = TRUE;
  trainer                 = network_trainer (graph, &options, broken, t);
  kette_trainer_step (trainer, &loss, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (isfinite (loss));
  g_assert_true (is_as_before (graph, "bn.mean", before));
}

/* Before 14 and 12 the operators have no training mode: the file gets a newer operator set. */
static void
test_old (void)
{
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = network (9);
  g_autoptr (KetteTensor) before   = copy_of (graph, "bn.var");
  g_autoptr (KetteTrainer) trainer = network_trainer (graph, &options, x, t);
  g_autofree char *text            = kette_trainer_describe (trainer);
  const KetteGraph *algorithm      = graph->model->training[0]->algorithm;
  int n_copies                     = 0;

  g_assert_nonnull (strstr (text, "note the file is written in opset 14"));
  g_assert_cmpint (_kette_model_opset (graph->model, ""), ==, 14);
  for (size_t i = 0; i < algorithm->n_nodes; i++)
    n_copies += strcmp (algorithm->nodes[i]->op, "Dropout") == 0
                || _kette_node_attr (algorithm->nodes[i], "training_mode") != NULL;
  g_assert_cmpint (n_copies, ==, 2);
  steps (trainer, 12);
  g_assert_false (is_as_before (graph, "bn.var", before));
}

/* One statistic of two nodes: the second one goes on where the first one stopped. */
static void
test_shared (void)
{
  KetteTrainOptions options        = options_new ("sgd");
  g_autoptr (KetteGraph) graph     = network (15);
  g_autoptr (KetteTensor) before   = copy_of (graph, "bn.mean");
  g_autoptr (KetteTrainer) trainer = NULL;
  KetteValue *in[]
      = { _kette_graph_find (graph, "relu"), _kette_graph_find (graph, "bn.scale"),
          _kette_graph_find (graph, "bn.bias"), _kette_graph_find (graph, "bn.mean"),
          _kette_graph_find (graph, "bn.var") };
  KetteValue *again = node (graph, 15, "BatchNormalization", in, 5, NULL, "bn2");

  _kette_graph_find (graph, "drop")->producer->in[0] = again;
  trainer = network_trainer (graph, &options, x, t);
  steps (trainer, 1);
  g_assert_false (is_as_before (graph, "bn.mean", before));
  g_assert_cmpuint (graph->model->training[0]->n_update, ==, 7);
}

/* Inside functions nothing is copied, and nothing is trained in the wrong mode either. */
static void
test_function (void)
{
  KetteTrainOptions options    = options_new ("sgd");
  g_autoptr (KetteGraph) graph = network (15);
  KetteModel *model            = graph->model;
  GError *error                = NULL;
  KetteFunction *f = _kette_region_alloc (model->region, 1, sizeof *f, &error);
  KetteValue *in, *out;

  g_assert_no_error (error);
  f->domain = "local";
  f->name   = "F";
  f->body   = _kette_graph_new (model, "F", &error);
  in        = _kette_graph_add_value (f->body, "a", &error);
  _kette_graph_add_input (f->body, in, &error);
  out = node (f->body, 15, "Dropout", &in, 1, NULL, "b");
  _kette_graph_add_output (f->body, out, &error);
  _kette_grow (&model->functions, &model->functions_capacity, 1, sizeof (KetteFunction *),
               &error);
  g_assert_no_error (error);
  model->functions[model->n_functions++] = f;
  _kette_model_set_opset (model, "local", 1, &error);
  g_assert_no_error (error);

  KetteNode *drop = _kette_graph_find (graph, "drop")->producer;
  drop->domain    = "local";
  drop->op        = "F";
  drop->version   = 1;
  drop->n_in      = 1;
  drop->n_attrs   = 0;
  g_assert_null (kette_trainer_new (graph, &options, &error));
  g_assert_error (error, KETTE_ERROR, KETTE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "only possible in the main graph"));
  g_clear_error (&error);
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("kette-XXXXXX", &error);
  g_assert_no_error (error);
  x = network_rows (KT_F32, N, WIDTH, 1);
  t = network_rows (KT_F32, N, 3, 2);
  g_test_add_func ("/train/mode/pytorch", test_pytorch);
  g_test_add_data_func ("/train/mode/pieces/sgd", "sgd", test_pieces);
  g_test_add_data_func ("/train/mode/pieces/adam", "adam", test_pieces);
  g_test_add_func ("/train/mode/frozen", test_frozen);
  g_test_add_func ("/train/mode/evaluation", test_evaluation);
  g_test_add_func ("/train/mode/masks", test_masks);
  g_test_add_func ("/train/mode/not-finite", test_not_finite);
  g_test_add_func ("/train/mode/old", test_old);
  g_test_add_func ("/train/mode/shared", test_shared);
  g_test_add_func ("/train/mode/function", test_function);
  status = g_test_run ();
  kette_tensor_unref (x);
  kette_tensor_unref (t);
  for (const char *const *name
       = (const char *const[]){ "pieces.onnx", "pieces.onnx.1", NULL };
       *name; name++)
    {
      g_autofree char *file = g_build_filename (folder, *name, NULL);
      g_unlink (file);
    }
  g_rmdir (folder);
  g_free (folder);
  return status;
}
