/* SPDX-License-Identifier: Apache-2.0
 * Functions and training steps as messages.
 */
#include "io/save.h"
#include <string.h>

Onnx__StringStringEntryProto *
_kette_saver_entry (KetteSaver *s, const char *key, const char *value, GError **error)
{
  Onnx__StringStringEntryProto *entry
      = _kette_region_alloc (s->region, 1, sizeof *entry, error);

  if (!entry)
    return NULL;
  onnx__string_string_entry_proto__init (entry);
  entry->key   = (char *) key;
  entry->value = (char *) value;
  return entry;
}

static gboolean
put_names (KetteSaver *s, KetteValue *const *values, size_t n, char ***out, size_t *n_out,
           GError **error)
{
  *out = _kette_region_alloc (s->region, n, sizeof **out, error);
  if (!*out)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    (*out)[i] = (char *) _kette_saver_name (values[i]);
  *n_out = n;
  return TRUE;
}

static gboolean
put_opsets (KetteSaver *s, const KetteFunction *function, Onnx__FunctionProto *out,
            GError **error)
{
  out->opset_import = _kette_region_alloc (s->region, function->n_opsets,
                                           sizeof *out->opset_import, error);
  if (!out->opset_import)
    return FALSE;
  for (size_t i = 0; i < function->n_opsets; i++)
    {
      Onnx__OperatorSetIdProto *id
          = _kette_region_alloc (s->region, 1, sizeof *id, error);

      if (!id)
        return FALSE;
      onnx__operator_set_id_proto__init (id);
      id->domain                               = (char *) function->opsets[i].domain;
      id->has_version                          = TRUE;
      id->version                              = function->opsets[i].version;
      out->opset_import[out->n_opset_import++] = id;
    }
  return TRUE;
}

/* The graphs of a default, the first of which is *GRAPHS; which goes on behind them. */
static gboolean
put_default_graphs (KetteSaver *s, const kt_attr *attr, KetteGraph *const **graphs,
                    Onnx__AttributeProto *out, GError **error)
{
  if (attr->kind == KT_A_GRAPH)
    {
      out->g = _kette_saver_graph (s, *(*graphs)++, error);
      return out->g != NULL;
    }
  for (size_t i = 0; i < out->n_graphs; i++)
    {
      out->graphs[i] = _kette_saver_graph (s, *(*graphs)++, error);
      if (!out->graphs[i])
        return FALSE;
    }
  return TRUE;
}

static gboolean
put_defaults (KetteSaver *s, const KetteFunction *function, Onnx__FunctionProto *out,
              GError **error)
{
  KetteGraph *const *graphs = function->graphs;

  out->attribute_proto = _kette_region_alloc (s->region, function->n_defaults,
                                              sizeof *out->attribute_proto, error);
  if (!out->attribute_proto)
    return FALSE;
  for (size_t i = 0; i < function->n_defaults; i++)
    {
      out->attribute_proto[i] = _kette_saver_attr (s, &function->defaults[i], error);
      if (!out->attribute_proto[i]
          || !put_default_graphs (s, &function->defaults[i], &graphs,
                                  out->attribute_proto[i], error))
        return FALSE;
    }
  out->n_attribute_proto = function->n_defaults;
  return TRUE;
}

/* A function has no initializers: constants in its body become Constant nodes in front. */
static gboolean
put_body (KetteSaver *s, const KetteFunction *function, Onnx__FunctionProto *out,
          GError **error)
{
  Onnx__GraphProto *graph = _kette_saver_graph (s, function->body, error);
  size_t n;

  if (!graph)
    return FALSE;
  if (!_kette_add (graph->n_node, graph->n_initializer, &n))
    return FALSE;
  out->node = _kette_region_alloc (s->region, n, sizeof *out->node, error);
  if (!out->node)
    return FALSE;
  for (size_t i = 0; i < graph->n_initializer; i++)
    {
      Onnx__NodeProto *node = _kette_region_alloc (s->region, 1, sizeof *node, error);
      Onnx__AttributeProto *attr
          = node ? _kette_region_alloc (s->region, 1, sizeof *attr, error) : NULL;

      if (!attr)
        return FALSE;
      onnx__node_proto__init (node);
      onnx__attribute_proto__init (attr);
      attr->name        = (char *) "value";
      attr->has_type    = TRUE;
      attr->type        = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
      attr->t           = graph->initializer[i];
      node->op_type     = (char *) "Constant";
      node->n_output    = 1;
      node->output      = &graph->initializer[i]->name;
      node->n_attribute = 1;
      node->attribute   = _kette_region_dup (s->region, &attr, 1, sizeof attr, error);
      if (!node->attribute)
        return FALSE;
      out->node[out->n_node++] = node;
    }
  for (size_t i = 0; i < graph->n_node; i++)
    out->node[out->n_node++] = graph->node[i];
  return TRUE;
}

static gboolean
same_opsets (const KetteFunction *function, const Onnx__FunctionProto *old)
{
  for (size_t i = 0; i < old->n_opset_import; i++)
    for (size_t k = 0; k < function->n_opsets; k++)
      if (strcmp (_kette_domain (old->opset_import[i]->domain),
                  function->opsets[k].domain)
              == 0
          && old->opset_import[i]->version != function->opsets[k].version)
        return FALSE;
  return TRUE;
}

Onnx__FunctionProto *
_kette_saver_function (KetteSaver *s, const KetteFunction *function, GError **error)
{
  const Onnx__FunctionProto *old = function->proto;
  const gboolean before          = s->new_initializer;
  Onnx__FunctionProto *out       = NULL;

  if (old && same_opsets (function, old))
    return (Onnx__FunctionProto *) (void *) old;
  out = _kette_region_alloc (s->region, 1, sizeof *out, error);
  if (!out)
    return NULL;
  if (old)
    { /* raised to another opset */
      *out                = *old;
      out->n_opset_import = 0;
      out->n_node         = 0;
      if (!put_opsets (s, function, out, error) || !put_body (s, function, out, error))
        return NULL;
      s->new_initializer = before;
      return out;
    }
  onnx__function_proto__init (out);
  out->name   = (char *) function->name;
  out->domain = (char *) function->domain;
  if (function->overload && *function->overload)
    out->overload = (char *) function->overload;
  out->attribute   = (char **) (void *) function->attributes;
  out->n_attribute = function->n_attributes;
  if (!put_names (s, function->body->inputs, function->body->n_inputs, &out->input,
                  &out->n_input, error)
      || !put_names (s, function->body->outputs, function->body->n_outputs, &out->output,
                     &out->n_output, error)
      || !put_opsets (s, function, out, error) || !put_defaults (s, function, out, error)
      || !put_body (s, function, out, error))
    return NULL;
  s->new_initializer = before;
  return out;
}

static gboolean
put_bindings (KetteSaver *s, const KetteBinding *bindings, size_t n,
              Onnx__StringStringEntryProto ***out, size_t *n_out, GError **error)
{
  *out = _kette_region_alloc (s->region, n, sizeof **out, error);
  if (!*out)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      (*out)[i] = _kette_saver_entry (s, _kette_saver_name (bindings[i].key),
                                      _kette_saver_name (bindings[i].value), error);
      if (!(*out)[i])
        return FALSE;
    }
  *n_out = n;
  return TRUE;
}

/* The file's own message of this training step, for what it holds beside. */
static const Onnx__TrainingInfoProto *
old_training (const KetteSaver *s, const KetteTraining *training)
{
  const Onnx__ModelProto *model
      = s->message ? (const Onnx__ModelProto *) s->message->root : NULL;

  for (size_t i = 0; model && i < model->n_training_info; i++)
    {
      const Onnx__TrainingInfoProto *info = model->training_info[i];

      if ((training->algorithm && info->algorithm
           && training->algorithm->proto == info->algorithm)
          || (!training->algorithm && training->initialization && info->initialization
              && training->initialization->proto == info->initialization))
        return info;
    }
  return NULL;
}

Onnx__TrainingInfoProto *
_kette_saver_training (KetteSaver *s, const KetteTraining *training, GError **error)
{
  const Onnx__TrainingInfoProto *old = old_training (s, training);
  Onnx__TrainingInfoProto *out = _kette_region_alloc (s->region, 1, sizeof *out, error);

  if (!out)
    return NULL;
  if (old)
    *out = *old;
  else
    onnx__training_info_proto__init (out);
  out->initialization = NULL;
  out->algorithm      = NULL;
  if (training->initialization
      && !(out->initialization = _kette_saver_graph (s, training->initialization, error)))
    return NULL;
  if (training->algorithm
      && !(out->algorithm = _kette_saver_graph (s, training->algorithm, error)))
    return NULL;
  if (!put_bindings (s, training->initial, training->n_initial,
                     &out->initialization_binding, &out->n_initialization_binding, error)
      || !put_bindings (s, training->update, training->n_update, &out->update_binding,
                        &out->n_update_binding, error))
    return NULL;
  return out;
}
