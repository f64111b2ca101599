/* SPDX-License-Identifier: Apache-2.0
 * Loading a model: open, scan, unpack, build.
 */
#include "io/build.h"
#include "io/io-private.h"
#include <string.h>

/* An error of the form "format: ..." gets a hint behind it. */
static void
add_hint (GError **error, GBytes *bytes)
{
  const char *hint;

  if (!error || !*error
      || !(g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_FORMAT)
           || g_error_matches (*error, KETTE_ERROR, KETTE_ERROR_GRAPH)))
    return;
  hint = g_bytes_get_size (bytes) > 0 ? _kette_hint (bytes) : NULL;
  if (hint && strlen ((*error)->message) + strlen (hint) < 900)
    {
      char *text = g_strconcat ((*error)->message, "; ", hint, NULL);

      g_free ((*error)->message);
      (*error)->message = text;
    }
}

static KetteGraph *
load_bytes (GBytes *bytes, int folder, const char *file, GError **error)
{
  KetteMessage *message
      = _kette_message_new (bytes, &onnx__model_proto__descriptor, error);
  const Onnx__ModelProto *proto;
  gboolean bare;
  KetteGraph *graph;

  if (!message)
    {
      add_hint (error, bytes);
      return NULL;
    }
  proto = (const Onnx__ModelProto *) message->root;
  bare  = !proto->graph;
  graph = _kette_build_graph (message, folder, file, error);
  if (!graph && bare)
    add_hint (error, bytes);
  return graph;
}

KetteGraph *
kette_graph_load (const char *file, GError **error)
{
  KetteFile f;
  KetteGraph *graph;

  if (!_kette_file_open (&f, file, KETTE_FILE_MAX, error))
    {
      _kette_error_in_file (error, file);
      return NULL;
    }
  graph = load_bytes (f.bytes, f.folder, file, error);
  if (graph && !_kette_file_unchanged (&f, error))
    g_clear_pointer (&graph, kette_graph_unref);
  if (!graph)
    _kette_error_in_file (error, file);
  _kette_file_close (&f);
  return graph;
}

KetteGraph *
kette_graph_load_bytes (GBytes *bytes, GError **error)
{
  KetteGraph *graph = load_bytes (bytes, -1, "<memory>", error);

  if (!graph)
    _kette_error_in_file (error, "<memory>");
  return graph;
}
