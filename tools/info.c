/* SPDX-License-Identifier: Apache-2.0
 * kette info and kette check: what a model holds, and whether it is sound.
 */
#include "model.h"
#include "verbs.h"
#include <stdio.h>

int
kette_verb_info (int argc, char **argv)
{
  gboolean json                = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "a JSON object", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status;

  if (!kette_tool_parse (&argc, &argv, entries, "MODEL...", "Says what a model holds.",
                         "  kette info model.onnx\n"
                         "  kette info --json model.onnx | python3 -m json.tool\n",
                         &status))
    return status;
  if (argc < 2)
    return kette_tool_usage ("info needs a MODEL");
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = kette_tool_load (argv[i], &error);
      g_autofree char *text = graph ? kette_graph_describe (graph, json, &error) : NULL;
      if (!text)
        return kette_tool_fail (error);
      if (i > 1 && !json)
        kette_tool_print ("\n");
      kette_tool_print (text);
    }
  return 0;
}

int
kette_verb_check (int argc, char **argv)
{
  gboolean structure = FALSE, quiet = FALSE;
  const GOptionEntry entries[] = {
    { "structure", 0, 0, G_OPTION_ARG_NONE, &structure,
      "judge only what needs no plugin; unknown operators are accepted", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "print faults only", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status, worst = 0;

  if (!kette_tool_parse (
          &argc, &argv, entries, "MODEL...",
          "Checks model files: form, names, operators, types, shapes, training "
          "steps.",
          "  kette check model.onnx\n  kette check --structure *.onnx\n", &status))
    return status;
  if (argc < 2)
    return kette_tool_usage ("check needs a MODEL");
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = kette_tool_load (argv[i], &error);
      if (!graph || !kette_graph_check (graph, structure, &error))
        {
          const int code = kette_tool_fail (error);
          worst          = argc == 2 && code != 65 ? code : KETTE_EXIT_FAULTS;
        }
      else if (!quiet)
        printf ("%s: sound\n", argv[i]);
    }
  return worst;
}
