/* SPDX-License-Identifier: Apache-2.0
 * kette draw: a picture of a graph, forward and backward.
 */
#include "model.h"
#include "verbs.h"
#include <stdio.h>
#include <string.h>

/* The format that the suffix of FILE names; NULL: none of them. */
static const char *
format_of (const char *file)
{
  if (g_str_has_suffix (file, ".svg"))
    return "svg";
  if (g_str_has_suffix (file, ".dot") || g_str_has_suffix (file, ".gv"))
    return "dot";
  return NULL;
}

/* Writes TEXT to FILE, whole or not at all; "-" is standard output. */
static int
write_text (const char *file, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) io    = NULL;

  if (strcmp (file, "-") == 0)
    {
      kette_tool_print (text);
      return 0;
    }
  if (g_file_set_contents_full (file, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666,
                                &io))
    return 0;
  error = g_error_new (KETTE_ERROR, KETTE_ERROR_IO, "io: %s", io->message);
  return kette_tool_fail (error);
}

int
kette_verb_draw (int argc, char **argv)
{
  KetteDrawOptions options;
  g_autofree char *out = NULL, *view = NULL, *loss = NULL;
  g_autofree char *title = NULL, *layout = NULL, *format = NULL;
  g_autofree char *device = NULL;
  g_auto (GStrv) place    = NULL;
  gint max_boxes = 0, batch = 0;
  g_autoptr (GError) error     = NULL;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out,
      "where the picture goes; - is standard output", "FILE.svg|FILE.dot" },
    { "view", 0, 0, G_OPTION_ARG_STRING, &view,
      "auto, forward, backward or both; auto is both where there is a loss", "VIEW" },
    { "loss", 0, 0, G_OPTION_ARG_STRING, &loss,
      "whose gradients: a value of the graph, or a loss of kette train (half-sse)",
      "NAME" },
    { "title", 0, 0, G_OPTION_ARG_STRING, &title, "above the picture; \"\" for none",
      "TEXT" },
    { "layout", 0, 0, G_OPTION_ARG_STRING, &layout,
      "auto, row (chains only) or dot (the program kette-render)", "ENGINE" },
    { "max-boxes", 0, 0, G_OPTION_ARG_INT, &max_boxes,
      "refuse to draw more boxes (default 300, at most 2000)", "N" },
    { "format", 0, 0, G_OPTION_ARG_STRING, &format,
      "svg or dot; default: what the suffix of FILE says", "FORMAT" },
    { "device", 0, 0, G_OPTION_ARG_STRING, &device,
      "show where nodes are executed and what is copied: as in kette run, or stored: "
      "where the training was that made MODEL",
      "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &place, "likewise: as in kette run",
      "GLOB=D" },
    { "batch", 0, 0, G_OPTION_ARG_INT, &batch,
      "with devices: size of open dims, for the bytes of copies (1)", "N" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status;

  if (!kette_tool_parse (
          &argc, &argv, entries, "MODEL -o FILE",
          "Draws the graph of a model, and its gradients.",
          "  kette draw model.onnx -o model.svg\n"
          "  kette draw trained.onnx --view both -o graph.svg\n"
          "  kette draw model.onnx --loss half-sse -o backward.svg\n"
          "  kette draw model.onnx --device auto --batch 64 -o devices.svg\n"
          "  kette draw model.onnx --format dot -o - | dot -Tpdf -o model.pdf\n"
          "  kette draw model.onnx -o - | rsvg-convert -z 2 -o model.png\n",
          &status))
    return status;

  if (argc != 2 || !out)
    return kette_tool_usage ("draw needs one MODEL and -o FILE");
  if (max_boxes < 0)
    return kette_tool_usage ("--max-boxes must not be negative");
  if (batch < 0)
    return kette_tool_usage ("--batch must not be negative");
  if (batch && !device && !place)
    return kette_tool_usage ("--batch says how much is copied with --device or --place");

  kette_draw_options_init (&options);
  options.view      = view ? view : options.view;
  options.layout    = layout ? layout : options.layout;
  options.loss      = loss;
  options.title     = title;
  options.max_boxes = (guint) max_boxes;
  options.batch     = (guint) batch;
  options.device    = device;
  options.place     = (const char *const *) place;
  options.format    = format ? format : strcmp (out, "-") == 0 ? "svg" : format_of (out);
  if (!options.format)
    return kette_tool_usage (
        "%s ends neither with .svg nor with .dot; --format says which", out);

  g_autoptr (KetteGraph) graph = kette_tool_load (argv[1], &error);
  g_autofree char *text    = graph ? kette_graph_draw (graph, &options, &error) : NULL;
  g_autofree char *missing = text ? kette_graph_list_missing (graph, &error) : NULL;
  if (!missing)
    return kette_tool_fail (error);
  if (*missing)
    fprintf (stderr, "%s: no plugin provides %s; dashed in the picture\n", argv[1],
             missing);
  return write_text (out, text);
}
