/* SPDX-License-Identifier: Apache-2.0
 * roundtrip: reads names of model files from standard input; each is loaded, saved, loaded
 * and saved again, and what was saved is compared with the file field by field. Then the same
 * with an unknown field in each of its messages. A line per file; the counts at the end.
 */
#include "exec/diff.h"
#include "io/io-private.h"
#include "messages.h"
#include <stdio.h>
#include <string.h>

#define UNKNOWN_MAX (16 << 20) /* larger files are not packed anew with unknown fields */

static char *fault;

/* ORIGINAL through GRAPH, into bytes and back: NULL, or what is wrong. */
static const char *
trip (KetteGraph *graph, const Onnx__ModelProto *original, GError **error)
{
  g_autoptr (GBytes) first     = _kette_graph_to_bytes (graph, error);
  g_autoptr (KetteGraph) again = first ? kette_graph_load_bytes (first, error) : NULL;
  g_autoptr (GBytes) second    = again ? _kette_graph_to_bytes (again, error) : NULL;
  Onnx__ModelProto *saved;
  const char *difference;

  if (!first)
    return "saving";
  if (!again)
    return "loading what was saved";
  if (!second)
    return "saving again";
  saved = onnx__model_proto__unpack (NULL, g_bytes_get_size (first),
                                     g_bytes_get_data (first, NULL));
  if (!saved)
    return "the saved bytes are no message";
  difference = messages_differ (original, saved);
  onnx__model_proto__free_unpacked (saved, NULL);
  if (!difference && !g_bytes_equal (first, second))
    difference = "saved again, the bytes are others";
  return difference;
}

static const char *
with_unknown (Onnx__ModelProto *original, GError **error)
{
  g_autoptr (GBytes) bytes     = NULL;
  g_autoptr (KetteGraph) graph = NULL;
  uint8_t *data;
  size_t n;

  messages_add_unknown (&original->base);
  n    = onnx__model_proto__get_packed_size (original);
  data = g_malloc (n);
  onnx__model_proto__pack (original, data);
  bytes = g_bytes_new_take (data, n);
  graph = kette_graph_load_bytes (bytes, error);
  return graph ? trip (graph, original, error) : "loading with unknown fields";
}

/* Made anew from the graph alone: nothing differs, and made so again, the bytes are the same. */
static const char *
trip_anew (KetteGraph *graph, GError **error)
{
  g_autoptr (GBytes) first = NULL, second = NULL;
  g_autoptr (KetteGraph) again = NULL;
  g_autofree char *text        = NULL;
  static char difference[600];
  gboolean equal;

  messages_forget (graph);
  if (!(first = _kette_graph_to_bytes (graph, error)))
    return "saving anew";
  if (!(again = kette_graph_load_bytes (first, error)))
    return "loading what was saved anew";
  if (!(text = kette_graph_diff (graph, again, NULL, &equal, error)))
    return "comparing with what was saved anew";
  if (!equal)
    {
      g_strlcpy (difference, text, sizeof difference);
      return g_strdelimit (difference, "\n", ' ');
    }
  messages_forget (again);
  if (!(second = _kette_graph_to_bytes (again, error)))
    return "saving anew again";
  return g_bytes_equal (first, second) ? NULL : "saved anew again, the bytes are others";
}

static gboolean
one_file (const char *file)
{
  g_autoptr (GError) error     = NULL;
  g_autoptr (KetteGraph) graph = kette_graph_load (file, &error);
  g_autofree char *data        = NULL;
  gsize n                      = 0;
  Onnx__ModelProto *original   = NULL;
  const char *what             = "loading";

  if (graph && g_file_get_contents (file, &data, &n, &error)
      && (original = onnx__model_proto__unpack (NULL, n, (const uint8_t *) data)))
    {
      what = trip (graph, original, &error);
      if (!what && n <= UNKNOWN_MAX)
        what = with_unknown (original, &error);
      if (!what)
        what = trip_anew (graph, &error);
    }
  if (original)
    onnx__model_proto__free_unpacked (original, NULL);
  g_clear_pointer (&fault, g_free);
  if (what)
    fault = g_strdup_printf ("%s%s%s", what, error ? ": " : "",
                             error ? error->message : "");
  return !what;
}

int
main (void)
{
  g_autoptr (GIOChannel) in = g_io_channel_unix_new (0);
  unsigned good = 0, bad = 0;

  for (;;)
    {
      g_autofree char *line = NULL;
      gsize end;

      if (g_io_channel_read_line (in, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL)
        break;
      line[end] = '\0';
      if (one_file (line))
        {
          good++;
          printf ("SAME %s\n", line);
        }
      else
        {
          bad++;
          printf ("DIFFERENT %s: %s\n", line, fault);
        }
    }
  g_free (fault);
  printf ("%u the same, %u not\n", good, bad);
  return bad > 0;
}
