/* SPDX-License-Identifier: Apache-2.0
 * kette info: what a model holds.
 */
#include "model.h"
#include "verbs.h"
#include <stdio.h>

int
kette_verb_info (int argc, char **argv)
{
  gboolean json = FALSE, plan = FALSE;
  g_autofree char *device      = NULL;
  g_autofree char *precision   = NULL;
  g_auto (GStrv) place         = NULL;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "a JSON object", NULL },
    { "plan", 0, 0, G_OPTION_ARG_NONE, &plan,
      "list the steps of a run instead, where and why (open dims are 1)", NULL },
    { "device", 0, 0, G_OPTION_ARG_STRING, &device, "of the plan: as in kette run", "D" },
    { "place", 0, 0, G_OPTION_ARG_STRING_ARRAY, &place, "of the plan: as in kette run",
      "GLOB=D" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "of the plan: as in kette run",
      "P" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status;

  if (!kette_tool_parse (&argc, &argv, entries, "MODEL...", "Says what a model holds.",
                         "  kette info model.onnx\n"
                         "  kette info --json model.onnx | python3 -m json.tool\n"
                         "  kette info --plan --device auto model.onnx\n",
                         &status))
    return status;
  if (argc < 2)
    return kette_tool_usage ("info needs a MODEL");
  if ((device || place || precision) && !plan)
    return kette_tool_usage ("--device, --place and --precision say how to --plan");
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) error = NULL;
      KetteSessionFlags flags  = (KetteSessionFlags) 0;
      g_autoptr (KetteGraph) graph
          = kette_session_flags_for_precision (precision, &flags, &error)
                ? kette_tool_load (argv[i], &error)
                : NULL;
      g_autofree char *text
          = !graph ? NULL
            : plan ? kette_graph_explain (graph, flags, device,
                                          (const char *const *) place, &error)
                   : kette_graph_describe (graph, json, &error);
      if (!text)
        return kette_tool_fail (error);
      if (i > 1 && !json)
        kette_tool_print ("\n");
      kette_tool_print (text);
    }
  return 0;
}
