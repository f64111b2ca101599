/* SPDX-License-Identifier: Apache-2.0
 * What a plan looks like, for info and bench.
 */
#include "exec/inspect.h"
#include "base/text.h"
#include <string.h>

void
_kette_plan_describe (const KettePlan *plan, KettePlanInfo *info)
{
  *info = (KettePlanInfo){ .n_steps         = plan->n_steps,
                           .n_views         = plan->n_views,
                           .n_in_place      = plan->n_in_place,
                           .n_chains        = plan->n_chains,
                           .n_fused         = plan->n_fused,
                           .n_absorbed      = plan->n_absorbed,
                           .arena_bytes     = plan->arena_bytes,
                           .live_peak_bytes = plan->live_peak };
  for (size_t i = 0; i < plan->graph->n_values; i++)
    {
      const KetteValue *v = plan->graph->values[i];
      if (!v->data || (v->flags & KETTE_VALUE_SOFT))
        continue;
      if (v->flags & KETTE_VALUE_STATE)
        info->state_bytes += v->data->bytes;
      else
        info->constant_bytes += v->data->bytes;
    }
}

enum
{
  WHY = 640
};

/* A copy within a device: of a state, before it is rewritten. */
static gboolean
is_kept (const KetteNode *node)
{
  return _kette_is_copy (node) && node->in[0]->unit == node->out[0]->unit;
}

/* Why NODE is where it is. */
static const char *
reason_of (const KettePlan *plan, const KetteNode *node, char *out, size_t size)
{
  static const char *const texts[]
      = { [KETTE_WHY_DEVICE]    = "asked for",
          [KETTE_WHY_RULE]      = "a rule",
          [KETTE_WHY_COST]      = "costs least",
          [KETTE_WHY_COPY]      = "",
          [KETTE_WHY_NO_KERNEL] = "no kernel elsewhere",
          [KETTE_WHY_KIND]      = "no numbers",
          [KETTE_WHY_BRANCH]    = "it has graphs of its own",
          [KETTE_WHY_SIZE]      = "the size of its result depends on contents",
          [KETTE_WHY_LATER]     = "" };

  if (is_kept (node))
    g_snprintf (out, size, "%zu bytes, for taking the step back",
                _kette_plan_storage (plan, node->out[0])->bytes);
  else if (_kette_is_copy (node))
    g_snprintf (out, size, "%zu bytes, %s to %s",
                _kette_plan_storage (plan, node->out[0])->bytes,
                (const char *) node->attrs[0].v, (const char *) node->attrs[1].v);
  else if (node->why == KETTE_WHY_REFUSED)
    g_snprintf (out, size, "fell back to the CPU: %s", node->because);
  else
    g_snprintf (out, size, "%s",
                node->why < G_N_ELEMENTS (texts) ? texts[node->why] : "");
  return out;
}

/* How many steps round the factors of their products, where that was asked for. */
static void
add_precision (const KettePlan *plan, GString *out)
{
  size_t n[3] = { 0 };

  if (!plan->places || !plan->places->precision)
    return;
  for (size_t i = 0; i < plan->n_steps; i++)
    n[CLAMP (plan->steps[i].rounds, 0, 2)]++;
  g_string_append_printf (
      out, "precision %s: %zu steps round to tf32, %zu to bf16; all others are exact\n",
      _kette_precision_name (plan->places->precision), n[KT_ROUND_TF32],
      n[KT_ROUND_BF16]);
}

/* Nodes that are not where they are wanted; or, LATER, of which only the run tells where they are. */
static void
add_exceptions (const KettePlan *plan, gboolean later, const char *title, GString *out)
{
  const KettePlaces *places = plan->places;
  size_t n                  = 0;

  for (size_t i = 0; i < plan->graph->n_nodes; i++)
    {
      const KetteNode *node = plan->graph->nodes[i];
      char where[KETTE_WHERE_SIZE], why[WHY];

      if (node->unit || node->why < KETTE_WHY_NO_KERNEL
          || (node->why == KETTE_WHY_LATER) != later
          || (!places->automatic && _kette_places_wanted (places, node) == 0))
        continue;
      if (n++ == 0)
        g_string_append_printf (out, "%s:\n", title);
      g_string_append (out, _kette_node_where (node, where));
      if (!later)
        g_string_append_printf (out, ": %s", reason_of (plan, node, why, sizeof why));
      g_string_append_c (out, '\n');
    }
}

char *
_kette_plan_idle_rules (const KettePlan *plan)
{
  const KettePlaces *places = plan ? plan->places : NULL;
  GString *out              = g_string_new (NULL);

  for (size_t r = 0; places && r < places->n_rules; r++)
    {
      const uint32_t unit = places->rules[r].unit;
      gboolean fits       = FALSE;

      for (size_t i = 0; i < plan->graph->n_nodes && !fits; i++)
        fits = !_kette_is_copy (plan->graph->nodes[i])
               && _kette_place_fits (&places->rules[r], plan->graph->nodes[i]);
      if (!fits)
        g_string_append_printf (out, "%s%s=%s",
                                out->len ? ", nor " : "no node fits the rule ",
                                KETTE_QUOTE (places->rules[r].pattern),
                                unit ? places->units[unit]->name : "cpu");
    }
  return g_string_free (out, FALSE);
}

/* Where the steps are, how much memory that takes, what is copied, and what was to be elsewhere. */
static void
add_devices (const KettePlan *plan, GString *out)
{
  size_t n_in = 0, n_out = 0, n_peer = 0, bytes = 0, kept = 0;
  g_autofree char *idle = _kette_plan_idle_rules (plan);

  for (size_t i = 0; i < plan->n_steps; i++)
    {
      const KetteNode *node = plan->steps[i].node;
      if (!node || !_kette_is_copy (node))
        continue;
      if (is_kept (node))
        {
          kept += _kette_plan_storage (plan, node->out[0])->bytes;
          continue;
        }
      n_in += node->in[0]->unit == 0;
      n_out += node->out[0]->unit == 0;
      n_peer += node->in[0]->unit && node->out[0]->unit;
      bytes += _kette_plan_storage (plan, node->out[0])->bytes;
    }
  g_string_append_printf (out,
                          "copies: %zu in, %zu out, %zu between devices, %zu bytes\n",
                          n_in, n_out, n_peer, bytes);
  if (kept)
    g_string_append_printf (out, "kept for taking the step back: %zu bytes\n", kept);
  for (uint32_t u = 0; u <= plan->n_units; u++)
    {
      const KetteUnit *unit = _kette_plan_unit (plan, u);
      size_t n = 0, resident = 0;
      for (size_t i = 0; i < plan->n_steps; i++)
        n += plan->steps[i].node && plan->steps[i].node->unit == u
             && !_kette_is_copy (plan->steps[i].node);
      for (size_t i = 0; i < plan->n_storages; i++)
        if (plan->storages[i].place == KETTE_AT_CONSTANT && plan->storages[i].unit == u)
          resident += plan->storages[i].bytes;
      g_string_append_printf (out, "%s: %zu steps, arena %zu bytes",
                              unit ? unit->name : "cpu", n,
                              u ? plan->unit_arena[u] : plan->arena_bytes);
      if (u)
        g_string_append_printf (out, ", resident %zu", resident);
      g_string_append_c (out, '\n');
    }
  add_exceptions (plan, FALSE, "on the cpu though asked for elsewhere", out);
  add_exceptions (plan, TRUE, "placed at the run, when their shapes are known", out);
  if (*idle)
    g_string_append_printf (out, "%s\n", idle);
}

/* What rules are compared with. */
static const char *
name_of (const KetteNode *node)
{
  return !*node->name && node->origin ? node->origin : node->name;
}

/* One line for the step at I. */
static void
add_step (const KettePlan *plan, size_t i, const char *ops, GString *out)
{
  const KetteStep *step = &plan->steps[i];
  const KetteValue *first
      = step->n_out ? plan->operands[step->first_tensor + step->n_in] : NULL;
  const char *type = "";
  char text[256], why[WHY];

  if (first)
    type = _kette_type_text (text, sizeof text, &first->type, NULL);
  g_string_append_printf (out, "%5zu  %-20s ", i, ops);
  if (plan->places)
    {
      const KetteUnit *unit = _kette_plan_unit (plan, step->node->unit);
      g_string_append_printf (out, "%-8s ", unit ? unit->name : "cpu");
    }
  g_string_append_printf (
      out, "%-16s %s",
      _kette_is_copy (step->node) ? "copy" : _kette_base_name (step->kernel->plugin),
      type);
  if (plan->n_units && *reason_of (plan, step->node, why, sizeof why))
    g_string_append_printf (out, "  (%s%s%s)", why, step->rounds ? ", " : "",
                            step->rounds ? _kette_precision_name (step->rounds) : "");
  if (plan->places && !_kette_is_copy (step->node) && *name_of (step->node))
    g_string_append_printf (out, "  %s", KETTE_QUOTE (name_of (step->node)));
  g_string_append_printf (out, "%s\n",
                          i == plan->n_forward ? "  (backward and update begin)" : "");
}

char *
_kette_plan_text (const KettePlan *plan)
{
  GString *out = g_string_new (NULL), *ops = g_string_new (NULL);
  uint32_t in_chain = 0; /* steps that follow in the chain: they begin with a + */

  for (size_t i = 0; i < plan->n_steps; i++)
    {
      const KetteStep *step = &plan->steps[i];
      if (step->update)
        {
          g_string_append_printf (out, "%5zu  copy into the state %s\n", i,
                                  KETTE_QUOTE (step->update->key->name));
          continue;
        }
      g_string_truncate (ops, 0);
      g_string_append (ops, in_chain ? "+ " : "");
      for (uint32_t k = 0; k <= step->n_absorbed; k++)
        g_string_append_printf (ops, "%s%s", k ? "+" : "",
                                is_kept (step->node)
                                    ? "Keep"
                                    : plan->graph->nodes[step->node->index + k]->op);
      in_chain = in_chain ? in_chain - 1 : step->span - 1;
      add_step (plan, i, ops->str, out);
    }
  if (plan->places)
    add_devices (plan, out);
  add_precision (plan, out);
  g_string_free (ops, TRUE);
  return g_string_free (out, FALSE);
}
