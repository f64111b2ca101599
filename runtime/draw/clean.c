/* SPDX-License-Identifier: Apache-2.0
 * Names of a model are bytes that somebody else wrote. Here they become text that cannot
 * break out of a picture, reorder its neighbours or grow without end.
 */
#include "draw/text.h"
#include <string.h>

#define MAX_MARKS 2 /* combining marks in a row */
#define MAX_ID 64

static gboolean
is_unwanted (gunichar c)
{
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || c == 0x115f
         || c == 0x1160 || c == 0x180e || (c >= 0x200b && c <= 0x200f)
         || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0x3164
         || c == 0xfeff || c == 0xffa0 || (c >= 0xfff9 && c <= 0xfffb)
         || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef)
         || (c >= 0xe0000 && c <= 0xe0fff);
}

static gboolean
is_mark (gunichar c)
{
  const GUnicodeType type = g_unichar_type (c);

  return type == G_UNICODE_NON_SPACING_MARK || type == G_UNICODE_ENCLOSING_MARK
         || type == G_UNICODE_SPACING_MARK;
}

static char *
clean (const char *name, size_t characters, gboolean show)
{
  GString *out  = g_string_new (NULL);
  guint marks   = 0;
  const char *p = name;

  for (size_t n = 0; *p; n++)
    {
      /* At most 4 bytes are looked at: a name of a gigabyte costs as much as a short one. */
      const gunichar c      = g_utf8_get_char_validated (p, (gssize) strnlen (p, 4));
      const gboolean broken = c == (gunichar) -1 || c == (gunichar) -2;
      const gboolean mark   = !broken && is_mark (c);

      if (n == characters)
        {
          g_string_append (out, "\xe2\x80\xa6");
          break;
        }
      marks = mark ? marks + 1 : 0;
      if (!broken && !is_unwanted (c) && marks <= MAX_MARKS)
        g_string_append_unichar (out, c);
      else if (!show)
        g_string_append (out, "\xef\xbf\xbd");
      else if (broken)
        g_string_append_printf (out, "\\x%02x", (guchar) *p);
      else
        g_string_append_printf (out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
      p = broken ? p + 1 : g_utf8_next_char (p);
    }
  return g_string_free (out, FALSE);
}

char *
_kette_clean (const char *name, size_t characters)
{
  return clean (name, characters, FALSE);
}

char *
_kette_clean_title (const char *name, size_t characters)
{
  return clean (name, characters, TRUE);
}

char *
_kette_clean_id (const char *prefix, const char *name)
{
  GString *out = g_string_new (prefix);
  guint32 hash = 2166136261u; /* FNV-1a: fixed, for ids that stay the same */

  for (const guchar *p = (const guchar *) name; *p; p++)
    {
      hash = (hash ^ *p) * 16777619u;
      if (out->len > MAX_ID)
        continue;
      if (g_ascii_isalnum (*p) || *p == '.' || *p == '-')
        g_string_append_c (out, (char) *p);
      else
        g_string_append_printf (out, "_%02x", *p);
    }
  if (out->len > MAX_ID)
    {
      g_string_truncate (out, 51);
      g_string_append_printf (out, "-%08x", hash);
    }
  return g_string_free (out, FALSE);
}

void
_kette_xml_escape (GString *out, const char *text)
{
  for (const char *p = text; *p; p++)
    switch (*p)
      {
      case '&':
        g_string_append (out, "&amp;");
        break;
      case '<':
        g_string_append (out, "&lt;");
        break;
      case '>':
        g_string_append (out, "&gt;");
        break;
      case '"':
        g_string_append (out, "&quot;");
        break;
      case '\'':
        g_string_append (out, "&#39;");
        break;
      default:
        g_string_append_c (out, *p);
      }
}
