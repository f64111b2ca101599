/* SPDX-License-Identifier: Apache-2.0
 * What placement by cost chose, as text: a line "DEVICE NAME" per node, NAME being its first
 * output's, with \ and line ends escaped. A training step chooses once, with its first batch; what
 * a checkpoint says comes before it.
 */
#include "exec/plan.h"
#include <string.h>

struct _KetteChoice
{
  char *given; /* as text */
  char *text;  /* the same, cut into words */
  KetteNames *units;
};

static const char *
key_of (const KetteNode *node)
{
  return node->n_out && node->out[0] ? node->out[0]->name : NULL;
}

char *
_kette_line_write (char *to, const char *text)
{
  for (; *text; text++)
    if (*text == '\n' || *text == '\\')
      {
        *to++ = '\\';
        *to++ = *text == '\n' ? 'n' : '\\';
      }
    else
      *to++ = *text;
  return to;
}

gboolean
_kette_line_read (char **at, gboolean *complete)
{
  char *from = *at, *to = from;

  for (; *from && *from != '\n'; from++)
    {
      const gboolean escaped = *from == '\\';
      if (escaped && *++from != 'n' && *from != '\\')
        return FALSE;
      *to++ = escaped && *from == 'n' ? '\n' : *from;
    }
  *complete = *from == '\n';
  *at       = from + *complete;
  *to       = '\0';
  return TRUE;
}

static char *
write_line (char *to, const char *device, const char *name)
{
  to    = g_stpcpy (to, device);
  *to++ = ' ';
  to    = _kette_line_write (to, name);
  *to++ = '\n';
  return to;
}

gboolean
_kette_choice_note (KettePlan *plan, GError **error)
{
  const KetteGraph *g = plan->graph;
  size_t bytes        = 1;
  char *to;

  for (size_t i = 0; i < g->n_nodes; i++)
    if (key_of (g->nodes[i]))
      bytes += 2 * strlen (key_of (g->nodes[i])) + sizeof (plan->places->units[1]->name)
               + 2;
  if (!(to = plan->choice = _kette_alloc (_kette_account_process (), bytes, 1, error)))
    return FALSE;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteUnit *unit = _kette_plan_unit (plan, g->nodes[i]->unit);
      if (key_of (g->nodes[i]))
        to = write_line (to, unit ? unit->name : "cpu", key_of (g->nodes[i]));
    }
  *to = '\0';
  return TRUE;
}

/* Cuts the next line at *AT, number NTH, into its words. */
static gboolean
next_line (char **at, size_t nth, char **device, char **name, GError **error)
{
  const size_t n    = strcspn (*at, " \n");
  gboolean complete = FALSE;

  *device = *at;
  *name   = *at + n;
  if (n > 0 && **name == ' ')
    {
      *(*name)++ = '\0';
      *at        = *name;
      if (_kette_line_read (at, &complete) && complete)
        return TRUE;
    }
  return _kette_fail (
      error, KETTE_ERROR_FORMAT, NULL,
      "metadata kette.placement, line %zu: must be DEVICE NAME and a line "
      "end",
      nth);
}

static gboolean
read_lines (KetteChoice *c, KettePlaces *places, GError **error)
{
  char *at = c->text, *device, *name;

  for (size_t nth = 1; *at; nth++)
    {
      uint32_t unit;
      if (!next_line (&at, nth, &device, &name, error)
          || !_kette_places_unit (places, device, &unit, error)
          || !_kette_names_set (c->units, name, &places->units[unit], error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kette_places_choose (KettePlaces *places, const char *text, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteChoice *c        = _kette_alloc (account, 1, sizeof *c, error);
  const size_t n        = strlen (text) + 1;

  if (c && (c->units = _kette_names_new (error))
      && (c->given = _kette_alloc (account, n, 1, error))
      && (c->text = _kette_alloc (account, n, 1, error)))
    {
      memcpy (c->given, text, n);
      memcpy (c->text, text, n);
      if (read_lines (c, places, error))
        {
          places->choice = c;
          return TRUE;
        }
    }
  _kette_choice_free (c);
  return FALSE;
}

gboolean
_kette_places_chosen (const KettePlaces *places, const KetteNode *node, uint32_t *unit)
{
  KetteUnit *const *found = places->choice && key_of (node)
                                ? _kette_names_get (places->choice->units, key_of (node))
                                : NULL;

  if (found)
    *unit = (uint32_t) (found - places->units);
  return found != NULL;
}

const char *
_kette_choice_text (const KetteChoice *choice)
{
  return choice ? choice->given : NULL;
}

void
_kette_choice_free (KetteChoice *choice)
{
  if (!choice)
    return;
  _kette_names_free (choice->units);
  _kette_free (choice->given);
  _kette_free (choice->text);
  _kette_free (choice);
}
