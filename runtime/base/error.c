/* SPDX-License-Identifier: Apache-2.0
 * Errors: codes and their names, the one line of at most 1,024 bytes, quoting of text that
 * comes from a file.
 */
#include "base/error.h"
#include <string.h>

enum
{
  LINE_MOST  = 1024,
  WHERE_MOST = 600, /* so that there is room for what is wrong */
  FILE_MOST  = 400,
  QUOTE_MOST = 80
};

typedef KetteErrorParts KetteErrorPrivate;

static void
kette_error_private_init (KetteErrorPrivate *self)
{
  *self = (KetteErrorPrivate){ 0 };
}

static void
kette_error_private_copy (const KetteErrorPrivate *from, KetteErrorPrivate *to)
{
  *to       = *from;
  to->file  = g_strdup (from->file);
  to->where = g_strdup (from->where);
  to->what  = g_strdup (from->what);
}

static void
kette_error_private_clear (KetteErrorPrivate *self)
{
  g_free (self->file);
  g_free (self->where);
  g_free (self->what);
}

G_DEFINE_EXTENDED_ERROR (KetteError, kette_error)

const KetteErrorParts *
_kette_error_parts (const GError *error)
{
  return error && error->domain == KETTE_ERROR ? kette_error_get_private (error) : NULL;
}

const char *
_kette_error_code_name (KetteErrorCode code)
{
  static const char *const names[] = {
    [KETTE_ERROR_FORMAT]      = "format",
    [KETTE_ERROR_GRAPH]       = "graph",
    [KETTE_ERROR_UNSUPPORTED] = "unsupported",
    [KETTE_ERROR_ATTR]        = "attr",
    [KETTE_ERROR_TENSOR]      = "tensor",
    [KETTE_ERROR_TYPE]        = "type",
    [KETTE_ERROR_SHAPE]       = "shape",
    [KETTE_ERROR_VALUE]       = "value",
    [KETTE_ERROR_IO]          = "io",
    [KETTE_ERROR_PATH]        = "path",
    [KETTE_ERROR_LIMIT]       = "limit",
    [KETTE_ERROR_MEMORY]      = "memory",
    [KETTE_ERROR_TIMEOUT]     = "timeout",
    [KETTE_ERROR_CANCEL]      = "cancel",
    [KETTE_ERROR_PLUGIN]      = "plugin",
    [KETTE_ERROR_DEVICE]      = "device",
    [KETTE_ERROR_INTERNAL]    = "internal",
  };

  return (size_t) code < G_N_ELEMENTS (names) ? names[code] : names[KETTE_ERROR_INTERNAL];
}

/* Length of the character at S of at most N bytes that may stand in a line as it is; 0: the
 * byte has to be escaped. Besides control characters these are the ones that end lines or
 * turn the direction of writing. */
static size_t
printable (const char *s, size_t n)
{
  const gunichar c = g_utf8_get_char_validated (s, (gssize) MIN (n, 6));

  if (c == (gunichar) -1 || c == (gunichar) -2)
    return 0;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f
      || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff)
    return 0;
  return (size_t) (g_utf8_next_char (s) - s);
}

/* Cuts TEXT, of N bytes, to at most MOST bytes, at a border of characters, ending in "...".
 * TEXT is UTF-8. */
static void
cut (char *text, size_t n, size_t most)
{
  if (n <= most)
    return;
  n = most - 3;
  while (n > 0 && ((guchar) text[n] & 0xc0) == 0x80)
    n--;
  memcpy (text + n, "...", 4);
}

/* Whatever went wrong before: the line is one line of UTF-8. */
static void
make_plain (char *text)
{
  size_t n = strlen (text);

  while (n > 0)
    {
      const size_t k = printable (text, n);

      if (k == 0)
        *text = '?';
      text += MAX (k, 1);
      n -= MAX (k, 1);
    }
}

static void G_GNUC_PRINTF (4, 0)
    set_error (GError **error, KetteErrorCode code, const char *where, const char *format,
               va_list args)
{
  char text[2 * LINE_MOST];
  const char *name = _kette_error_code_name (code);
  KetteErrorPrivate *parts;
  int at, n;

  if (!error || *error) /* the first error is the one that is told */
    return;
  if (where && *where)
    {
      char shorter[WHERE_MOST + 1];

      g_strlcpy (shorter, where, sizeof shorter);
      cut (shorter, strlen (where), WHERE_MOST);
      at = g_snprintf (text, LINE_MOST, "%s: %s: ", name, shorter);
    }
  else
    at = g_snprintf (text, LINE_MOST, "%s: ", name);
  at = MIN (at, LINE_MOST - 1);
  n  = g_vsnprintf (text + at, LINE_MOST, format, args);
  (void) n;
  make_plain (text);
  cut (text, strlen (text), LINE_MOST);
  *error       = g_error_new_literal (KETTE_ERROR, (gint) code, text);
  parts        = kette_error_get_private (*error);
  parts->where = where && *where ? g_strdup (where) : NULL;
  parts->what  = g_strdup (strlen (text) > (size_t) at ? text + at : "");
}

gboolean
_kette_fail (GError **error, KetteErrorCode code, const char *where, const char *format,
             ...)
{
  va_list args;

  va_start (args, format);
  set_error (error, code, where, format, args);
  va_end (args);
  return FALSE;
}

gboolean
_kette_fail_errno_hint (GError **error, int number, const char *where, const char *what,
                        const char *hint)
{
  const gboolean first = error && !*error;

  _kette_fail (error, KETTE_ERROR_IO, where, "%s: %s%s%s", what, g_strerror (number),
               hint ? "; " : "", hint ? hint : "");
  if (first)
    kette_error_get_private (*error)->number = number;
  return FALSE;
}

gboolean
_kette_fail_errno (GError **error, int number, const char *where, const char *what)
{
  return _kette_fail_errno_hint (error, number, where, what, NULL);
}

/* A path as it may stand in a line; of a long one, the end. */
static void
plain_path (char *out, size_t size, const char *path)
{
  static const char hex[] = "0123456789abcdef";
  size_t n = strlen (path), at = 0;

  if (n > FILE_MOST)
    {
      path += n - FILE_MOST;
      n = FILE_MOST;
      while (n > 0 && ((guchar) *path & 0xc0) == 0x80)
        path++, n--;
      memcpy (out, "...", 3);
      at = 3;
    }
  while (n > 0 && at + 8 < size)
    {
      const size_t k = printable (path, n);

      if (k > 0)
        memcpy (out + at, path, k);
      else
        memcpy (out + at,
                (const char[]){ '\\', 'x', hex[(guchar) *path >> 4], hex[*path & 15] },
                4);
      at += k > 0 ? k : 4;
      path += MAX (k, 1);
      n -= MAX (k, 1);
    }
  out[at] = '\0';
}

void
_kette_error_in_file (GError **error, const char *file)
{
  KetteErrorPrivate *private;
  char name[4 * FILE_MOST + 16];
  char *text;

  if (!error || !*error || (*error)->domain != KETTE_ERROR || !file)
    return;
  private = kette_error_get_private (*error);
  if (private->file)
    return;
  plain_path (name, sizeof name, file);
  cut (name, strlen (name), FILE_MOST + 3);
  text = g_strdup_printf ("%s: %s", name, (*error)->message);
  cut (text, strlen (text), LINE_MOST);
  g_free ((*error)->message);
  (*error)->message = text;
  private->file     = g_strdup (file);
}

const char *
_kette_quote_n (KetteQuoted *out, const char *s, size_t n)
{
  static const char hex[] = "0123456789abcdef";
  size_t at = 0, units = 0;

  out->text[at++] = '"';
  for (; n > 0 && units < QUOTE_MOST; units++)
    {
      const size_t k = printable (s, n);

      if (k == 0)
        {
          out->text[at++] = '\\';
          out->text[at++] = 'x';
          out->text[at++] = hex[(guchar) *s >> 4];
          out->text[at++] = hex[*s & 15];
          s++, n--;
          continue;
        }
      if (*s == '"' || *s == '\\')
        out->text[at++] = '\\';
      memcpy (out->text + at, s, k);
      at += k;
      s += k;
      n -= k;
    }
  if (n > 0)
    {
      memcpy (out->text + at, "...", 3);
      at += 3;
    }
  out->text[at++] = '"';
  out->text[at]   = '\0';
  return out->text;
}

const char *
_kette_quote (KetteQuoted *out, const char *s)
{
  return _kette_quote_n (out, s ? s : "", s ? strlen (s) : 0);
}
