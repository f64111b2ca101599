/* SPDX-License-Identifier: Apache-2.0
 * Small texts that several floors write.
 */
#include "base/text.h"
#include <string.h>

void
_kette_json_string (GString *out, const char *s)
{
  g_autofree char *valid = g_utf8_make_valid (s ? s : "", -1);

  g_string_append_c (out, '"');
  for (const char *p = valid; *p; p++)
    if (*p == '"' || *p == '\\')
      g_string_append_printf (out, "\\%c", *p);
    else if ((unsigned char) *p < 0x20 || *p == 0x7f)
      g_string_append_printf (out, "\\u%04x", (unsigned char) *p);
    else
      g_string_append_c (out, *p);
  g_string_append_c (out, '"');
}

const char *
_kette_base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}
