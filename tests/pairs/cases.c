/* SPDX-License-Identifier: Apache-2.0
 * Reads files of pairs.
 */
#include "cases.h"
#include "message.h"
#include "onnx.pb-c.h"
#include <string.h>

static const char *const stages[STAGES]  = { "load", "infer", "run" };
static const char *const reaches[STAGES] = { "loads", "infers", "runs" };

static void
line_free (gpointer data)
{
  Line *line = data;

  g_free (line->text);
  g_free (line->where);
  g_free (line);
}

static void
pair_free (gpointer data)
{
  Pair *pair = data;

  g_free (pair->name);
  g_free (pair->quote);
  g_free (pair->where);
  g_free (pair->base);
  g_free (pair->error);
  g_ptr_array_unref (pair->fault.lines);
  g_ptr_array_unref (pair->good.lines);
  g_free (pair);
}

void
cases_free (Cases *self)
{
  g_hash_table_unref (self->bases);
  g_ptr_array_unref (self->pairs);
  g_free (self);
}

/* The lines of FILE, continued ones joined, without comments and empty ones. */
static GPtrArray *
read_lines (const char *file)
{
  GPtrArray *lines         = g_ptr_array_new_with_free_func (line_free);
  g_autofree char *text    = NULL;
  g_autofree char *name    = g_path_get_basename (file);
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) split     = NULL;

  if (!g_file_get_contents (file, &text, NULL, &error))
    g_error ("%s", error->message);
  split = g_strsplit (text, "\n", -1);
  for (gsize i = 0; split[i]; i++)
    {
      const gsize indent = strspn (split[i], " ");
      Line *last         = lines->len ? lines->pdata[lines->len - 1] : NULL;
      Line *line;

      if (split[i][indent] == '\0' || split[i][indent] == '#')
        continue;
      if (indent > 4 && last)
        {
          char *joined = g_strconcat (last->text, " ", split[i] + indent, NULL);

          g_free (last->text);
          last->text = joined;
          continue;
        }
      line        = g_new (Line, 1);
      line->text  = g_strdup (split[i]);
      line->where = g_strdup_printf ("%s:%zu", name, i + 1);
      g_ptr_array_add (lines, line);
    }
  return lines;
}

static Pair *
new_pair (const Line *line, const char *base)
{
  Pair *pair       = g_new0 (Pair, 1);
  const char *text = line->text + strlen ("pair ");
  const gsize n    = strcspn (text, " ");

  pair->name        = g_strndup (text, n);
  pair->quote       = g_strdup (g_strchug ((char *) text + n));
  pair->where       = g_strdup (line->where);
  pair->base        = g_strdup (base ? base : "");
  pair->fault.lines = g_ptr_array_new_with_free_func (line_free);
  pair->good.lines  = g_ptr_array_new_with_free_func (line_free);
  pair->reach       = STAGE_RUN;
  return pair;
}

/* The text behind WORD, or NULL. */
static const char *
behind (const char *text, const char *word)
{
  const gsize n = strlen (word);

  if (strncmp (text, word, n) != 0 || (text[n] != ' ' && text[n] != '\0'))
    return NULL;
  return text[n] ? text + n + 1 : text + n;
}

static void
pair_line (Pair *pair, const Line *line)
{
  const char *text = line->text + strspn (line->text, " "), *rest;
  Line *copy;

  if (strcmp (text, "good") == 0)
    {
      pair->has_good = TRUE;
      return;
    }
  if ((rest = behind (text, "of")))
    {
      g_free (pair->base);
      pair->base = g_strdup (rest);
      return;
    }
  for (int i = 0; i < STAGES; i++)
    {
      if (strcmp (text, reaches[i]) == 0)
        {
          pair->reach = (Stage) i;
          return;
        }
      if (!(rest = behind (text, stages[i])))
        continue;
      if (pair->error)
        g_error ("%s: a second error", line->where);
      pair->stage = (Stage) i;
      pair->error = g_strdup (rest);
      return;
    }
  copy        = g_new (Line, 1);
  copy->text  = g_strdup (text);
  copy->where = g_strdup (line->where);
  g_ptr_array_add (pair->has_good ? pair->good.lines : pair->fault.lines, copy);
}

/* The base NAME, out of all its lines. */
static void
add_base (Cases *self, const char *name, const GString *text, const char *where)
{
  Message *message = message_new (&onnx__model_proto__descriptor);

  message_parse (message, text->str, where);
  g_hash_table_insert (self->bases, g_strdup (name), message);
}

Cases *
cases_read (const char *file)
{
  Cases *self                 = g_new0 (Cases, 1);
  g_autoptr (GPtrArray) lines = read_lines (file);
  g_autoptr (GString) text    = g_string_new (NULL); /* of the base that is read */
  const char *base = NULL, *where = NULL;
  Pair *pair = NULL;

  self->bases = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify) message_free);
  self->pairs = g_ptr_array_new_with_free_func (pair_free);
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line     = lines->pdata[i];
      const char *new_base = behind (line->text, "base");

      if (*line->text == ' ' && pair)
        pair_line (pair, line);
      else if (*line->text == ' ' && base)
        g_string_append (text, line->text);
      else if (new_base)
        {
          base  = new_base;
          where = line->where;
          pair  = NULL;
          g_string_truncate (text, 0);
        }
      else if (behind (line->text, "pair"))
        {
          if (!pair && base)
            add_base (self, base, text, where);
          pair = new_pair (line, base);
          g_ptr_array_add (self->pairs, pair);
        }
      else
        g_error ("%s: neither \"base\" nor \"pair\"", line->where);
    }
  return self;
}
