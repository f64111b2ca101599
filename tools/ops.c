/* SPDX-License-Identifier: Apache-2.0
 * kette ops: the operators that the plugins provide.
 */
#include "verbs.h"

int
kette_verb_ops (int argc, char **argv)
{
  char *why     = NULL;
  gboolean json = FALSE, devices = FALSE;
  g_autoptr (GError) error     = NULL;
  const GOptionEntry entries[] = {
    { "why", 0, 0, G_OPTION_ARG_STRING, &why,
      "its definition, and which kernel wins and why", "OP" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "a JSON object", NULL },
    { "devices", 0, 0, G_OPTION_ARG_NONE, &devices,
      "the devices that there are, or why there are none", NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  int status;

  if (!kette_tool_parse (&argc, &argv, entries, "", "Lists the operators of all plugins.",
                         "  kette ops\n  kette ops --devices\n  kette ops --why Gemm\n  "
                         "kette ops --why kette:SGD\n",
                         &status))
    return status;

  g_autofree char *owned = why;
  (void) owned;
  KettePlugins *plugins = kette_plugins_get (&error);
  if (!plugins)
    return kette_tool_fail (error);
  g_autofree char *text = why       ? kette_plugins_explain (plugins, why)
                          : devices ? kette_plugins_devices_to_text (plugins)
                          : json    ? kette_plugins_to_json (plugins)
                                    : kette_plugins_to_text (plugins);
  kette_tool_print (text);
  return why && g_str_has_prefix (text, "no plugin has") ? KETTE_EXIT_FAULTS : 0;
}
