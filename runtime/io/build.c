/* SPDX-License-Identifier: Apache-2.0
 * The header of a model, and the order in which the parts are built.
 */
#include "io/build.h"
#include "base/deadline-private.h"
#include "base/guard-private.h"
#include <string.h>

/* The newest version of each domain that is known here; others are for plugins to know. */
static const struct
{
  const char *domain;
  int64_t newest;
} newest[] = { { "", 28 }, { "ai.onnx.ml", 5 }, { "ai.onnx.preview.training", 1 } };

/* Is VERSION, of the set WHAT, newer than MOST? Then it is refused, or, on request, tried. */
static gboolean
check_newer (const KetteBuild *b, const char *where, const char *what, int64_t version,
             int64_t most, GError **error)
{
  if (version <= most)
    return TRUE;
  if (!(b->loading->flags & KETTE_LOAD_ALLOW_NEWER))
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "%s %" G_GINT64_FORMAT
                        ", the newest known here is %" G_GINT64_FORMAT
                        "; --allow-newer tries it with that",
                        what, version, most);
  g_message ("%s: %s%s%s %" G_GINT64_FORMAT ", tried as %" G_GINT64_FORMAT,
             b->model->file, where ? where : "", where ? ": " : "", what, version, most);
  return TRUE;
}

gboolean
_kette_build_check_opset (const KetteBuild *b, const char *where,
                          const Onnx__OperatorSetIdProto *id, GError **error)
{
  const char *domain = _kette_domain (id->domain);
  char what[KETTE_QUOTE_SIZE + 32];

  if (id->version < 1 || id->version > INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_FORMAT, where,
                        "domain %s has version %" G_GINT64_FORMAT ", must be in 1..%d",
                        KETTE_QUOTE (domain), id->version, INT32_MAX);
  g_snprintf (what, sizeof what, "domain %s has version", KETTE_QUOTE (domain));
  for (size_t k = 0; k < G_N_ELEMENTS (newest); k++)
    if (strcmp (domain, newest[k].domain) == 0
        && !check_newer (b, where, what, id->version, newest[k].newest, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_opset (KetteBuild *b, const Onnx__OperatorSetIdProto *id, GError **error)
{
  const char *domain   = _kette_domain (id->domain);
  const int32_t before = _kette_model_opset (b->model, domain);

  if (!_kette_build_check_opset (b, "opset_import", id, error))
    return FALSE;
  if (before != 0 && before != id->version)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "opset_import",
                        "domain %s is imported twice, versions %d and %" G_GINT64_FORMAT,
                        KETTE_QUOTE (domain), before, id->version);
  return _kette_model_set_opset (b->model, domain, (int32_t) id->version, error);
}

static gboolean
read_opsets (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->proto->n_opset_import; i++)
    if (!read_opset (b, b->proto->opset_import[i], error)
        && !_kette_build_go_on (b, error))
      return FALSE;
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
  if (!check_newer (b, NULL, "ir_version is", proto->ir_version, KETTE_MAX_IR, error)
      && !_kette_build_go_on (b, error))
    return FALSE;
  model->ir_version       = proto->ir_version;
  model->max_nodes        = b->loading->limits.nodes;
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

/* The steps in their order. Faults of one step may be collected; none begins behind a fault. */
static gboolean
build_all (KetteBuild *b, GError **error)
{
  static gboolean (*const steps[]) (KetteBuild *, GError **) = {
    read_header,
    read_metadata,
    _kette_build_scopes,
    _kette_build_check_calls,
    _kette_build_tensors,
    _kette_build_types,
    _kette_build_names,
    _kette_build_edges,
    _kette_build_nodes,
    _kette_build_order,
    _kette_build_functions,
    _kette_build_training,
  };

  for (size_t i = 0; i < G_N_ELEMENTS (steps); i++)
    if (!_kette_check_stop (b->loading->cancellable, NULL, error) || !steps[i](b, error)
        || !_kette_faults_none (b->loading->faults, error))
      return FALSE;
  return TRUE;
}

KetteGraph *
_kette_build_graph (KetteMessage *message, int folder, const char *file,
                    const KetteLoading *loading, GError **error)
{
  KetteBuild b      = { .loading = loading,
                        .message = message,
                        .proto   = (Onnx__ModelProto *) message->root };
  KetteGraph *graph = NULL;

  b.model = _kette_model_new (file, error);
  if (!b.model)
    {
      _kette_message_free (message);
      return NULL;
    }
  b.model->message      = message;
  b.model->free_message = _kette_message_free;
  b.model->maps         = _kette_guard_find (g_bytes_get_data (message->bytes, NULL));
  if (b.model->maps == 0)
    b.model->maps = _kette_guard_group ();
  b.external = _kette_external_new (folder, b.model, loading, error);
  if (b.external && build_all (&b, error))
    {
      _kette_external_sort (b.model);
      graph                  = b.scopes[b.main].graph;
      b.scopes[b.main].owned = FALSE;
    }
  if (_kette_guard_any () && !_kette_guard_look (b.model->maps, NULL, NULL))
    { /* what was found in zeros is no fault of the file's */
      g_clear_pointer (&graph, kette_graph_unref);
      g_clear_error (error);
      if (loading->faults)
        _kette_faults_clear (loading->faults);
      _kette_guard_look (b.model->maps, NULL, error);
    }
  _kette_build_clear (&b);
  _kette_model_unref (b.model);
  return graph;
}
