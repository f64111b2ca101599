/* SPDX-License-Identifier: Apache-2.0
 * Loading a model: open, scan, unpack, build.
 */
#include "base/guard-private.h"
#include "io/build.h"
#include "io/io-private.h"
#include <string.h>

/* The options of a public call. FAULTS is used when the caller wants all faults. */
static void
loading_init (KetteLoading *self, const KetteLoadOptions *options, KetteFaults *faults)
{
  KetteLoadOptions o = { 0 };

  if (options)
    memcpy (&o, options, MIN (options->size, sizeof o));
  *self = (KetteLoading){ .flags       = o.flags,
                          .data_roots  = o.data_roots,
                          .cancellable = o.cancellable,
                          .faults      = o.fault ? faults : NULL };
  _kette_limits_complete (o.limits, &self->limits);
}

/* An error of the form "format: ..." gets a hint behind it. */
static void
add_hint (GError **error, GBytes *bytes)
{
  const char *hint;

  if (!error || !*error
      || !(g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_FORMAT)
           || g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_GRAPH)))
    return;
  hint = _kette_hint (bytes);
  if (hint && strlen ((*error)->message) + strlen (hint) < 900)
    {
      char *text = g_strconcat ((*error)->message, "; ", hint, NULL);

      g_free ((*error)->message);
      (*error)->message = text;
    }
}

static KetteGraph *
load_bytes (GBytes *bytes, int folder, const char *file, const KetteLoading *loading,
            GError **error)
{
  KetteMessage *message = _kette_message_new (bytes, &onnx__model_proto__descriptor,
                                              &loading->limits, error);
  const Onnx__ModelProto *proto;
  gboolean bare;
  KetteGraph *graph;

  if (!message)
    {
      add_hint (error, bytes);
      _kette_guard_outcome_at (g_bytes_get_data (bytes, NULL), FALSE, error);
      return NULL;
    }
  proto = (const Onnx__ModelProto *) message->root;
  bare  = !proto->graph;
  graph = _kette_build_graph (message, folder, file, loading, error);
  if (!graph && bare)
    add_hint (error, bytes);
  return graph;
}

static KetteGraph *
load_file (const char *file, const KetteLoading *loading, GError **error)
{
  KetteFile f;
  KetteGraph *graph;

  if (!_kette_file_open (&f, file, (size_t) loading->limits.file_bytes, error))
    return NULL;
  graph = load_bytes (f.bytes, f.folder, file, loading, error);
  if (graph && !_kette_file_unchanged (&f, error))
    g_clear_pointer (&graph, kette_graph_unref);
  _kette_file_close (&f);
  return graph;
}

/* Hands over the faults that were found, or the only one, with the file's name. */
static void
tell_faults (KetteFaults *faults, const KetteLoadOptions *options, const char *file,
             const GError *error)
{
  for (size_t i = 0; i < faults->n; i++)
    {
      _kette_error_in_file (&faults->list[i], file);
      options->fault (faults->list[i], options->user);
    }
  /* What ended loading, unless it only repeats the first of the list. */
  if (faults->n == 0
      || !g_error_matches (error, faults->list[0]->domain, faults->list[0]->code)
      || strcmp (error->message, faults->list[0]->message) != 0)
    options->fault (error, options->user);
}

/* BYTES NULL: the file. */
static KetteGraph *
load_any (const char *file, GBytes *bytes, const KetteLoadOptions *options,
          GError **error)
{
  KetteLoading loading;
  KetteFaults faults = { 0 };
  GError *inner      = NULL;
  KetteGraph *graph;

  loading_init (&loading, options, &faults);
  graph = bytes ? load_bytes (bytes, -1, file, &loading, &inner)
                : load_file (file, &loading, &inner);
  if (inner)
    {
      _kette_error_in_file (&inner, file);
      if (loading.faults)
        tell_faults (&faults, options, file, inner);
      if (faults.n > 0)
        {
          g_error_free (inner);
          inner = g_error_copy (faults.list[0]);
        }
      g_propagate_error (error, inner);
    }
  _kette_faults_clear (&faults);
  return graph;
}

KetteGraph *
kette_graph_load_full (const char *file, const KetteLoadOptions *options, GError **error)
{
  return load_any (file, NULL, options, error);
}

KetteGraph *
kette_graph_load_bytes_full (GBytes *bytes, const char *name,
                             const KetteLoadOptions *options, GError **error)
{
  return load_any (name ? name : "<memory>", bytes, options, error);
}

KetteGraph *
kette_graph_load (const char *file, GError **error)
{
  return load_any (file, NULL, NULL, error);
}

KetteGraph *
kette_graph_load_bytes (GBytes *bytes, GError **error)
{
  return load_any ("<memory>", bytes, NULL, error);
}
