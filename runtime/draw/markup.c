/* SPDX-License-Identifier: Apache-2.0
 * The markup of mathematics, turned into runs that are placed one by one: no writer has to
 * know about superscripts, and no viewer's idea of them moves a symbol.
 *
 *   letters italic; digits, Greek, operators, brackets upright; - is a minus, ' a prime,
 *   * a middle dot; ^{..} _{..} one level deep, ^2 for one symbol; \sigma, \exp, \T;
 *   \frac{..}{..} on one line; \text{..} in sans, \mathrm{..} upright
 */
#include "draw/text.h"
#include <string.h>

#define SCRIPT_SIZE 0.7
#define RAISE 0.36
#define LOWER 0.18
#define BLANK 0.22 /* em: what a blank in the markup adds */
#define MAX_DEPTH 8

static const struct
{
  const char *name, *text;
  gboolean letter; /* a blank behind it ends the word, as in TeX; else it is a gap */
} words[] = {
  { "alpha", "\xce\xb1", TRUE },
  { "beta", "\xce\xb2", TRUE },
  { "gamma", "\xce\xb3", TRUE },
  { "delta", "\xce\xb4", TRUE },
  { "epsilon", "\xce\xb5", TRUE },
  { "eta", "\xce\xb7", TRUE },
  { "theta", "\xce\xb8", TRUE },
  { "lambda", "\xce\xbb", TRUE },
  { "mu", "\xce\xbc", TRUE },
  { "pi", "\xcf\x80", TRUE },
  { "rho", "\xcf\x81", TRUE },
  { "sigma", "\xcf\x83", TRUE },
  { "tau", "\xcf\x84", TRUE },
  { "phi", "\xcf\x86", TRUE },
  { "omega", "\xcf\x89", TRUE },
  { "Sigma", "\xce\xa3", TRUE },
  { "Phi", "\xce\xa6", TRUE },
  { "Pi", "\xce\xa0", TRUE },
  { "Delta", "\xce\x94", TRUE },
  { "partial", "\xe2\x88\x82", TRUE },
  { "half", "\xc2\xbd", TRUE },
  { "infty", "\xe2\x88\x9e", TRUE },
  { "top", "T", TRUE },
  { "lnot", "\xc2\xac", TRUE },
  { "backslash", "\\", TRUE },
  { "sum", "\xce\xa3", FALSE },
  { "cdot", "\xc2\xb7", FALSE },
  { "times", "\xc3\x97", FALSE },
  { "le", "\xe2\x89\xa4", FALSE },
  { "ge", "\xe2\x89\xa5", FALSE },
  { "ne", "\xe2\x89\xa0", FALSE },
  { "land", "and", FALSE },
  { "lor", "or", FALSE },
};

typedef struct
{
  GPtrArray *runs;
  double x, size;
  int script; /* 0, +1 raised, -1 lowered */
  int depth;  /* of open braces */
  struct
  {
    int script;           /* what comes back behind the brace */
    gboolean bracket;     /* a bracket closes with it */
    gboolean denominator; /* a denominator follows */
  } open[MAX_DEPTH];
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
put_text (Line *line, const char *p, KetteFont font)
{
  g_autoptr (GString) word = g_string_new (NULL);

  for (;; p++)
    {
      const gboolean end = !*p || *p == '}';

      if ((end || *p == ' ') && word->len)
        {
          put (line, font, word->str, -1);
          g_string_truncate (word, 0);
        }
      if (end)
        return *p ? p + 1 : p;
      if (*p == ' ')
        line->x += _kette_text_width (" ", font, line->size);
      else
        {
          if (*p == '\\' && p[1])
            p++;
          g_string_append_c (word, *p);
        }
    }
}

/* Is what stands at P, up to the brace that closes it, more than one number or symbol? */
static gboolean
is_compound (const char *p)
{
  int depth = 0, atoms = 0;
  char last = ' ';

  for (; *p && (*p != '}' || depth > 0); p++)
    {
      const gboolean same = (g_ascii_isdigit (*p) && g_ascii_isdigit (last))
                            || (g_ascii_isalpha (*p) && last == '\\');

      depth += *p == '{' ? 1 : *p == '}' ? -1 : 0;
      if (depth == 0 && *p != '^' && *p != '_' && *p != '}' && *p != '\\' && !same)
        atoms++;
      last = g_ascii_isalpha (*p) && last == '\\' ? '\\' : *p;
    }
  return atoms > 1;
}

/* Behind an opening brace; BRACKET: brackets stand for it if its content needs them. */
static void
push (Line *line, const char *p, gboolean bracket, gboolean denominator)
{
  const gboolean shown = bracket && is_compound (p);

  if (line->depth < MAX_DEPTH)
    {
      line->open[line->depth].script      = line->script;
      line->open[line->depth].bracket     = shown;
      line->open[line->depth].denominator = denominator;
    }
  line->depth++;
  if (shown)
    put (line, KETTE_FONT_SERIF, "(", 1);
}

/* At a closing brace; returns what comes next. */
static const char *
pop (Line *line, const char *p)
{
  gboolean denominator = FALSE;

  line->depth--;
  if (line->depth < MAX_DEPTH)
    {
      if (line->open[line->depth].bracket)
        put (line, KETTE_FONT_SERIF, ")", 1);
      line->script = line->open[line->depth].script;
      denominator  = line->open[line->depth].denominator;
    }
  if (!denominator || p[1] != '{')
    return p + 1;
  put (line, KETTE_FONT_SERIF, "/", 1);
  push (line, p + 2, TRUE, FALSE);
  return p + 2;
}

/* \word: a symbol, or a function's name in upright letters, \text{..}, \frac{..}{..}. */
static const char *
put_word (Line *line, const char *p)
{
  size_t n = 0;

  while (g_ascii_isalpha (p[n]))
    n++;
  if (g_str_has_prefix (p, "text{") || g_str_has_prefix (p, "mathrm{"))
    return put_text (line, strchr (p, '{') + 1,
                     *p == 't' ? KETTE_FONT_SANS : KETTE_FONT_SERIF);
  if (g_str_has_prefix (p, "frac{1}{2}"))
    {
      put (line, KETTE_FONT_SERIF, "\xc2\xbd", -1);
      return p + strlen ("frac{1}{2}");
    }
  if (g_str_has_prefix (p, "frac{") || g_str_has_prefix (p, "sqrt{"))
    {
      if (*p == 's')
        put (line, KETTE_FONT_SERIF, "\xe2\x88\x9a", -1);
      push (line, p + 5, TRUE, *p == 'f');
      return p + 5;
    }
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
        return p + n + (words[i].letter && p[n] == ' ');
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

/* One symbol, brace or blank at P; returns what comes next. */
static const char *
put_token (Line *line, const char *p)
{
  const char *next = g_utf8_next_char (p);

  if (*p == '{')
    push (line, next, FALSE, FALSE);
  else if (*p == '}' && line->depth > 0)
    return pop (line, p);
  else if (*p == '\\')
    return put_word (line, next);
  else if (*p == ' ')
    line->x += BLANK * line->size;
  else
    put_character (line, p, next);
  return next;
}

GPtrArray *
_kette_markup_runs (const char *markup, double size, double *width)
{
  Line line     = { .runs = g_ptr_array_new_with_free_func (run_free), .size = size };
  const char *p = markup;

  while (*p)
    {
      const int script = *p == '^' ? 1 : *p == '_' ? -1 : 0, before = line.script;

      if (script == 0 || p[1] == '\0' || p[1] == ' ')
        p = put_token (&line, p);
      else if (p[1] == '{')
        {
          push (&line, p + 2, FALSE, FALSE);
          line.script = before ? before : script;
          p += 2;
        }
      else /* a script of one symbol */
        {
          line.script = before ? before : script;
          p           = put_token (&line, p + 1);
          line.script = before;
        }
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
