/* SPDX-License-Identifier: Apache-2.0
 * What the thread is doing in a plugin, as a text. The process may be about to die: nothing
 * here allocates, locks or goes through stdio.
 */
#include "base/running.h"
#include "base/error.h"
#include <string.h>

_Thread_local const KetteRunning *_kette_running;

typedef struct
{
  char *out;
  gsize size, n;
} Line;

static void
add (Line *line, const char *text)
{
  while (*text && line->n + 1 < line->size)
    line->out[line->n++] = *text++;
}

static void
add_quoted (Line *line, const char *text)
{
  KetteQuoted quoted;

  add (line, _kette_quote (&quoted, text));
}

static void
add_number (Line *line, guint32 number)
{
  char digits[12];
  int at = (int) sizeof digits - 1;

  digits[at] = '\0';
  do
    digits[--at] = (char) ('0' + number % 10);
  while ((number /= 10) > 0);
  add (line, digits + at);
}

gsize
_kette_running_text (char *out, gsize size)
{
  const KetteRunning *running = _kette_running;
  Line line                   = { out, size, 0 };
  const char *slash;

  if (size == 0)
    return 0;
  if (running)
    {
      slash = strrchr (running->plugin, '/');
      add (&line, "plugin ");
      add_quoted (&line, slash ? slash + 1 : running->plugin);
      if (running->node)
        {
          add (&line, *running->node ? ", node " : ", node #");
          if (*running->node)
            add_quoted (&line, running->node);
          else
            add_number (&line, running->index);
          add (&line, " (");
          add (&line, running->op);
          add (&line, ")");
        }
      if (running->task)
        {
          add (&line, ", ");
          add (&line, running->task);
        }
    }
  out[line.n] = '\0';
  return line.n;
}
