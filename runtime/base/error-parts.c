/* SPDX-License-Identifier: Apache-2.0
 * The parts of an error, for programs that show more than its text.
 */
#include "base/error.h"
#include <string.h>

const char *
kette_error_get_file (const GError *error)
{
  const KetteErrorParts *parts = _kette_error_parts (error);

  return parts ? parts->file : NULL;
}

const char *
kette_error_get_where (const GError *error)
{
  const KetteErrorParts *parts = _kette_error_parts (error);

  return parts ? parts->where : NULL;
}

const char *
kette_error_get_what (const GError *error)
{
  const KetteErrorParts *parts = _kette_error_parts (error);

  return parts ? parts->what : NULL;
}

int
kette_error_get_errno (const GError *error)
{
  const KetteErrorParts *parts = _kette_error_parts (error);

  return parts ? parts->number : 0;
}

gint64
kette_error_get_byte (const GError *error)
{
  const char *where = kette_error_get_where (error);
  const char *digits;
  char *end;
  gint64 at;

  if (!where || !g_str_has_prefix (where, "byte "))
    return -1;
  digits = where + strlen ("byte ");
  at     = g_ascii_strtoll (digits, &end, 10);
  return end > digits && !*end ? at : -1;
}

/* The end of the quoted text that begins at S, behind its closing quote. */
static const char *
skip_quoted (const char *s)
{
  for (s++; *s && *s != '"'; s++)
    if (*s == '\\' && s[1])
      s++;
  return *s ? s + 1 : s;
}

/* The word behind the last KEY that stands outside quotes: quoted text as it is in the line,
 * or what goes up to one of STOP. */
static char *
last_word (const char *where, const char *key, const char *stop)
{
  const char *found = NULL, *end;

  for (const char *s = where; s && *s;)
    if (*s == '"')
      s = skip_quoted (s);
    else if (g_str_has_prefix (s, key))
      found = s += strlen (key);
    else
      s++;
  if (!found)
    return NULL;
  if (*found == '"')
    {
      end = skip_quoted (found);
      return g_strndup (found + 1, (gsize) MAX (end - found - 2, 0));
    }
  return g_strndup (found, strcspn (found, stop));
}

char *
kette_error_dup_node (const GError *error)
{
  return last_word (kette_error_get_where (error), "node ", " ,");
}

char *
kette_error_dup_operator (const GError *error)
{
  return last_word (kette_error_get_where (error), " (", ")");
}

char *
kette_error_dup_value (const GError *error)
{
  static const char *const keys[] = { "initializer ", "input ", "output ", "value " };
  const char *where               = kette_error_get_where (error);
  char *name                      = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (keys) && !name; i++)
    name = last_word (where, keys[i], " ,");
  return name;
}
