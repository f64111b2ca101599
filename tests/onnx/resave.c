/* SPDX-License-Identifier: Apache-2.0
 * resave IN OUT [IN OUT]...: loads models and saves them as they are.
 */
#include "kette.h"
#include <stdio.h>

int
main (int argc, char **argv)
{
  int failed = 0;

  for (int i = 1; i + 1 < argc; i += 2)
    {
      g_autoptr (GError) error     = NULL;
      g_autoptr (KetteGraph) graph = kette_graph_load (argv[i], &error);
      if (!graph || !kette_graph_save (graph, argv[i + 1], &error))
        {
          fprintf (stderr, "%s\n", error->message);
          failed = 1;
        }
    }
  return failed;
}
