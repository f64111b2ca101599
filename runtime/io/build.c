/* SPDX-License-Identifier: Apache-2.0
 * The header of a model, and the order in which the parts are built.
 */
#include "io/build.h"
#include <string.h>

/* The newest version of each domain that is known here; others are for plugins to know. */
static const struct
{
  const char *domain;
  int64_t newest;
} newest[] = { { "", 28 }, { "ai.onnx.ml", 5 }, { "ai.onnx.preview.training", 1 } };

static gboolean
read_opsets (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->proto->n_opset_import; i++)
    {
      const Onnx__OperatorSetIdProto *id = b->proto->opset_import[i];
      const char *domain                 = _kette_domain (id->domain);
      const int32_t before               = _kette_model_opset (b->model, domain);

      if (id->version < 1 || id->version > INT32_MAX)
        return _kette_fail (error, KETTE_ERROR_FORMAT, "opset_import",
                            "domain %s has version %" G_GINT64_FORMAT
                            ", must be 1 or more",
                            KETTE_QUOTE (domain), id->version);
      for (size_t k = 0; k < G_N_ELEMENTS (newest); k++)
        if (strcmp (domain, newest[k].domain) == 0 && id->version > newest[k].newest)
          return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "opset_import",
                              "domain %s has version %" G_GINT64_FORMAT
                              ", the newest known here is %" G_GINT64_FORMAT,
                              KETTE_QUOTE (domain), id->version, newest[k].newest);
      if (before != 0 && before != id->version)
        return _kette_fail (
            error, KETTE_ERROR_GRAPH, "opset_import",
            "domain %s is imported twice, versions %d and %" G_GINT64_FORMAT,
            KETTE_QUOTE (domain), before, id->version);
      if (!_kette_model_set_opset (b->model, domain, (int32_t) id->version, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_header (KetteBuild *b, GError **error)
{
  const Onnx__ModelProto *proto = b->proto;
  KetteModel *model             = b->model;

  if (!proto->has_ir_version)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "the model has no ir_version");
  if (proto->ir_version < 1)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                        "ir_version is %" G_GINT64_FORMAT ", must be 1 or more",
                        proto->ir_version);
  if (proto->ir_version > KETTE_MAX_IR)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL,
                        "ir_version is %" G_GINT64_FORMAT ", the newest known here is %d",
                        proto->ir_version, KETTE_MAX_IR);
  model->ir_version       = proto->ir_version;
  model->model_version    = proto->model_version;
  model->producer         = _kette_text (proto->producer_name);
  model->producer_version = _kette_text (proto->producer_version);
  model->domain           = _kette_text (proto->domain);
  model->doc              = _kette_text (proto->doc_string);
  if (!read_opsets (b, error))
    return FALSE;
  if (!proto->graph)
    return _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "the model has no graph");
  return TRUE;
}

/* Of many entries with one key the last one wins, as in a dictionary. */
static gboolean
read_metadata (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->proto->n_metadata_props; i++)
    {
      const Onnx__StringStringEntryProto *entry = b->proto->metadata_props[i];

      if (!_kette_model_set_meta (b->model, _kette_text (entry->key),
                                  _kette_text (entry->value), error))
        return FALSE;
    }
  return TRUE;
}

KetteGraph *
_kette_build_graph (KetteMessage *message, int folder, const char *file, GError **error)
{
  KetteBuild b      = { .message = message, .proto = (Onnx__ModelProto *) message->root };
  KetteGraph *graph = NULL;

  b.model = _kette_model_new (file, error);
  if (!b.model)
    {
      _kette_message_free (message);
      return NULL;
    }
  b.model->message      = message;
  b.model->free_message = _kette_message_free;
  b.external            = _kette_external_new (folder, error);
  if (b.external && read_header (&b, error) && read_metadata (&b, error)
      && _kette_build_scopes (&b, error) && _kette_build_check_calls (&b, error)
      && _kette_build_tensors (&b, error) && _kette_build_types (&b, error)
      && _kette_build_names (&b, error) && _kette_build_functions (&b, error)
      && _kette_build_training (&b, error))
    {
      graph                  = b.scopes[b.main].graph;
      b.scopes[b.main].owned = FALSE;
    }
  _kette_build_clear (&b);
  _kette_model_unref (b.model);
  return graph;
}
