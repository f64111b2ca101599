/* SPDX-License-Identifier: Apache-2.0
 * kette convert: the same model in another form.
 */
#include "model.h"
#include "verbs.h"
#include <string.h>

static gboolean
convert (const char *in, const char *out, int opset, gboolean strip, KetteSaveFlags flags,
         GError **error)
{
  const KetteSaveOptions options = { .size = sizeof options, .flags = flags };
  g_autoptr (KetteGraph) graph   = kette_tool_load (in, error);

  return graph && (!strip || kette_graph_strip_training (graph, error))
         && (opset == 0 || kette_graph_raise_opset (graph, opset, error))
         && kette_graph_save_full (graph, out, &options, error);
}

int
kette_verb_convert (int argc, char **argv)
{
  g_autofree char *out     = NULL;
  g_autoptr (GError) error = NULL;
  gboolean outside = FALSE, inside = FALSE, strip = FALSE;
  int status, opset = 0;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out,
      "the file to write; it may be MODEL itself", "FILE" },
    { "external-data", 0, 0, G_OPTION_ARG_NONE, &outside,
      "tensors of 4096 bytes and more into FILE-HASH.data", NULL },
    { "no-external-data", 0, 0, G_OPTION_ARG_NONE, &inside, "all data into FILE", NULL },
    { "opset", 0, 0, G_OPTION_ARG_INT, &opset,
      "rewrite it for this version of ONNX's operators, or refuse", "N" },
    { "strip-training", 0, 0, G_OPTION_ARG_NONE, &strip,
      "without training steps and their state; the parameters stay", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!kette_tool_parse (
          &argc, &argv, entries, "MODEL -o FILE",
          "Writes a model in another form: data inside or outside, a newer operator\n"
          "set, with or without training. Without options it is written as it is, in\n"
          "the form that kette train and kette grad write.",
          "  kette convert model.onnx --external-data -o large.onnx\n"
          "  kette convert large.onnx --no-external-data -o model.onnx\n"
          "  kette convert trained.onnx --strip-training --opset 17 -o deploy.onnx\n",
          &status))
    return status;
  if (argc != 2)
    return kette_tool_usage ("convert needs one MODEL");
  if (!out || !*out)
    return kette_tool_usage ("convert needs -o FILE");
  if (outside && inside)
    return kette_tool_usage ("--external-data and --no-external-data exclude each other");
  if (opset < 0)
    return kette_tool_usage ("--opset is %d, must be 1 or more", opset);
  if (!convert (argv[1], out, opset, strip,
                outside  ? KETTE_SAVE_EXTERNAL_DATA
                : inside ? KETTE_SAVE_INTERNAL_DATA
                         : 0,
                &error))
    return kette_tool_fail (error);
  return 0;
}
