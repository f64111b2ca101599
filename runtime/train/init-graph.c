/* SPDX-License-Identifier: Apache-2.0
 * How fresh weights were made, as nodes: the graph `initialization` of the training step, one
 * node per parameter, from which any program can draw others.
 */
#include "train/train-private.h"
#include <string.h>

enum
{
  FIRST_OPSET = 9
}; /* with ConstantOfShape */

/* RandomNormal or RandomUniform of the parameter's type and shape. */
static KetteNode *
add_random (KetteGraph *init, const KetteValue *param, const KetteInit *used,
            KetteValue *out, const char *name, int32_t opset, GError **error)
{
  const gboolean normal = used->shape == KETTE_INIT_NORMAL;
  const kt_attr attrs[] = {
    { .name = "dtype", .kind = KT_A_INT, .i = param->data->dtype },
    { .name = "shape",
      .kind = KT_A_INTS,
      .v    = param->data->dims,
      .n    = (size_t) param->data->rank },
    { .name = normal ? "mean" : "low",
      .kind = KT_A_FLOAT,
      .f    = normal ? 0 : -(float) used->size },
    { .name = normal ? "scale" : "high", .kind = KT_A_FLOAT, .f = (float) used->size },
  };

  return _kette_graph_add_node (init, name, "", normal ? "RandomNormal" : "RandomUniform",
                                opset, NULL, 0, &out, 1, attrs, G_N_ELEMENTS (attrs),
                                error);
}

/* ConstantOfShape of the parameter's type and shape. */
static KetteNode *
add_constant (KetteGraph *init, const KetteValue *param, const KetteInit *used,
              KetteValue *out, const char *name, int32_t opset, GError **error)
{
  const int64_t rank = param->data->rank, one = 1;
  KetteTensor *shape = _kette_tensor_new_raw (KT_I64, &rank, 1, error);
  KetteTensor *value
      = shape ? kette_tensor_new (param->data->dtype, &one, 1, error) : NULL;
  KetteValue *dims = NULL;
  KetteNode *node  = NULL;
  kt_tensor view;
  const kt_attr attr = { .name = "value", .kind = KT_A_TENSOR, .v = &view, .n = 1 };

  if (value)
    {
      char text[512];

      if (rank)
        memcpy (shape->data, param->data->dims, sizeof (int64_t) * (size_t) rank);
      _kette_tensor_set_double (value, 0, used->shape == KETTE_INIT_ONE ? used->size : 0);
      _kette_tensor_view (value, &view);
      g_snprintf (text, sizeof text, "shape/%.400s", param->name);
      dims = _kette_graph_add_constant (init, text, shape, error);
    }
  if (dims)
    node = _kette_graph_add_node (init, name, "", "ConstantOfShape", opset, &dims, 1,
                                  &out, 1, &attr, 1, error);
  kette_tensor_unref (shape);
  kette_tensor_unref (value);
  return node;
}

/* Truncated and identity matrices have no operator of their own. */
static gboolean
is_recorded (const KetteInit *used)
{
  return used->shape >= KETTE_INIT_ZERO && used->shape <= KETTE_INIT_NORMAL;
}

static gboolean
record (KetteGraph *init, KetteValue *param, const KetteInit *used, int32_t opset,
        KetteBinding *binding, GError **error)
{
  const gboolean random
      = used->shape == KETTE_INIT_UNIFORM || used->shape == KETTE_INIT_NORMAL;
  char name[512];
  KetteValue *out;

  g_snprintf (name, sizeof name, "initial/%.400s", param->name);
  out      = _kette_graph_add_value (init, name, error);
  *binding = (KetteBinding){ param, out };
  return out
         && (random ? add_random (init, param, used, out, name, opset, error)
                    : add_constant (init, param, used, out, name, opset, error))
         && _kette_value_set_type (out, &param->type, error)
         && _kette_graph_add_output (init, out, error);
}

gboolean
_kette_init_record (KetteGraph *graph, KetteValue *const *params, size_t n_params,
                    const KetteInit *used, GError **error)
{
  KetteModel *model       = graph->model;
  KetteTraining *training = model->training[model->n_training - 1];
  const int32_t opset     = _kette_model_opset (model, "");
  size_t n                = 0;

  for (size_t i = 0; i < n_params; i++)
    n += is_recorded (&used[i]);
  if (n == 0 || opset < FIRST_OPSET)
    return TRUE;
  training->initial
      = _kette_region_alloc (model->region, n, sizeof *training->initial, error);
  training->initialization
      = training->initial ? _kette_graph_new (model, "initialization", error) : NULL;
  if (!training->initialization)
    return FALSE;
  for (size_t i = 0; i < n_params; i++)
    if (is_recorded (&used[i])
        && !record (training->initialization, params[i], &used[i], opset,
                    &training->initial[training->n_initial++], error))
      return FALSE;
  return TRUE;
}
