/* SPDX-License-Identifier: Apache-2.0
 * Emitting the nodes of a training step.
 */
#include "train/loss.h"
#include <string.h>

KetteValue *
_kette_emit_fail (KetteEmitter *e)
{
  e->failed = TRUE;
  return NULL;
}

const char *
_kette_emit_name (KetteEmitter *e, const char *base)
{
  char text[1024];

  if (e->failed)
    return NULL;
  for (unsigned k = 1; k < 1000000; k++)
    {
      const int n = k == 1 ? g_snprintf (text, sizeof text, "%s", base)
                           : g_snprintf (text, sizeof text, "%s_%u", base, k);

      if (n >= (int) sizeof text)
        break;
      if (!_kette_graph_find (e->main, text) && !_kette_graph_find (e->graph, text))
        {
          const char *name = _kette_region_strdup (e->graph->region, text, e->error);

          return name ? name : (_kette_emit_fail (e), NULL);
        }
    }
  _kette_fail (e->error, KETTE_ERROR_LIMIT, NULL,
               "no free name like %s for the training step", KETTE_QUOTE (base));
  return _kette_emit_fail (e), NULL;
}

KetteValue *
_kette_emit (KetteEmitter *e, const char *domain, const char *op, int32_t version,
             KetteValue *const *in, int32_t n_in, const kt_attr *attrs, int32_t n_attrs,
             const char *name)
{
  char label[256];
  KetteValue *out;

  g_snprintf (label, sizeof label, "%s/%s", e->scope, op);
  name = _kette_emit_name (e, name ? name : label);
  if (e->failed)
    return NULL;
  for (int32_t i = 0; i < n_in; i++)
    if (!in[i])
      return _kette_emit_fail (e);
  out = _kette_graph_add_value (e->graph, name, e->error);
  if (!out
      || !_kette_graph_add_node (e->graph, label, domain, op, version, in, n_in, &out, 1,
                                 attrs, n_attrs, e->error))
    return _kette_emit_fail (e);
  return out;
}

KetteValue *
_kette_emit1 (KetteEmitter *e, const char *op, KetteValue *a)
{
  return _kette_emit (e, "", op, e->opset, &a, 1, NULL, 0, NULL);
}

KetteValue *
_kette_emit2 (KetteEmitter *e, const char *op, KetteValue *a, KetteValue *b)
{
  KetteValue *const in[] = { a, b };
  return _kette_emit (e, "", op, e->opset, in, 2, NULL, 0, NULL);
}

/* Without axes the two forms of ReduceMean, axes as attribute and as input, are the same. */
KetteValue *
_kette_emit_mean (KetteEmitter *e, KetteValue *a, const char *name)
{
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };
  return _kette_emit (e, "", "ReduceMean", e->opset, &a, 1, &keep, 1, name);
}

KetteValue *
_kette_emit_scalar (KetteEmitter *e, const char *name, int dtype, double v)
{
  KetteTensor *data;
  KetteValue *value;

  name = _kette_emit_name (e, name);
  if (e->failed)
    return NULL;
  data = kette_tensor_new (dtype, NULL, 0, e->error);
  if (!data)
    return _kette_emit_fail (e);
  _kette_tensor_set_double (data, 0, v);
  value = _kette_graph_add_constant (e->graph, name, data, e->error);
  kette_tensor_unref (data);
  return value ? value : _kette_emit_fail (e);
}

KetteValue *
_kette_emit_capture (KetteEmitter *e, KetteValue *outer)
{
  KetteValue *value;

  if (e->failed)
    return NULL;
  value = _kette_graph_capture (e->graph, outer, e->error);
  return value ? value : _kette_emit_fail (e);
}
