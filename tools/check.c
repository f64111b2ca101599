/* SPDX-License-Identifier: Apache-2.0
 * kette check: is a model sound?
 */
#include "model.h"
#include "verbs.h"
#include <stdio.h>

static void
print_fault (const GError *fault, gpointer user)
{
  *(int *) user = kette_tool_fail (fault);
}

/* Tells the faults of one file; 0, or the exit status of the last one. */
static int
check_file (const char *file, gboolean structure, gboolean quiet)
{
  g_autoptr (GError) error = NULL;
  int status               = 0;
  g_autoptr (KetteGraph) graph
      = kette_tool_load_with (file, print_fault, &status, &error);

  if (!graph || !kette_graph_check_full (graph, structure, print_fault, &status, &error))
    return status ? status : kette_tool_fail (error);
  kette_tool_verify (graph, file);
  if (!quiet)
    printf ("%s: sound\n", file);
  return 0;
}

int
kette_verb_check (int argc, char **argv)
{
  gboolean structure = FALSE, quiet = FALSE;
  const GOptionEntry entries[] = {
    { "structure", 0, 0, G_OPTION_ARG_NONE, &structure,
      "judge only what needs no plugin: unknown operators are accepted, the graph "
      "around them is judged",
      NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "print faults only", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status, worst = 0;

  if (!kette_tool_parse (&argc, &argv, entries, "MODEL...",
                         "Checks model files: form, names, operators, types, shapes, "
                         "training steps. Of the first step that finds any fault "
                         "up to 20 are listed.",
                         "  kette check model.onnx\n  kette check --structure *.onnx\n",
                         &status))
    return status;
  if (argc < 2)
    return kette_tool_usage ("check needs a MODEL");
  for (int i = 1; i < argc; i++)
    {
      status = check_file (argv[i], structure, quiet);
      if (status)
        worst = argc == 2 && status != 65 ? status : KETTE_EXIT_FAULTS;
    }
  return worst;
}
