/* SPDX-License-Identifier: Apache-2.0
 * training_info: steps that rewrite initializers. Each binding names an initializer and the
 * value that it becomes.
 */
#include "io/build.h"
#include <string.h>

/* Of types that agree but for their shapes. */
static gboolean
fits (const kt_type *a, const kt_type *b)
{
  if (a->kind == 0 || b->kind == 0)
    return TRUE;
  if (a->ndim < 0 || b->ndim < 0)
    return TRUE;
  if (a->ndim != b->ndim)
    return FALSE;
  for (int32_t i = 0; i < a->ndim; i++)
    if (a->dims[i] >= 0 && b->dims[i] >= 0 && a->dims[i] != b->dims[i])
      return FALSE;
  return TRUE;
}

/* An initializer of the step or of the main graph. */
static KetteValue *
find_key (const KetteBuild *b, size_t algorithm, const char *name)
{
  KetteValue *value = NULL;

  if (algorithm != KETTE_NO_SCOPE)
    value = _kette_graph_find (b->scopes[algorithm].graph, name);
  if (!value || value->outer)
    value = _kette_graph_find (b->scopes[b->main].graph, name);
  return value && (value->flags & KETTE_VALUE_INITIALIZER) ? value : NULL;
}

static gboolean
is_output (const KetteGraph *graph, const KetteValue *value)
{
  for (size_t i = 0; i < graph->n_outputs; i++)
    if (graph->outputs[i] == value)
      return TRUE;
  return FALSE;
}

/* An output of the scope; of an algorithm also a value of the main graph. */
static KetteValue *
find_value (const KetteBuild *b, size_t scope, gboolean with_main, const char *name)
{
  KetteValue *value = NULL;

  if (scope != KETTE_NO_SCOPE)
    value = _kette_graph_find (b->scopes[scope].graph, name);
  if (value && !value->outer && is_output (b->scopes[scope].graph, value))
    return value;
  if (!with_main)
    return NULL;
  value = _kette_graph_find (b->scopes[b->main].graph, name);
  return value && is_output (b->scopes[b->main].graph, value) ? value : NULL;
}

/* The element type of a tensor, all of another type. */
static const char *
type_name (const KetteBuild *b, const kt_type *type, char *out, size_t size)
{
  const KetteDtype *element = type->kind == KT_TENSOR ? _kette_dtype (type->dtype) : NULL;

  return element ? element->name
                 : _kette_type_text (out, size, type,
                                     (const char *const *) b->model->symbols);
}

typedef struct
{
  size_t info, scope, algorithm; /* scope: whose outputs are meant */
  const char *label;
  KetteNames *seen; /* keys bound so far */
} Binder;

static gboolean
bind_one (KetteBuild *b, const Binder *binder, size_t i,
          const Onnx__StringStringEntryProto *entry, KetteBinding *out, GError **error)
{
  const char *key = _kette_text (entry->key), *name = _kette_text (entry->value);
  const gboolean update = binder->scope == binder->algorithm;
  char where[128];

  g_snprintf (where, sizeof where, "training_info[%zu], %s[%zu]", binder->info,
              binder->label, i);
  if (_kette_names_get (binder->seen, key))
    return _kette_fail (error, KETTE_ERROR_GRAPH, where, "%s is bound twice",
                        KETTE_QUOTE (key));
  out->key = find_key (b, binder->algorithm, key);
  if (!out->key)
    return _kette_fail (error, KETTE_ERROR_GRAPH, where, "%s is not an initializer",
                        KETTE_QUOTE (key));
  out->value = find_value (b, binder->scope, update, name);
  if (!out->value)
    return _kette_fail (error, KETTE_ERROR_GRAPH, where, "%s is not an output of %s",
                        KETTE_QUOTE (name), update ? "algorithm" : "initialization");
  if (out->key->type.kind && out->value->type.kind
      && (out->key->type.kind != out->value->type.kind
          || out->key->type.dtype != out->value->type.dtype))
    {
      char is[128], becomes[128];

      return _kette_fail (
          error, KETTE_ERROR_TYPE, where, "%s is %s, %s is %s", KETTE_QUOTE (key),
          type_name (b, &out->key->type, is, sizeof is), KETTE_QUOTE (name),
          type_name (b, &out->value->type, becomes, sizeof becomes));
    }
  if (!fits (&out->key->type, &out->value->type))
    return _kette_fail (error, KETTE_ERROR_SHAPE, where,
                        "%s and %s have different shapes", KETTE_QUOTE (key),
                        KETTE_QUOTE (name));
  if (update)
    out->key->flags |= KETTE_VALUE_STATE;
  return _kette_names_set (binder->seen, key, out, error);
}

static gboolean
bind_all (KetteBuild *b, const Binder *binder, size_t n,
          Onnx__StringStringEntryProto *const *entries, KetteBinding **out, size_t *n_out,
          GError **error)
{
  KetteBinding *bindings
      = _kette_region_alloc (b->model->region, n, sizeof *bindings, error);

  if (!bindings)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    if (!bind_one (b, binder, i, entries[i], &bindings[i], error)
        && !_kette_build_go_on (b, error))
      return FALSE;
  *out   = bindings;
  *n_out = n;
  return TRUE;
}

static KetteGraph *
take_graph (KetteBuild *b, size_t scope)
{
  if (scope == KETTE_NO_SCOPE)
    return NULL;
  b->scopes[scope].owned = FALSE;
  return b->scopes[scope].graph;
}

static gboolean
build_info (KetteBuild *b, size_t i, KetteNames *initial, KetteNames *update,
            GError **error)
{
  const Onnx__TrainingInfoProto *info = b->proto->training_info[i];
  KetteModel *model                   = b->model;
  KetteTraining *training;
  const Binder first
      = { i, b->initialization[i], b->algorithm[i], "initialization_binding", initial };
  const Binder second = { i, b->algorithm[i], b->algorithm[i], "update_binding", update };

  if (info->initialization && info->initialization->n_input > 0)
    {
      char where[64];

      g_snprintf (where, sizeof where, "training_info[%zu], initialization", i);
      return _kette_fail (error, KETTE_ERROR_GRAPH, where,
                          "has %zu inputs, must have none",
                          info->initialization->n_input);
    }
  training = _kette_region_alloc (model->region, 1, sizeof *training, error);
  if (!training
      || (model->n_training == model->training_capacity
          && !_kette_grow (&model->training, &model->training_capacity,
                           model->n_training + 1, sizeof (KetteTraining *), error)))
    return FALSE;
  if (!bind_all (b, &first, info->n_initialization_binding, info->initialization_binding,
                 &training->initial, &training->n_initial, error)
      || !bind_all (b, &second, info->n_update_binding, info->update_binding,
                    &training->update, &training->n_update, error))
    return FALSE;
  training->initialization             = take_graph (b, b->initialization[i]);
  training->algorithm                  = take_graph (b, b->algorithm[i]);
  model->training[model->n_training++] = training;
  return TRUE;
}

gboolean
_kette_build_training (KetteBuild *b, GError **error)
{
  KetteNames *initial = _kette_names_new (error);
  KetteNames *update  = initial ? _kette_names_new (error) : NULL;
  gboolean ok         = update != NULL;

  for (size_t i = 0; ok && i < b->proto->n_training_info; i++)
    ok = build_info (b, i, initial, update, error) || _kette_build_go_on (b, error);
  _kette_names_free (initial);
  _kette_names_free (update);
  return ok;
}
