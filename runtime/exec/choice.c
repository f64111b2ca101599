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

static char *
write_line (char *to, const char *device, const char *name)
{
  const size_t n = strlen (device);

  memcpy (to, device, n);
  to += n;
  *to++ = ' ';
  for (; *name; name++)
    if (*name == '\n' || *name == '\\')
      {
        *to++ = '\\';
        *to++ = *name == '\n' ? 'n' : '\\';
      }
    else
      *to++ = *name;
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

/* Cuts the next line at *AT into its words; FALSE: there is none. */
static gboolean
next_line (char **at, char **device, char **name)
{
  char *to;

  *device = *at;
  *name   = strchr (*at, ' ');
  if (!*name)
    return FALSE;
  *(*name)++ = '\0';
  for (to = *at = *name; **at && **at != '\n'; ++*at)
    {
      if (**at == '\\' && (*at)[1])
        {
          ++*at;
          *to++ = **at == 'n' ? '\n' : **at;
        }
      else
        *to++ = **at;
    }
  *at += **at == '\n';
  *to = '\0';
  return TRUE;
}

gboolean
_kette_places_choose (KettePlaces *places, const char *text, GError **error)
{
  KetteChoice *c = _kette_alloc (_kette_account_process (), 1, sizeof *c, error);
  const size_t n = strlen (text) + 1;
  char *at, *device, *name;

  if (!c)
    return FALSE;
  places->choice = c;
  if (!(c->units = _kette_names_new (error))
      || !(c->given = _kette_alloc (_kette_account_process (), n, 1, error))
      || !(c->text = at = _kette_alloc (_kette_account_process (), n, 1, error)))
    return FALSE;
  memcpy (c->given, text, n);
  memcpy (at, text, n);
  while (next_line (&at, &device, &name))
    {
      uint32_t unit;
      if (!_kette_places_unit (places, device, &unit, error)
          || !_kette_names_set (c->units, name, &places->units[unit], error))
        return FALSE;
    }
  return TRUE;
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
