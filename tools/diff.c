/* SPDX-License-Identifier: Apache-2.0
 * kette diff: what differs between two models.
 */
#include "model.h"
#include "verbs.h"

int
kette_verb_diff (int argc, char **argv)
{
  gboolean structure = FALSE, metadata = FALSE, names = FALSE, json = FALSE,
           quiet = FALSE;
  gint most      = 0;
  double rtol = 0, atol = 0;
  KetteDiffOptions options     = { .size = sizeof options };
  const GOptionEntry entries[] = {
    { "structure", 0, 0, G_OPTION_ARG_NONE, &structure,
      "do not compare the numbers in parameters", NULL },
    { "rtol", 0, 0, G_OPTION_ARG_DOUBLE, &rtol,
      "numbers a and b are equal if |a-b| <= ATOL + RTOL max(|a|,|b|); default 0",
      "RTOL" },
    { "tolerance", 0, 0, G_OPTION_ARG_DOUBLE, &rtol, "the same as --rtol", "RTOL" },
    { "atol", 0, 0, G_OPTION_ARG_DOUBLE, &atol, "see --rtol; default 0", "ATOL" },
    { "ignore-names", 0, 0, G_OPTION_ARG_NONE, &names,
      "other names of parameters, inner values and nodes are no difference", NULL },
    { "metadata", 0, 0, G_OPTION_ARG_NONE, &metadata,
      "compare metadata, producer and texts, too", NULL },
    { "most", 'n', 0, G_OPTION_ARG_INT, &most, "list so many of each kind (default 20)",
      "N" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "a JSON object", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "print nothing; the exit status tells",
      NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GError) error = NULL;
  gboolean equal;
  int status;

  if (!kette_tool_parse (
          &argc, &argv, entries, "A B",
          "Compares two models: versions, inputs, outputs, nodes, functions, training "
          "steps, "
          "parameters. Exit status 0: equal; 1: different.\n\n"
          "Lines begin with - for what only A has, + for what only B has, ~ for what "
          "changed.",
          "  kette diff net.onnx trained.onnx                 what did training change?\n"
          "  kette diff --structure --ignore-names old.onnx new.onnx\n"
          "                                                   did the new exporter "
          "change "
          "anything but names?\n"
          "  kette diff --rtol 1e-5 gpu.onnx cpu.onnx         the same weights, nearly?\n"
          "  kette diff --json a.onnx b.onnx | python3 -m json.tool\n",
          &status))
    return status;
  if (argc != 3)
    return kette_tool_usage ("diff needs two models, A and B");
  if (most < 0 || !(rtol >= 0) || !(atol >= 0))
    return kette_tool_usage ("a number is out of range");
  options.flags = (KetteDiffFlags) ((structure ? KETTE_DIFF_STRUCTURE : 0)
                                    | (metadata ? KETTE_DIFF_METADATA : 0)
                                    | (names ? KETTE_DIFF_IGNORE_NAMES : 0)
                                    | (json ? KETTE_DIFF_JSON : 0));
  options.most  = (guint) most;
  options.rtol  = rtol;
  options.atol  = atol;

  g_autoptr (KetteGraph) a = kette_tool_load (argv[1], &error);
  g_autoptr (KetteGraph) b = a ? kette_tool_load (argv[2], &error) : NULL;
  g_autofree char *text    = b ? kette_graph_diff (a, b, &options, &equal, &error) : NULL;
  if (!text)
    return kette_tool_fail (error);
  if (!quiet)
    kette_tool_print (text);
  return equal ? 0 : KETTE_EXIT_FAULTS;
}
