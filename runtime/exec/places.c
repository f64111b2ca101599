/* SPDX-License-Identifier: Apache-2.0
 * What is wanted of placement, from the words of a command line, and where nodes go by it.
 */
#include "exec/places.h"
#include "base/deadline-private.h"
#include "exec/plan.h"
#include <string.h>

gboolean
_kette_places_unit (KettePlaces *p, const char *device, uint32_t *out, GError **error)
{
  KetteUnit *unit;

  if (!_kette_unit_get (device, &unit, error))
    return FALSE;
  for (*out = 0; *out <= p->n_units; ++*out)
    if (p->units[*out] == unit)
      return TRUE;
  if (p->n_units == KETTE_MOST_UNITS)
    return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                        "more than %d devices in one session", KETTE_MOST_UNITS);
  p->units[++p->n_units] = unit;
  return TRUE;
}

/* Devices that placement may choose by itself. */
static gboolean
add_all (KettePlaces *p, GError **error)
{
  const KetteDeviceKind *kind;

  p->automatic = TRUE;
  for (size_t i = 0; (kind = _kette_device_kind_nth (i)); i++)
    {
      uint32_t number;
      if (!(kind->device.flags & KT_D_ASKED) && _kette_device_kind_count (kind) > 0
          && !_kette_places_unit (p, kind->device.name, &number, error))
        return FALSE;
    }
  return TRUE;
}

/* The words of RULES, which P keeps a copy of. */
static gboolean
add_rules (KettePlaces *p, const char *const *rules, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  size_t n = 0, bytes = 0;

  for (; rules && rules[n]; n++)
    {
      const size_t own = strlen (rules[n]);
      if (n == KETTE_MOST_RULES)
        return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "more than %d placements",
                            KETTE_MOST_RULES);
      if (own > KETTE_MOST_RULE_BYTES)
        return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                            "the placement %s has %zu bytes, may have %d",
                            KETTE_QUOTE (rules[n]), own, KETTE_MOST_RULE_BYTES);
      bytes += own + 1;
    }
  if (!(p->text = _kette_alloc (account, bytes + 1, 1, error))
      || !(p->rules = _kette_alloc (account, n + 1, sizeof *p->rules, error)))
    return FALSE;
  for (char *at = p->text; p->n_rules < n; p->n_rules++)
    {
      const char *word = rules[p->n_rules];
      char *equals;

      memcpy (at, word, strlen (word) + 1);
      equals = strrchr (at, '=');
      if (!equals || equals == at)
        return _kette_fail (error, KETTE_ERROR_DEVICE, NULL,
                            "the placement %s must be PATTERN=DEVICE",
                            KETTE_QUOTE (word));
      *equals                      = '\0';
      p->rules[p->n_rules].pattern = at;
      if (!_kette_places_unit (p, equals + 1, &p->rules[p->n_rules].unit, error))
        return FALSE;
      at += strlen (word) + 1;
    }
  return TRUE;
}

gboolean
_kette_places_new (const char *device, const char *const *rules, KettePlaces **out,
                   GError **error)
{
  KettePlaces *p;

  *out = NULL;
  if ((!device || strcmp (device, "cpu") == 0) && (!rules || !rules[0]))
    return TRUE;
  if (!kette_plugins_get (error))
    return FALSE;
  if (!(p = _kette_alloc (_kette_account_process (), 1, sizeof *p, error)))
    return FALSE;
  p->n_fetched = SIZE_MAX;
  if ((!device
       || (strcmp (device, "auto") == 0
               ? add_all (p, error)
               : _kette_places_unit (p, device, &p->base, error)))
      && add_rules (p, rules, error))
    {
      *out = p;
      return TRUE;
    }
  _kette_places_free (p);
  return FALSE;
}

void
_kette_places_free (KettePlaces *places)
{
  if (!places)
    return;
  _kette_choice_free (places->choice);
  _kette_free (places->rules);
  _kette_free (places->text);
  _kette_free (places);
}

/* -- where nodes go ------------------------------------------------------------------------ */

/* Behind the character at AT, in UTF-8. */
static const char *
next_character (const char *at)
{
  for (at++; ((unsigned char) *at & 0xC0) == 0x80;)
    at++;
  return at;
}

/* Does PATTERN, where * stands for any text and ? for one character, fit TEXT? Behind a star
 * the first place that fits what comes up to the next star is as good as any other, so that
 * nothing is tried in more ways than TEXT has places. */
static gboolean
fits (const char *pattern, const char *text)
{
  const char *star = NULL, *from = NULL;

  while (*text)
    if (*pattern == '*')
      {
        star = ++pattern;
        from = text;
      }
    else if (*pattern == '?')
      {
        pattern++;
        text = next_character (text);
      }
    else if (*pattern == *text)
      {
        pattern++;
        text++;
      }
    else if (star)
      {
        pattern = star;
        text = from = next_character (from);
      }
    else
      return FALSE;
  while (*pattern == '*')
    pattern++;
  return !*pattern;
}

gboolean
_kette_place_fits (const KettePlaceRule *rule, const KetteNode *node)
{
  return fits (rule->pattern, node->name)
         || (node->origin && fits (rule->pattern, node->origin))
         || fits (rule->pattern, node->op);
}

static const KettePlaceRule *
rule_for (const KettePlaces *p, const KetteNode *node)
{
  for (size_t i = 0; i < p->n_rules; i++)
    if (_kette_place_fits (&p->rules[i], node))
      return &p->rules[i];
  return NULL;
}

uint32_t
_kette_places_wanted (const KettePlaces *places, const KetteNode *node)
{
  const KettePlaceRule *rule = rule_for (places, node);

  return rule ? rule->unit : places->base;
}

const KetteKernel *
_kette_unit_kernel (const KetteUnit *unit, KetteNode *node)
{
  const KetteFamily *family = node->def->family;
  const char *device;

  for (int round = 0; (device = _kette_unit_kernels (unit, round)); round++)
    for (size_t i = 0; i < family->n_kernels; i++)
      if (_kette_kernel_serves (family->kernels[i], node, device)
          && _kette_kernel_suits (family->kernels[i], node))
        return family->kernels[i];
  return NULL;
}

/* Texts and what is no tensor means something to the host only. */
static gboolean
is_hosts (const KetteNode *node)
{
  for (int32_t k = 0; k < node->n_in + node->n_out; k++)
    {
      const KetteValue *v = k < node->n_in ? node->in[k] : node->out[k - node->n_in];
      if (v && (v->type.kind != KT_TENSOR || v->type.dtype == KT_STRING))
        return TRUE;
    }
  return FALSE;
}

static void
place_node (const KettePlan *plan, KetteNode *node)
{
  const KettePlaces *p       = plan->places;
  const KettePlaceRule *rule = rule_for (p, node);
  const uint32_t wanted      = rule ? rule->unit : p->base;
  const KetteKernel *kernel  = NULL;

  node->why = rule ? KETTE_WHY_RULE : KETTE_WHY_DEVICE;
  if (wanted == 0)
    return;
  if (is_hosts (node))
    node->why = KETTE_WHY_KIND;
  else if (node->refused >> wanted & 1)
    node->why = KETTE_WHY_REFUSED;
  else if (!(kernel = _kette_unit_kernel (p->units[wanted], node)))
    node->why = KETTE_WHY_NO_KERNEL;
  else
    node->unit = wanted;
}

/* What comes out of a node lies where it is executed, but for what its kernel leaves to the
 * host. */
static void
place_outputs (const KettePlan *plan, KetteNode *node)
{
  const KetteKernel *kernel
      = node->unit ? _kette_unit_kernel (plan->places->units[node->unit], node) : NULL;

  for (int32_t k = 0; k < node->n_out; k++)
    if (node->out[k])
      node->out[k]->unit
          = kernel && k < 64 && (kernel->kernel.host_out >> k & 1) ? 0 : node->unit;
}

/* FALSE: it cannot be there any more. */
static gboolean
place_as_chosen (const KettePlaces *places, KetteNode *node, uint32_t unit)
{
  if (unit
      && ((node->refused >> unit & 1) || !_kette_unit_kernel (places->units[unit], node)))
    return FALSE;
  node->unit = unit;
  return TRUE;
}

/* By what is wanted; what may go where it costs least stays open. */
static gboolean
place_all (KettePlan *plan, uint8_t *fixed, const uint8_t *planned, GError **error)
{
  const KetteGraph *g = plan->graph;
  GCancellable *stop  = _kette_stop_of (NULL);

  for (size_t i = 0; i < g->n_nodes; i++)
    {
      KetteNode *node = g->nodes[i];
      uint32_t wanted;

      if (!_kette_check_stop (stop, NULL, error))
        return FALSE;
      fixed[i] = 1;
      if (node->subgraphs)
        node->why = KETTE_WHY_BRANCH;
      else if (planned[i] != KETTE_PLANNED)
        node->why = planned[i] == KETTE_PLANNED_OPEN ? KETTE_WHY_SIZE : KETTE_WHY_LATER;
      else if (plan->places->automatic && !rule_for (plan->places, node))
        {
          fixed[i]  = is_hosts (node);
          node->why = fixed[i] ? KETTE_WHY_KIND : KETTE_WHY_COST;
          if (!fixed[i] && _kette_places_chosen (plan->places, node, &wanted))
            fixed[i] = place_as_chosen (plan->places, node, wanted);
        }
      else
        place_node (plan, node);
    }
  return TRUE;
}

gboolean
_kette_plan_assign (KettePlan *plan, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteGraph *g         = plan->graph;
  gboolean used         = FALSE, ok;
  uint8_t *planned, *fixed;

  if (!plan->places)
    return TRUE;
  planned = _kette_alloc (account, g->n_nodes + 1, 1, error);
  fixed   = planned ? _kette_alloc (account, g->n_nodes + 1, 1, error) : NULL;
  ok      = fixed && _kette_plan_reach (g, planned, error);
  ok      = ok && place_all (plan, fixed, planned, error)
       && (!plan->places->automatic || plan->places->n_units == 0
           || (_kette_plan_weigh (plan, fixed, error)
               && (plan->n_updates == 0 || _kette_choice_note (plan, error))));
  for (size_t i = 0; ok && i < g->n_nodes; i++)
    {
      if (!fixed[i] && !g->nodes[i]->unit && g->nodes[i]->refused)
        g->nodes[i]->why = KETTE_WHY_REFUSED;
      place_outputs (plan, g->nodes[i]);
      used = used || g->nodes[i]->unit;
    }
  if (used)
    plan->n_units = plan->places->n_units;
  _kette_free (planned);
  _kette_free (fixed);
  return ok;
}
