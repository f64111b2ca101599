/* SPDX-License-Identifier: Apache-2.0
 * Text widths from a committed table: Liberation Sans and Serif, which have the metrics of
 * Arial and Times New Roman. No font is looked up, so that a picture is the same everywhere.
 */
#include "draw/text.h"
#include "draw/widths.inc"

static const struct
{
  gunichar first, last;
  guint place;
} ranges[] = { RANGES };

static const guint16 widths[KETTE_N_FONTS][N_WIDTHS]
    = { { SANS },  { SANS_BOLD },  { SANS_ITALIC },
        { SERIF }, { SERIF_BOLD }, { SERIF_ITALIC } };

#define EM 2048

static guint
character_width (gunichar c, KetteFont font)
{
  for (size_t i = 0; i < G_N_ELEMENTS (ranges); i++)
    if (c >= ranges[i].first && c <= ranges[i].last)
      {
        const guint width = widths[font][ranges[i].place + (c - ranges[i].first)];

        return width ? width : EM;
      }
  /* Not in the table: some other font will print it, at most an em wide in practice. */
  return g_unichar_iszerowidth (c) ? 0 : EM;
}

double
_kette_text_width (const char *text, KetteFont font, double size)
{
  guint64 units = 0;

  for (const char *p = text; *p; p = g_utf8_next_char (p))
    units += character_width (g_utf8_get_char (p), font);
  return (double) units * size / EM;
}

/* The first HEAD and the last TAIL characters of TEXT, which has N, with an ellipsis between. */
static char *
join_ends (const char *text, glong n, glong head, glong tail)
{
  const char *head_end   = g_utf8_offset_to_pointer (text, head);
  const char *tail_start = g_utf8_offset_to_pointer (text, n - tail);
  GString *out           = g_string_new_len (text, head_end - text);

  g_string_append (out, "\xe2\x80\xa6");
  g_string_append (out, tail_start);
  return g_string_free (out, FALSE);
}

char *
_kette_text_cut (const char *text, size_t characters)
{
  const glong n = g_utf8_strlen (text, -1), keep = (glong) characters - 1;

  if (n <= keep + 1)
    return g_strdup (text);
  return join_ends (text, n, (keep + 1) / 2, keep / 2);
}

char *
_kette_text_fit (const char *text, KetteFont font, double size, double width)
{
  const glong n = g_utf8_strlen (text, -1);

  if (_kette_text_width (text, font, size) <= width)
    return g_strdup (text);
  for (glong keep = MIN (n - 1, 200); keep > 0; keep--)
    {
      char *cut = join_ends (text, n, (keep + 1) / 2, keep / 2);

      if (_kette_text_width (cut, font, size) <= width)
        return cut;
      g_free (cut);
    }
  return g_strdup ("\xe2\x80\xa6");
}
