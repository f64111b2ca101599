/* SPDX-License-Identifier: Apache-2.0
 * Building the training step: loss, one Gradient node, an optimizer node per parameter, and
 * step + 1, in the form of ONNX's TrainingInfoProto. The passes expand it before it runs; the
 * file stays small, readable and independent of our versions.
 */
#include "train/train-private.h"
#include <string.h>

#define TRY(e, expression)                                                               \
  do                                                                                     \
    if (!(expression))                                                                   \
      return _kette_emit_fail (e), FALSE;                                                \
  while (0)

/* What is put together. */
typedef struct
{
  KetteGraph *graph, *typed, *algorithm;
  const KetteSettings *settings;
  KetteValue *const *params;
  size_t n;
  KetteTraining *training;
  KetteEmitter e;
  KetteValue *loss, *step, *count; /* count: what the optimizer gets as T */
  KetteValue *rates[2];            /* float32, float64 */
  KetteValue *target;              /* of the gradients: the loss, maybe scaled */
  KetteValue **grads;
  KetteScaler scaler;
  KetteTrainingCopies copies;
} Builder;

/* The value of the main graph as the loss sees it: the copy that trains, or itself. */
static KetteValue *
forward_value (Builder *b, KetteValue *outer)
{
  KetteValue *copy = _kette_training_copies_find (&b->copies, outer);

  return copy ? copy : _kette_emit_capture (&b->e, outer);
}

/* The target: what y is, or one label per sample. */
static KetteValue *
add_target (Builder *b, const KetteValue *y)
{
  KetteEmitter *e  = &b->e;
  const char *name = _kette_emit_name (e, "target");
  int64_t dims[KETTE_MAX_RANK];
  const int64_t batch = _kette_model_symbol (b->graph->model, "N", e->error);
  const kt_type *type = &y->type;
  KetteValue *t;
  gboolean ok;

  if (!name || batch == KT_DIM (0) || !batch)
    return _kette_emit_fail (e);
  if (type->kind != KT_TENSOR || type->ndim < 1 || type->ndim > KETTE_MAX_RANK
      || (type->dtype != KT_F32 && type->dtype != KT_F64))
    {
      char text[256];
      _kette_fail (e->error, KETTE_ERROR_TYPE, NULL,
                   "output %s is %s: training needs rows of float32 or float64",
                   KETTE_QUOTE (y->name),
                   _kette_type_text (text, sizeof text, type, b->graph->model->symbols));
      return _kette_emit_fail (e);
    }
  t = _kette_graph_add_value (b->algorithm, name, e->error);
  if (!t)
    return _kette_emit_fail (e);
  memcpy (dims, type->dims, sizeof *dims * (size_t) type->ndim);
  if (dims[0] < 0)
    dims[0] = batch;
  if (b->settings->loss->labels)
    {
      for (int i = 2; i < type->ndim; i++) /* [N, C, d1, ...]: labels [N, d1, ...] */
        dims[i - 1] = type->dims[i];
      ok = _kette_value_set_tensor_type (t, KT_I64, dims, MAX (type->ndim - 1, 1),
                                         e->error);
    }
  else
    ok = _kette_value_set_tensor_type (t, type->dtype, dims, type->ndim, e->error);
  if (!ok || !_kette_graph_add_input (b->algorithm, t, e->error))
    return _kette_emit_fail (e);
  t->flags |= KETTE_VALUE_DECLARED;
  return t;
}

/* The chosen loss: of the first output, or a scalar of the graph itself. */
static gboolean
build_loss (Builder *b, GError **error)
{
  const KetteSettings *s = b->settings;
  KetteEmitter *e        = &b->e;
  KetteValue *y, *outer;

  e->scope = "loss";
  if (!s->loss)
    {
      const KetteValue *typed = _kette_graph_find (b->typed, s->loss_name);

      outer = _kette_graph_find (b->graph, s->loss_name);
      if (!outer || !typed)
        {
          char *names = _kette_loss_names ();
          _kette_fail (
              error, KETTE_ERROR_VALUE, NULL,
              "there is no loss %s, and no value of the graph has that name; losses: %s",
              KETTE_QUOTE (s->loss_name), names);
          g_free (names);
          return FALSE;
        }
      if (typed->type.ndim != 0
          || (typed->type.dtype != KT_F32 && typed->type.dtype != KT_F64))
        return _kette_fail (error, KETTE_ERROR_SHAPE, NULL,
                            "the loss %s must be a scalar float32 or float64",
                            KETTE_QUOTE (s->loss_name));
      TRY (e, _kette_training_copies_make (&b->copies, e, s, outer, error));
      outer->type.dtype = typed->type.dtype;
      y                 = forward_value (b, outer);
      b->loss = _kette_emit (e, "", "Identity", e->opset, &y, 1, NULL, 0, "loss");
      TRY (e, b->loss
                  && _kette_value_set_tensor_type (b->loss, typed->type.dtype, NULL, 0,
                                                   error));
      return TRUE;
    }
  if (b->graph->n_outputs == 0 || b->typed->n_outputs == 0)
    return _kette_fail (error, KETTE_ERROR_GRAPH, NULL,
                        "the graph has no output to train");
  if (e->opset < s->loss->min_opset)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "loss %s needs opset %d, the model has %d", s->loss->name,
                        s->loss->min_opset, e->opset);

  const KetteValue *typed = b->typed->outputs[0];
  KetteValue *t           = add_target (b, typed);

  e->scope = "forward";
  TRY (e,
       t && _kette_training_copies_make (&b->copies, e, s, b->graph->outputs[0], error));
  e->scope = "loss";
  y        = forward_value (b, b->graph->outputs[0]);
  TRY (e, y && t && _kette_value_set_type (y, &typed->type, error));
  b->loss = s->loss->build (e, y, t);
  TRY (e,
       b->loss
           && _kette_value_set_tensor_type (b->loss, typed->type.dtype, NULL, 0, error));
  return TRUE;
}

/* One Gradient node: xs are the parameters, y is the loss. */
static gboolean
build_gradient (Builder *b, GError **error)
{
  KetteRegion *region = b->algorithm->region;
  KetteEmitter *e     = &b->e;
  kt_str *names       = _kette_region_alloc (region, b->n, sizeof *names, error);
  KetteValue **in = names ? _kette_region_alloc (region, b->n, sizeof *in, error) : NULL;
  char text[512];

  b->grads = in ? _kette_region_alloc (region, b->n, sizeof *b->grads, error) : NULL;
  TRY (e, b->grads);
  for (size_t i = 0; i < b->n; i++)
    {
      const KetteValue *p = b->params[i];
      const char *name;

      names[i] = (kt_str){ p->name, strlen (p->name) };
      in[i]    = _kette_emit_capture (e, b->params[i]);
      g_snprintf (text, sizeof text, "grad/%.400s", p->name);
      name        = _kette_emit_name (e, text);
      b->grads[i] = name ? _kette_graph_add_value (b->algorithm, name, error) : NULL;
      TRY (e,
           in[i] && b->grads[i] && _kette_value_set_type (b->grads[i], &p->type, error));
    }

  const kt_attr attrs[] = {
    { .name = "xs", .kind = KT_A_STRINGS, .v = names, .n = b->n },
    { .name = "y",
      .kind = KT_A_STRING,
      .v    = b->target->name,
      .n    = strlen (b->target->name) },
  };
  TRY (e, b->n <= INT32_MAX
              && _kette_graph_add_node (b->algorithm, "gradient", KETTE_TRAINING_DOMAIN,
                                        "Gradient", 1, in, (int32_t) b->n, b->grads,
                                        (int32_t) b->n, attrs, 2, error));
  return TRUE;
}

/* key := value at the end of a step. */
static gboolean
bind_always (Builder *b, KetteValue *key, KetteValue *value, GError **error)
{
  b->training->update[b->training->n_update++] = (KetteBinding){ key, value };
  key->flags |= KETTE_VALUE_STATE;
  return _kette_value_set_type (value, &key->type, error)
         && _kette_graph_add_output (b->algorithm, value, error);
}

/* The same at the end of a step that is not left out. A value of the main graph is captured where
 * it is the old content. */
static gboolean
bind (Builder *b, KetteValue *key, KetteValue *value, const char *name, GError **error)
{
  if (b->scaler.scale)
    {
      KetteValue *old
          = key->graph == b->algorithm ? key : _kette_emit_capture (&b->e, key);
      value = _kette_scaler_choose (&b->scaler, value, old, name);
      TRY (&b->e, value);
    }
  return bind_always (b, key, value, error);
}

/* The step counter, and what the optimizer sees of it. */
static gboolean
build_count (Builder *b, GError **error)
{
  KetteEmitter *e = &b->e;
  KetteValue *next, *one;

  e->scope = "step";
  b->step  = _kette_emit_scalar (e, "kette.step", KT_I64, 0);
  one      = _kette_emit_scalar (e, "kette.one", KT_I64, 1);

  KetteValue *const in[] = { b->step, one };
  next = _kette_emit (e, "", "Add", e->opset, in, 2, NULL, 0, "kette.step/next");
  TRY (e, next && bind (b, b->step, next, "kette.step/chosen", error));
  b->count = b->settings->optimizer->count_from_one ? next : b->step;
  return TRUE;
}

/* The state SLOT of a parameter: zeros of its type. */
static KetteValue *
add_slot (Builder *b, const KetteValue *param, const char *slot)
{
  KetteEmitter *e = &b->e;
  char text[512];
  const char *name;
  KetteTensor *zeros;
  KetteValue *value = NULL;

  g_snprintf (text, sizeof text, "%s/%.400s", slot, param->name);
  name  = _kette_emit_name (e, text);
  zeros = name ? kette_tensor_new (param->data->dtype, param->data->dims,
                                   (guint) param->data->rank, e->error)
               : NULL;
  if (zeros)
    value = _kette_graph_add_constant (b->algorithm, name, zeros, e->error);
  kette_tensor_unref (zeros);
  return value ? value : _kette_emit_fail (e);
}

/* The rate as a scalar of the parameter's element type. */
static KetteValue *
rate_for (Builder *b, const KetteValue *param)
{
  const gboolean wide = param->data->dtype == KT_F64;

  if (!b->rates[wide])
    b->rates[wide] = _kette_emit_scalar (&b->e, "kette.rate", wide ? KT_F64 : KT_F32,
                                         b->settings->rate);
  return b->rates[wide];
}

static int32_t
fill_attrs (const Builder *b, kt_attr *attrs)
{
  const KetteOptimizer *o = b->settings->optimizer;
  int32_t n               = 0;

  for (; n < KETTE_MOST_ATTRS && o->attrs[n].name; n++)
    {
      attrs[n] = (kt_attr){ .name = o->attrs[n].name, .kind = KT_A_FLOAT };
      if (o->attrs[n].text)
        {
          attrs[n].kind = KT_A_STRING;
          attrs[n].v    = o->attrs[n].text;
          attrs[n].n    = strlen (o->attrs[n].text);
        }
      else
        /* Rounded as the file will have it, so that a resumed run computes the same. */
        attrs[n].f = (float) _kette_settings_coefficient (b->settings, o->attrs[n].from,
                                                          o->attrs[n].value);
    }
  return n;
}

/* X', states' = optimizer (R, T, X, G, states) */
static gboolean
build_update (Builder *b, size_t i, GError **error)
{
  const KetteOptimizer *o = b->settings->optimizer;
  KetteEmitter *e         = &b->e;
  KetteValue *param = b->params[i], *in[4 + KETTE_MOST_SLOTS], *out[1 + KETTE_MOST_SLOTS];
  KetteValue *keys[1 + KETTE_MOST_SLOTS] = { param };
  kt_attr attrs[KETTE_MOST_ATTRS];
  int32_t n_in = 0, n_out = 1;
  char text[512];

  in[n_in++] = rate_for (b, param);
  if (o->has_count)
    in[n_in++] = b->count;
  in[n_in++] = _kette_emit_capture (e, param);
  in[n_in++] = _kette_scaler_divide (&b->scaler, b->grads[i]);
  for (int k = 0; k < KETTE_MOST_SLOTS && o->slots[k]; k++)
    keys[n_out++] = in[n_in++] = add_slot (b, param, o->slots[k]);
  if (e->failed)
    return FALSE;
  for (int32_t k = 0; k < n_out; k++)
    {
      const char *name;

      g_snprintf (text, sizeof text, "%.400s/next", keys[k]->name);
      name   = _kette_emit_name (e, text);
      out[k] = name ? _kette_graph_add_value (b->algorithm, name, error) : NULL;
      TRY (e, out[k]);
    }
  g_snprintf (text, sizeof text, "update/%.400s", param->name);
  TRY (e, _kette_graph_add_node (b->algorithm, text, o->domain, o->op, 1, in, n_in, out,
                                 n_out, attrs, fill_attrs (b, attrs), error));
  for (int32_t k = 0; k < n_out; k++)
    {
      g_snprintf (text, sizeof text, "%.400s/chosen", keys[k]->name);
      TRY (e, bind (b, keys[k], out[k], text, error));
    }
  return TRUE;
}

/* Room for the step counter, the parameters and their states, and running statistics. */
static gboolean
allocate_updates (Builder *b, GError **error)
{
  size_t n;

  if (!_kette_mul (b->n, 1 + KETTE_MOST_SLOTS, &n)
      || !_kette_add (n, 1 + KETTE_MOST_SCALER_STATES + b->copies.n_updates, &n))
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "too many parameters");
  b->training->update = _kette_region_alloc (b->graph->model->region, n,
                                             sizeof *b->training->update, error);
  return b->training->update != NULL;
}

/* What loss scaling keeps for the next step. */
static gboolean
build_scaler (Builder *b, GError **error)
{
  KetteBinding own[KETTE_MOST_SCALER_STATES];
  const size_t n = _kette_scaler_end (&b->scaler, own);

  for (size_t i = 0; i < n; i++)
    TRY (&b->e, own[i].value && bind_always (b, own[i].key, own[i].value, error));
  return TRUE;
}

static gboolean
build (Builder *b, GError **error)
{
  KetteModel *model = b->graph->model;

  if (!build_loss (b, error) || !_kette_graph_add_output (b->algorithm, b->loss, error)
      || !allocate_updates (b, error))
    return FALSE;
  b->target = _kette_scaler_begin (&b->scaler, &b->e, &b->settings->scaling, b->loss,
                                   b->loss->type.dtype);
  TRY (&b->e, b->target);
  if (!build_gradient (b, error) || !_kette_scaler_look (&b->scaler, b->grads, b->n)
      || !build_count (b, error))
    return FALSE;
  for (size_t i = 0; i < b->n; i++)
    if (!build_update (b, i, error))
      return FALSE;
  for (size_t i = 0; i < b->copies.n_updates; i++)
    {
      const KetteBinding *u = &b->copies.updates[i];
      char text[512];
      g_snprintf (text, sizeof text, "%.400s/chosen", u->key->name);
      if (!(u->key->flags & KETTE_VALUE_STATE)
          && !bind (b, u->key, u->value, text, error))
        return FALSE;
    }
  if (!build_scaler (b, error))
    return FALSE;
  if (!_kette_model_opset (model, "kette")
      && !_kette_model_set_opset (model, "kette", 1, error))
    return FALSE;
  return _kette_model_opset (model, KETTE_TRAINING_DOMAIN)
         || _kette_model_set_opset (model, KETTE_TRAINING_DOMAIN, 1, error);
}

gboolean
_kette_build_step (KetteGraph *graph, KetteGraph *typed, const KetteSettings *settings,
                   KetteValue *const *params, size_t n_params, GError **error)
{
  KetteModel *model = graph->model;
  Builder b         = {
            .graph = graph, .typed = typed, .settings = settings, .params = params, .n = n_params
  };
  gboolean ok;

  if (n_params == 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, NULL, "no parameter is left to train");
  b.training = _kette_region_alloc (model->region, 1, sizeof *b.training, error);
  if (!b.training
      || (model->n_training == model->training_capacity
          && !_kette_grow (&model->training, &model->training_capacity,
                           model->n_training + 1, sizeof *model->training, error)))
    return FALSE;
  b.algorithm = _kette_graph_new (model, "training-step", error);
  if (!b.algorithm)
    return FALSE;
  b.algorithm->parent = graph;
  b.e                 = (KetteEmitter){ .main  = graph,
                                        .graph = b.algorithm,
                                        .error = error,
                                        .opset = _kette_model_opset (model, "") };
  ok                  = build (&b, error);
  if (!ok)
    for (size_t i = 0; i < b.copies.n_updates; i++)
      b.copies.updates[i].key->flags &= ~(uint32_t) KETTE_VALUE_STATE;
  _kette_training_copies_clear (&b.copies);
  if (!ok)
    {
      for (size_t i = 0; i < n_params; i++)
        params[i]->flags &= ~(uint32_t) KETTE_VALUE_STATE;
      kette_graph_unref (b.algorithm);
      return FALSE;
    }
  b.training->algorithm                = b.algorithm;
  model->training[model->n_training++] = b.training;
  return TRUE;
}

void
_kette_drop_steps (KetteModel *model)
{
  for (size_t i = 0; i < model->n_training; i++)
    {
      for (size_t k = 0; k < model->training[i]->n_update; k++)
        model->training[i]->update[k].key->flags &= ~(uint32_t) KETTE_VALUE_STATE;
      kette_graph_unref (model->training[i]->initialization);
      kette_graph_unref (model->training[i]->algorithm);
    }
  model->n_training = 0;
}
