/* SPDX-License-Identifier: Apache-2.0
 * Changes of a message: one line each.
 */
#include "message-private.h"
#include <string.h>

/* The I-th entry of a field; -1: there is none. */
static gint
find_entry (const Message *m, guint64 number, gint i)
{
  for (guint k = 0; k < m->entries->len; k++)
    {
      const Entry *e = &g_array_index (m->entries, Entry, k);

      if (e->wire != WIRE_RAW && e->number == number && i-- == 0)
        return (gint) k;
    }
  return -1;
}

/* "[2]" behind a name; -1: not given. */
static gint
text_position (Text *t)
{
  gint i = 0;

  if (*t->p != '[')
    return -1;
  for (t->p++; g_ascii_isdigit (*t->p); t->p++)
    i = i * 10 + (*t->p - '0');
  if (*t->p++ != ']')
    text_fail (t, "\"]\" is missing");
  return i;
}

/* Walks along "graph.node[1]" or ".". */
static Message *
text_path (Text *t, Message *m)
{
  text_blanks (t);
  if (*t->p == '.')
    {
      t->p++;
      return m;
    }
  for (;;)
    {
      g_autofree char *name                 = text_word (t);
      const ProtobufCFieldDescriptor *field = message_field (t, m, name);
      const gint position                   = text_position (t);
      const gint at = find_entry (m, field->id, MAX (position, 0));

      if (at < 0 || !g_array_index (m->entries, Entry, at).message)
        g_error ("%s: there is no message %s[%d]", t->where, name, MAX (position, 0));
      m = g_array_index (m->entries, Entry, at).message;
      if (*t->p != '.')
        return m;
      t->p++;
    }
}

/* Takes out entry POSITION of a field, or all; returns where the first one stood. */
static guint
remove_entries (Message *m, guint64 number, gint position)
{
  guint first = m->entries->len;
  gint at;

  while ((at = find_entry (m, number, MAX (position, 0))) >= 0)
    {
      first = MIN (first, (guint) at);
      g_array_remove_index (m->entries, (guint) at);
      if (position >= 0)
        break;
    }
  return first;
}

/* Moves the entries from END on to AT. */
static void
move_entries (Message *m, guint end, guint at)
{
  g_autofree Entry *moved = NULL;
  const guint n           = m->entries->len - end;

  if (n == 0 || at >= end)
    return;
  moved = g_memdup2 (&g_array_index (m->entries, Entry, end), n * sizeof (Entry));
  memset (&g_array_index (m->entries, Entry, end), 0, n * sizeof (Entry));
  g_array_set_size (m->entries, end);
  g_array_insert_vals (m->entries, at, moved, n);
}

void
message_edit (Message *m, const char *line, const char *where)
{
  Text t                = { .p = line, .where = where, .index = -1 };
  g_autofree char *verb = text_word (&t), *name = NULL, *rest = NULL;
  Message *at = text_path (&t, m);
  gint position;
  guint place, end;

  if (strcmp (verb, "add") == 0)
    {
      message_parse (at, t.p, where);
      return;
    }
  name     = text_word (&t);
  position = text_position (&t);
  place    = remove_entries (at, message_field (&t, at, name)->id, position);
  if (strcmp (verb, "del") == 0)
    return;
  if (strcmp (verb, "set") != 0)
    g_error ("%s: \"%s\" is no edit", where, verb);
  end  = at->entries->len;
  rest = g_strconcat (name, " ", t.p, NULL);
  message_parse (at, rest, where);
  move_entries (at, end, place);
}
