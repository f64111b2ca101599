/* SPDX-License-Identifier: Apache-2.0
 * Small networks and data for the tests of training.
 */
#include "networks.h"
#include <math.h>
#include <string.h>

guint32
network_mix (guint32 v)
{
  v ^= v >> 16;
  v *= 0x7feb352du;
  v ^= v >> 15;
  v *= 0x846ca68bu;
  return v ^ v >> 16;
}

void
network_samples (size_t n, KetteTensor **x, KetteTensor **labels)
{
  const gint64 dims[] = { (gint64) n, 784 };
  GError *error       = NULL;
  guint8 *pixel, *label;

  *x      = kette_tensor_new (KT_U8, dims, 2, &error);
  *labels = kette_tensor_new (KT_U8, dims, 1, &error);
  g_assert_no_error (error);
  pixel = kette_tensor_get_data (*x);
  label = kette_tensor_get_data (*labels);
  for (guint32 i = 0; i < n; i++)
    {
      label[i] = (guint8) (network_mix (i + 1000003) % 10);
      for (guint32 j = 0; j < 784; j++)
        {
          const guint32 pattern = network_mix (label[i] * 784u + j) & 255,
                        noise   = network_mix (2000003 + i * 784 + j) & 255;
          pixel[i * 784 + j]    = (guint8) ((pattern + 3 * noise) >> 2);
        }
    }
}

KetteTensor *
network_rows (int dtype, size_t n, size_t width, guint salt)
{
  const gint64 dims[] = { (gint64) n, (gint64) width };
  GError *error       = NULL;
  KetteTensor *t      = kette_tensor_new (dtype, dims, 2, &error);

  g_assert_no_error (error);
  for (size_t i = 0; i < n * width; i++)
    _kette_tensor_set_double (
        t, i, network_mix ((guint32) i + salt * 7919u) / 2147483648.0 - 1);
  return t;
}

static KetteValue *
parameter (KetteGraph *graph, const char *kind, int layer, int dtype, const gint64 *dims,
           guint rank, double size)
{
  GError *error = NULL;
  char name[32];
  KetteTensor *t = kette_tensor_new (dtype, dims, rank, &error);
  KetteValue *value;

  g_assert_no_error (error);
  g_snprintf (name, sizeof name, "%s%d", kind, layer);
  for (size_t i = 0; i < t->count; i++)
    _kette_tensor_set_double (
        t, i,
        size
            * (network_mix ((guint32) i * 31u + (guint32) layer * 1009u + rank)
                   / 2147483648.0
               - 1));
  value = _kette_graph_add_constant (graph, name, t, &error);
  g_assert_no_error (error);
  kette_tensor_unref (t);
  return value;
}

static KetteValue *
add (KetteGraph *graph, const char *op, KetteValue *a, KetteValue *b, const char *name)
{
  GError *error          = NULL;
  KetteValue *out        = _kette_graph_add_value (graph, name, &error);
  KetteValue *const in[] = { a, b };

  g_assert_no_error (error);
  _kette_graph_add_node (graph, op, "", op, 18, in, b ? 2 : 1, &out, 1, NULL, 0, &error);
  g_assert_no_error (error);
  return out;
}

/* An empty graph with the input "x" of N rows of this shape. */
static KetteGraph *
graph_new (int dtype, const gint64 *shape, int rank, KetteValue **x)
{
  GError *error     = NULL;
  KetteModel *model = _kette_model_new ("<memory>", &error);
  KetteGraph *graph;
  gint64 dims[8];

  g_assert_no_error (error);
  model->ir_version = 8;
  _kette_model_set_opset (model, "", 18, &error);
  graph = _kette_graph_new (model, "network", &error);
  g_assert_no_error (error);
  _kette_model_unref (model);
  *x      = _kette_graph_add_value (graph, "x", &error);
  dims[0] = _kette_model_symbol (graph->model, "N", &error);
  memcpy (dims + 1, shape, (size_t) rank * sizeof *shape);
  _kette_value_set_tensor_type (*x, dtype, dims, rank + 1, &error);
  _kette_graph_add_input (graph, *x, &error);
  g_assert_no_error (error);
  return graph;
}

KetteGraph *
network_new (int dtype, const int *sizes, int n_layers, const char *activation)
{
  const gint64 width = sizes[0];
  GError *error      = NULL;
  KetteValue *value;
  KetteGraph *graph = graph_new (dtype, &width, 1, &value);
  gint64 dims[2];

  for (int k = 0; k < n_layers; k++)
    {
      const gint64 matrix[] = { sizes[k], sizes[k + 1] };
      const gboolean last   = k == n_layers - 1;

      value = add (graph, "MatMul", value,
                   parameter (graph, "w", k, dtype, matrix, 2, 1.0 / sqrt (sizes[k])),
                   NULL);
      value = add (graph, "Add", value,
                   parameter (graph, "b", k, dtype, matrix + 1, 1, 0.1),
                   last && !activation ? "y" : NULL);
      if (!last || activation)
        value
            = add (graph, last ? activation : "Sigmoid", value, NULL, last ? "y" : NULL);
    }
  dims[0] = _kette_model_symbol (graph->model, "N", &error);
  dims[1] = sizes[n_layers];
  _kette_value_set_tensor_type (value, dtype, dims, 2, &error);
  _kette_graph_add_output (graph, value, &error);
  g_assert_no_error (error);
  return graph;
}

static KetteValue *
add_node (KetteGraph *graph, const char *op, KetteValue *const *in, size_t n_in,
          const kt_attr *attrs, size_t n_attrs, const char *name)
{
  GError *error   = NULL;
  KetteValue *out = _kette_graph_add_value (graph, name, &error);

  g_assert_no_error (error);
  _kette_graph_add_node (graph, op, "", op, 18, in, n_in, &out, 1, attrs, n_attrs,
                         &error);
  g_assert_no_error (error);
  return out;
}

static KetteValue *
convolve (KetteGraph *graph, KetteValue *x, int layer, gint64 c, gint64 m)
{
  const gint64 kernel[]  = { m, c, 3, 3 };
  KetteValue *const in[] = {
    x,
    parameter (graph, "w", layer, KT_F32, kernel, 4, 1.0 / sqrt (9.0 * (double) c)),
    parameter (graph, "b", layer, KT_F32, &m, 1, 0.1),
  };

  return add_node (graph, "Conv", in, 3, NULL, 0, NULL);
}

static KetteValue *
dense (KetteGraph *graph, KetteValue *x, int layer, gint64 n, gint64 m, const char *name)
{
  const gint64 matrix[]  = { m, n };
  const kt_attr turned   = { .name = "transB", .kind = KT_A_INT, .i = 1 };
  KetteValue *const in[] = {
    x,
    parameter (graph, "w", layer, KT_F32, matrix, 2, 1.0 / sqrt ((double) n)),
    parameter (graph, "b", layer, KT_F32, &m, 1, 0.1),
  };

  return add_node (graph, "Gemm", in, 3, &turned, 1, name);
}

static KetteValue *
normalise (KetteGraph *graph, KetteValue *x, gint64 c)
{
  static const char *const parts[] = { "scale", "shift", "mean", "var" };
  GError *error                    = NULL;
  KetteValue *in[5]                = { x };

  for (int i = 0; i < 4; i++)
    {
      g_autoptr (KetteTensor) t = kette_tensor_new (KT_F32, &c, 1, &error);

      for (size_t k = 0; k < t->count; k++) /* scale and var are 1 */
        _kette_tensor_set_double (t, k, i % 3 == 0);
      in[i + 1] = _kette_graph_add_constant (graph, parts[i], t, &error);
      g_assert_no_error (error);
    }
  return add_node (graph, "BatchNormalization", in, 5, NULL, 0, NULL);
}

static KetteValue *
drop (KetteGraph *graph, KetteValue *x)
{
  GError *error             = NULL;
  g_autoptr (KetteTensor) t = kette_tensor_new (KT_F32, NULL, 0, &error);

  _kette_tensor_set_double (t, 0, 0.25);
  KetteValue *const in[] = { x, _kette_graph_add_constant (graph, "ratio", t, &error) };
  g_assert_no_error (error);
  return add_node (graph, "Dropout", in, 2, NULL, 0, NULL);
}

static KetteGraph *
cnn_new (int c1, int c2, int hidden, gboolean normalised, gboolean dropout)
{
  const gint64 picture[] = { 1, 28, 28 }, window[] = { 2, 2 };
  const kt_attr pool[] = {
    { .name = "kernel_shape", .kind = KT_A_INTS, .v = window, .n = 2 },
    { .name = "strides", .kind = KT_A_INTS, .v = window, .n = 2 },
  };
  GError *error = NULL;
  KetteValue *value;
  KetteGraph *graph = graph_new (KT_F32, picture, 3, &value);
  gint64 dims[2]    = { _kette_model_symbol (graph->model, "N", &error), 10 };

  value = convolve (graph, value, 0, 1, c1);
  if (normalised)
    value = normalise (graph, value, c1);
  value = add_node (graph, "Relu", &value, 1, NULL, 0, NULL);
  value = convolve (graph, value, 1, c1, c2);
  value = add_node (graph, "Relu", &value, 1, NULL, 0, NULL);
  value = add_node (graph, "MaxPool", &value, 1, pool, 2, NULL);
  value = add_node (graph, "Flatten", &value, 1, NULL, 0, NULL);
  value = dense (graph, value, 2, c2 * 144, hidden, NULL);
  value = add_node (graph, "Relu", &value, 1, NULL, 0, NULL);
  if (dropout)
    value = drop (graph, value);
  value = dense (graph, value, 3, hidden, 10, "y");
  _kette_value_set_tensor_type (value, KT_F32, dims, 2, &error);
  _kette_graph_add_output (graph, value, &error);
  g_assert_no_error (error);
  return graph;
}

KetteGraph *
network_cnn_new (int c1, int c2, int hidden, gboolean normalised)
{
  return cnn_new (c1, c2, hidden, normalised, FALSE);
}

KetteGraph *
network_cnn_dropout_new (int c1, int c2, int hidden)
{
  return cnn_new (c1, c2, hidden, TRUE, TRUE);
}

KetteTrainer *
network_trainer (KetteGraph *graph, const KetteTrainOptions *options, KetteTensor *x,
                 KetteTensor *t)
{
  GError *error                = NULL;
  KetteTrainOptions everywhere = *options;

  if (!everywhere.device)
    everywhere.device = g_getenv ("KETTE_TEST_DEVICE");
  KetteTrainer *trainer = kette_trainer_new (graph, &everywhere, &error);

  g_assert_no_error (error);
  g_assert_nonnull (trainer);
  kette_trainer_set_data (trainer, x, t, &error);
  g_assert_no_error (error);
  return trainer;
}

char *
network_digest (KetteGraph *graph)
{
  GChecksum *sum = g_checksum_new (G_CHECKSUM_SHA256);
  char *text;

  for (size_t i = 0; i < graph->n_values; i++)
    if (graph->values[i]->data && (graph->values[i]->flags & KETTE_VALUE_INITIALIZER))
      g_checksum_update (sum, kette_tensor_get_data (graph->values[i]->data),
                         (gssize) graph->values[i]->data->bytes);
  text = g_strdup (g_checksum_get_string (sum));
  g_checksum_free (sum);
  return text;
}

char *
network_source (const char *file)
{
  const char *root = g_getenv ("KETTE_SOURCE");

  return g_build_filename (root ? root : ".", file, NULL);
}
