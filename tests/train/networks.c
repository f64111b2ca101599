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

KetteGraph *
network_new (int dtype, const int *sizes, int n_layers, const char *activation)
{
  GError *error     = NULL;
  KetteModel *model = _kette_model_new ("<memory>", &error);
  KetteGraph *graph;
  KetteValue *value;
  gint64 dims[2];

  g_assert_no_error (error);
  model->ir_version = 8;
  _kette_model_set_opset (model, "", 18, &error);
  graph = _kette_graph_new (model, "network", &error);
  g_assert_no_error (error);
  _kette_model_unref (model);
  value   = _kette_graph_add_value (graph, "x", &error);
  dims[0] = _kette_model_symbol (graph->model, "N", &error);
  dims[1] = sizes[0];
  _kette_value_set_tensor_type (value, dtype, dims, 2, &error);
  _kette_graph_add_input (graph, value, &error);
  g_assert_no_error (error);
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
  dims[1] = sizes[n_layers];
  _kette_value_set_tensor_type (value, dtype, dims, 2, &error);
  _kette_graph_add_output (graph, value, &error);
  g_assert_no_error (error);
  return graph;
}

KetteTrainer *
network_trainer (KetteGraph *graph, const KetteTrainOptions *options, KetteTensor *x,
                 KetteTensor *t)
{
  GError *error         = NULL;
  KetteTrainer *trainer = kette_trainer_new (graph, options, &error);

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
      g_checksum_update (sum, graph->values[i]->data->data,
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
