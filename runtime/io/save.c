/* SPDX-License-Identifier: Apache-2.0
 * Saving a model: the same graph gives the same bytes.
 */
#include "io/save.h"
#include "base/guard-private.h"
#include "exec/places.h"
#include "io/save-data.h"
#include "io/writer.h"
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t) 2000000000)
#define IR_OF_NEW_MODELS 8

static gboolean
put_opsets (KetteSaver *s, const Onnx__ModelProto *old, Onnx__ModelProto *out,
            GError **error)
{
  const KetteModel *model = s->model;
  const size_t n_old      = old ? old->n_opset_import : 0;
  KetteNames *kept        = _kette_names_new (error);
  size_t n;
  gboolean ok = kept && _kette_add (n_old, model->n_opsets, &n);

  if (ok)
    out->opset_import
        = _kette_region_alloc (s->region, n, sizeof *out->opset_import, error);
  ok                  = ok && out->opset_import;
  out->n_opset_import = 0;
  /* The file's entries that still hold, in its order; then what changed or is new. */
  for (size_t i = 0; ok && i < n_old; i++)
    {
      const char *domain = _kette_domain (old->opset_import[i]->domain);

      if (_kette_model_opset (model, domain) != old->opset_import[i]->version)
        continue;
      ok = _kette_names_set (kept, domain, old->opset_import[i], error);
      out->opset_import[out->n_opset_import++] = old->opset_import[i];
    }
  for (size_t i = 0; ok && i < model->n_opsets; i++)
    {
      Onnx__OperatorSetIdProto *id;

      if (_kette_names_get (kept, model->opsets[i].domain))
        continue;
      id = _kette_region_alloc (s->region, 1, sizeof *id, error);
      ok = id != NULL;
      if (!ok)
        break;
      onnx__operator_set_id_proto__init (id);
      id->domain                               = (char *) model->opsets[i].domain;
      id->has_version                          = TRUE;
      id->version                              = model->opsets[i].version;
      out->opset_import[out->n_opset_import++] = id;
    }
  _kette_names_free (kept);
  return ok;
}

static int
compare_entries (const void *a, const void *b)
{
  const Onnx__StringStringEntryProto *const *x = a, *const *y = b;

  return strcmp (_kette_text ((*x)->key), _kette_text ((*y)->key));
}

/* Checksums of an earlier file say nothing about this one. */
static gboolean
is_stale (const char *key)
{
  return strncmp (key, "kette.crc.", 10) == 0 || strcmp (key, "kette.sha256") == 0;
}

static gboolean
put_crc (KetteSaver *s, const KetteValue *value, Onnx__ModelProto *out, GError **error)
{
  const size_t n = strlen (value->name) + 11;
  char *key      = _kette_region_alloc (s->region, n, 1, error);
  char *text     = key ? _kette_region_alloc (s->region, 9, 1, error) : NULL;

  if (!text)
    return FALSE;
  g_snprintf (key, n, "kette.crc.%s", value->name);
  g_snprintf (text, 9, "%08x", _kette_crc32c (0, value->data->data, value->data->bytes));
  out->metadata_props[out->n_metadata_props] = _kette_saver_entry (s, key, text, error);
  return out->metadata_props[out->n_metadata_props++] != NULL;
}

static gboolean
is_state (const KetteValue *value)
{
  return (value->flags & KETTE_VALUE_STATE) && value->data && !value->outer
         && value->data->dtype != KT_STRING;
}

/* Calls put_crc for each state tensor, or only counts them (OUT NULL). */
static gboolean
each_state (KetteSaver *s, KetteGraph *graph, Onnx__ModelProto *out, size_t *count,
            GError **error)
{
  const KetteModel *model = s->model;

  for (size_t g = 0; g <= model->n_training; g++)
    {
      const KetteGraph *in = g == 0 ? graph : model->training[g - 1]->algorithm;

      for (size_t i = 0; in && i < in->n_values; i++)
        {
          if (!is_state (in->values[i]))
            continue;
          if (!out)
            ++*count;
          else if (!put_crc (s, in->values[i], out, error))
            return FALSE;
        }
    }
  return TRUE;
}

static gboolean
put_metadata (KetteSaver *s, KetteGraph *graph, gboolean checksums, Onnx__ModelProto *out,
              GError **error)
{
  const KetteModel *model = s->model;
  size_t n                = model->n_meta + 1;

  if (checksums && !each_state (s, graph, NULL, &n, error))
    return FALSE;
  out->metadata_props
      = _kette_region_alloc (s->region, n, sizeof *out->metadata_props, error);
  if (!out->metadata_props)
    return FALSE;
  out->n_metadata_props = 0;
  for (size_t i = 0; i < model->n_meta; i++)
    {
      if (is_stale (model->meta[i].key)
          || (strcmp (model->meta[i].key, "kette.previous_producer") == 0
              && strcmp (model->producer, "kette") != 0))
        continue;
      out->metadata_props[out->n_metadata_props]
          = _kette_saver_entry (s, model->meta[i].key, model->meta[i].value, error);
      if (!out->metadata_props[out->n_metadata_props++])
        return FALSE;
    }
  if (*model->producer && strcmp (model->producer, "kette") != 0)
    {
      const size_t size = strlen (model->producer) + strlen (model->producer_version) + 2;
      char *text        = _kette_region_alloc (s->region, size, 1, error);

      if (!text)
        return FALSE;
      g_snprintf (text, size, "%s%s%s", model->producer,
                  *model->producer_version ? " " : "", model->producer_version);
      out->metadata_props[out->n_metadata_props]
          = _kette_saver_entry (s, "kette.previous_producer", text, error);
      if (!out->metadata_props[out->n_metadata_props++])
        return FALSE;
    }
  if (checksums && !each_state (s, graph, out, NULL, error))
    return FALSE;
  qsort (out->metadata_props, out->n_metadata_props, sizeof *out->metadata_props,
         compare_entries);
  return TRUE;
}

static gboolean
put_parts (KetteSaver *s, KetteGraph *graph, Onnx__ModelProto *out, GError **error)
{
  const KetteModel *model = s->model;

  out->graph = _kette_saver_graph (s, graph, error);
  if (!out->graph)
    return FALSE;
  out->training_info = _kette_region_alloc (s->region, model->n_training,
                                            sizeof *out->training_info, error);
  if (!out->training_info)
    return FALSE;
  out->n_training_info = model->n_training;
  for (size_t i = 0; i < model->n_training; i++)
    if (!(out->training_info[i] = _kette_saver_training (s, model->training[i], error)))
      return FALSE;
  out->functions = _kette_region_alloc (s->region, model->n_functions,
                                        sizeof *out->functions, error);
  if (!out->functions)
    return FALSE;
  out->n_functions = model->n_functions;
  for (size_t i = 0; i < model->n_functions; i++)
    if (!(out->functions[i] = _kette_saver_function (s, model->functions[i], error)))
      return FALSE;
  return TRUE;
}

/* The file's version, or what the features in use need at least. */
static int64_t
ir_version (const KetteSaver *s)
{
  int64_t ir = s->model->ir_version > 0 ? s->model->ir_version : IR_OF_NEW_MODELS;

  if (s->new_initializer)
    ir = MAX (ir, 4);
  if (s->model->n_training > 0)
    ir = MAX (ir, 7);
  if (s->model->n_functions > 0)
    ir = MAX (ir, 8);
  return ir;
}

/* A text of the model: the file's own field where it says the same, even if absent. */
static char *
text_of (const char *now, char *old)
{
  if (!now || strcmp (now, _kette_text (old)) == 0)
    return old;
  return (char *) now;
}

static Onnx__ModelProto *
model_to_proto (KetteSaver *s, KetteGraph *graph, gboolean checksums, GError **error)
{
  KetteModel *model           = s->model;
  const Onnx__ModelProto *old = NULL;
  Onnx__ModelProto *out       = _kette_region_alloc (s->region, 1, sizeof *out, error);
  gboolean ok;

  if (!out)
    return NULL;
  if (model->message && model->free_message == _kette_message_free)
    {
      s->message = model->message;
      old        = (const Onnx__ModelProto *) s->message->root;
    }
  if (old)
    *out = *old;
  else
    onnx__model_proto__init (out);
  out->producer_name    = (char *) "kette";
  out->producer_version = (char *) KETTE_VERSION;
  out->domain           = text_of (model->domain, out->domain);
  out->doc_string       = text_of (model->doc, out->doc_string);
  if (model->model_version != out->model_version)
    {
      out->has_model_version = TRUE;
      out->model_version     = model->model_version;
    }
  ok = put_opsets (s, old, out, error) && put_parts (s, graph, out, error)
       && put_metadata (s, graph, checksums, out, error);
  if (s->doubt && ok)
    {
      g_propagate_error (error, g_steal_pointer (&s->doubt));
      ok = FALSE;
    }
  g_clear_error (&s->doubt);
  if (!ok)
    return NULL;
  out->has_ir_version = TRUE;
  out->ir_version     = ir_version (s);
  return out;
}

/* protobuf-c's way to write, passed on; the sum is made on the way. */
typedef struct
{
  ProtobufCBuffer base;
  KetteWriter *writer;
  GChecksum *sum;
} Stream;

static void
stream_append (ProtobufCBuffer *buffer, size_t n, const uint8_t *data)
{
  Stream *stream = (Stream *) buffer;

  if (stream->sum && n > 0)
    g_checksum_update (stream->sum, data, (gssize) n);
  _kette_writer_add (stream->writer, data, n);
}

typedef struct
{
  const Onnx__ModelProto *proto;
  const KetteModel *model;
  gboolean checksums;
} Job;

static gboolean
write_model (KetteWriter *writer, gpointer user, GError **error)
{
  const Job *job = user;
  Stream stream  = { .base = { .append = stream_append }, .writer = writer };
  uint8_t entry[KETTE_SHA256_ENTRY];
  size_t n = protobuf_c_message_get_packed_size (&job->proto->base);

  if (n > MAX_BYTES)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                        "the model needs %zu bytes without external data, a file may "
                        "have %zu",
                        n, MAX_BYTES);
  if (job->checksums)
    stream.sum = g_checksum_new (G_CHECKSUM_SHA256);
  protobuf_c_message_pack_to_buffer (&job->proto->base, &stream.base);
  if (stream.sum)
    {
      n = _kette_sha256_entry (g_checksum_get_string (stream.sum), entry);
      _kette_writer_add (writer, entry, n);
      g_checksum_free (stream.sum);
    }
  return _kette_guard_outcome (job->model->maps, TRUE, error);
}

/* Are the large data to lie outside? Unless the caller says: as it was loaded, or when they
 * do not fit. */
static gboolean
wants_outside (const KetteModel *model, KetteSaveFlags flags,
               const Onnx__ModelProto *proto)
{
  if (flags & (KETTE_SAVE_EXTERNAL_DATA | KETTE_SAVE_INTERNAL_DATA))
    return (flags & KETTE_SAVE_EXTERNAL_DATA) != 0;
  return model->n_external > 0
         || protobuf_c_message_get_packed_size (&proto->base) > MAX_BYTES;
}

static gboolean
save_to (KetteSaver *s, KetteGraph *graph, const char *file, KetteSaveFlags flags,
         unsigned keep, GError **error)
{
  KetteData data = { .saver = s, .lock = -1 };
  Job job = { .model = s->model, .checksums = (flags & KETTE_SAVE_CHECKSUMS) != 0 };
  gboolean ok;

  s->outside = (flags & KETTE_SAVE_EXTERNAL_DATA) != 0;
  job.proto  = model_to_proto (s, graph, job.checksums, error);
  if (!job.proto)
    return FALSE;
  data.outside = wants_outside (s->model, flags, job.proto);
  if (data.outside && !s->outside)
    {
      s->outside = TRUE;
      job.proto  = model_to_proto (s, graph, job.checksums, error);
    }
  ok = job.proto != NULL;
  if (ok && (data.outside || s->model->n_external > 0))
    {
      ok        = _kette_data_collect (&data, job.proto, error);
      job.proto = data.model;
    }
  ok = ok && (!data.outside || _kette_data_write (&data, file, error))
       && _kette_write_file (file, flags & KETTE_SAVE_KEEP_OLD ? MAX (keep, 1) : 0,
                             write_model, &job, error);
  _kette_data_clear (&data);
  /* Also behind a failure: what was written is not referred to then. */
  _kette_data_sweep (file);
  return ok;
}

gboolean
kette_graph_save_full (KetteGraph *self, const char *file,
                       const KetteSaveOptions *options, GError **error)
{
  KetteSaveOptions o = { 0 };
  KetteSaver s       = { .model = self->model, .region = _kette_region_new (error) };
  gboolean ok;

  if (options)
    memcpy (&o, options, MIN (options->size, sizeof o));
  ok = s.region && _kette_residents_write_back (error)
       && save_to (&s, self, file, o.flags, o.keep, error);
  _kette_region_free (s.region);
  if (!ok)
    _kette_error_in_file (error, file);
  return ok;
}

gboolean
kette_graph_save (KetteGraph *self, const char *file, GError **error)
{
  /* What was a checkpoint stays one: with checksums of what is written now. */
  const KetteSaveOptions checkpoint
      = { .size = sizeof checkpoint, .flags = KETTE_SAVE_CHECKSUMS };

  return kette_graph_save_full (
      self, file, _kette_model_get_meta (self->model, "kette.step") ? &checkpoint : NULL,
      error);
}

GBytes *
_kette_graph_to_bytes (KetteGraph *graph, GError **error)
{
  KetteSaver s   = { .model = graph->model, .region = _kette_region_new (error) };
  KetteData data = { .saver = &s, .lock = -1 };
  Job job        = { .model = graph->model };
  GBytes *bytes  = NULL;

  if (s.region && (job.proto = model_to_proto (&s, graph, FALSE, error))
      && (graph->model->n_external == 0 || _kette_data_collect (&data, job.proto, error)))
    {
      if (data.model)
        job.proto = data.model;
      bytes = _kette_write_bytes (write_model, &job, error);
    }
  _kette_data_clear (&data);
  _kette_region_free (s.region);
  return bytes;
}
