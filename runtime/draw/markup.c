/* SPDX-License-Identifier: Apache-2.0
 * The markup of mathematics, turned into runs that are placed one by one: no writer has to
 * know about superscripts, and no viewer's idea of them moves a symbol.
 *
 *   letters italic; digits, Greek, operators, brackets upright; - is a minus, ' a prime,
 *   * a middle dot; ^{..} _{..} one level deep; \sigma, \exp, \T; \text{..} in sans; a
 *   blank is a thin gap, but the first behind a word such as \sigma only ends the word
 */
#include "draw/text.h"
#include <string.h>

#define SCRIPT_SIZE 0.7
#define RAISE 0.36
#define LOWER 0.18
#define BLANK 0.22 /* em: what a blank in the markup adds */

static const struct
{
  const char *name, *text;
} words[] = {
  { "alpha", "\xce\xb1" },    { "beta", "\xce\xb2" },      { "gamma", "\xce\xb3" },
  { "delta", "\xce\xb4" },    { "epsilon", "\xce\xb5" },   { "eta", "\xce\xb7" },
  { "theta", "\xce\xb8" },    { "lambda", "\xce\xbb" },    { "mu", "\xce\xbc" },
  { "pi", "\xcf\x80" },       { "rho", "\xcf\x81" },       { "sigma", "\xcf\x83" },
  { "tau", "\xcf\x84" },      { "phi", "\xcf\x86" },       { "omega", "\xcf\x89" },
  { "Sigma", "\xce\xa3" },    { "sum", "\xce\xa3" },       { "Phi", "\xce\xa6" },
  { "Pi", "\xce\xa0" },       { "Delta", "\xce\x94" },     { "partial", "\xe2\x88\x82" },
  { "cdot", "\xc2\xb7" },     { "times", "\xc3\x97" },     { "half", "\xc2\xbd" },
  { "sqrt", "\xe2\x88\x9a" }, { "le", "\xe2\x89\xa4" },    { "ge", "\xe2\x89\xa5" },
  { "ne", "\xe2\x89\xa0" },   { "infty", "\xe2\x88\x9e" }, { "T", "T" },
  { "backslash", "\\" },
};

typedef struct
{
  GPtrArray *runs;
  double x, size;
  int script; /* 0, +1 raised, -1 lowered */
} Line;

static void
run_free (gpointer data)
{
  KetteTextRun *run = data;

  g_free (run->text);
  g_free (run);
}

/* Appends TEXT; neighbours in the same font, size and height become one run. */
static void
put (Line *line, KetteFont font, const char *text, gssize n)
{
  const double size      = line->script ? line->size * SCRIPT_SIZE : line->size;
  const double dy        = line->script > 0   ? -RAISE * line->size
                           : line->script < 0 ? LOWER * line->size
                                              : 0;
  g_autofree char *piece = g_strndup (text, n < 0 ? strlen (text) : (gsize) n);
  KetteTextRun *last = line->runs->len ? line->runs->pdata[line->runs->len - 1] : NULL;

  if (last && last->font == font && last->size == size && last->dy == dy
      && last->x + _kette_text_width (last->text, font, size) == line->x)
    {
      char *joined = g_strconcat (last->text, piece, NULL);

      g_free (last->text);
      last->text = joined;
      line->x    = last->x + _kette_text_width (joined, font, size);
      return;
    }
  KetteTextRun *run = g_new0 (KetteTextRun, 1);

  *run = (KetteTextRun){ line->x, dy, size, font, g_steal_pointer (&piece) };
  g_ptr_array_add (line->runs, run);
  line->x += _kette_text_width (run->text, font, size);
}

/* The text in braces at P, to the closing one; \} and \\ are plain characters. Blanks move
 * on and are never printed: some programs drop them at a run's end. */
static const char *
put_text (Line *line, const char *p)
{
  g_autoptr (GString) word = g_string_new (NULL);

  for (;; p++)
    {
      const gboolean end = !*p || *p == '}';

      if ((end || *p == ' ') && word->len)
        {
          put (line, KETTE_FONT_SANS, word->str, -1);
          g_string_truncate (word, 0);
        }
      if (end)
        return *p ? p + 1 : p;
      if (*p == ' ')
        line->x += _kette_text_width (" ", KETTE_FONT_SANS, line->size);
      else
        {
          if (*p == '\\' && p[1])
            p++;
          g_string_append_c (word, *p);
        }
    }
}

/* \word: a symbol, a function's name in upright letters, or \text{..}. */
static const char *
put_word (Line *line, const char *p)
{
  size_t n = 0;

  while (g_ascii_isalpha (p[n]))
    n++;
  if (n == 4 && strncmp (p, "text", 4) == 0 && p[4] == '{')
    return put_text (line, p + 5);
  if (n == 1 && *p == 'T') /* transpose: a raised upright T */
    {
      const int script = line->script;

      line->script = 1;
      put (line, KETTE_FONT_SERIF, "T", 1);
      line->script = script;
      return p + 1;
    }
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    if (strlen (words[i].name) == n && strncmp (words[i].name, p, n) == 0)
      {
        put (line, KETTE_FONT_SERIF, words[i].text, -1);
        return p + n;
      }
  if (n == 0)
    {
      put (line, KETTE_FONT_SERIF, "\\", 1);
      return p;
    }
  put (line, KETTE_FONT_SERIF, p, (gssize) n);
  return p + n;
}

static void
put_character (Line *line, const char *p, const char *next)
{
  if (g_ascii_isalpha (*p))
    put (line, KETTE_FONT_SERIF_ITALIC, p, 1);
  else if (*p == '-')
    put (line, KETTE_FONT_SERIF, "\xe2\x88\x92", -1);
  else if (*p == '\'')
    put (line, KETTE_FONT_SERIF, "\xe2\x80\xb2", -1);
  else if (*p == '*')
    put (line, KETTE_FONT_SERIF, "\xc2\xb7", -1);
  else
    put (line, KETTE_FONT_SERIF, p, next - p);
}

GPtrArray *
_kette_markup_runs (const char *markup, double size, double *width)
{
  Line line     = { g_ptr_array_new_with_free_func (run_free), 0, size, 0 };
  const char *p = markup;

  while (*p)
    {
      const char *next = g_utf8_next_char (p);

      if ((*p == '^' || *p == '_') && p[1] == '{' && line.script == 0)
        {
          line.script = *p == '^' ? 1 : -1;
          next        = p + 2;
        }
      else if (*p == '}' && line.script)
        line.script = 0;
      else if (*p == '\\')
        {
          next = put_word (&line, p + 1);
          if (*next == ' ') /* ends the word, as in TeX */
            next++;
        }
      else if (*p == ' ')
        line.x += BLANK * size;
      else
        put_character (&line, p, next);
      p = next;
    }
  if (width)
    *width = line.x;
  return line.runs;
}

double
_kette_markup_width (const char *markup, double size)
{
  double width;

  g_ptr_array_unref (_kette_markup_runs (markup, size, &width));
  return width;
}

char *
_kette_markup_text (const char *text)
{
  GString *out = g_string_new ("\\text{");

  for (const char *p = text; *p; p++)
    {
      if (*p == '}' || *p == '\\')
        g_string_append_c (out, '\\');
      g_string_append_c (out, *p);
    }
  g_string_append_c (out, '}');
  return g_string_free (out, FALSE);
}

char *
_kette_markup_plain (const char *markup)
{
  GString *out               = g_string_new (NULL);
  g_autoptr (GPtrArray) runs = _kette_markup_runs (markup, 1, NULL);
  double end = 0, level = 0;

  for (guint i = 0; i < runs->len; i++)
    {
      const KetteTextRun *run = runs->pdata[i];

      if (run->x > end + 0.1)
        g_string_append_c (out, ' ');
      if (run->dy != level && run->dy != 0)
        g_string_append_c (out, run->dy < 0 ? '^' : '_');
      g_string_append (out, run->text);
      level = run->dy;
      end   = run->x + _kette_text_width (run->text, run->font, run->size);
    }
  return g_string_free (out, FALSE);
}
