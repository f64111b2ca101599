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

char *
_kette_plan_text (const KettePlan *plan)
{
  GString *out = g_string_new (NULL), *ops = g_string_new (NULL);
  uint32_t in_chain = 0; /* steps that follow in the chain: they begin with a + */

  for (size_t i = 0; i < plan->n_steps; i++)
    {
      const KetteStep *step = &plan->steps[i];
      char type[256];
      if (step->update)
        {
          g_string_append_printf (out, "%5zu  copy into the state %s\n", i,
                                  KETTE_QUOTE (step->update->key->name));
          continue;
        }
      const KetteValue *first
          = step->n_out ? plan->operands[step->first_tensor + step->n_in] : NULL;
      g_string_truncate (ops, 0);
      g_string_append (ops, in_chain ? "+ " : "");
      for (uint32_t k = 0; k <= step->n_absorbed; k++)
        g_string_append_printf (ops, "%s%s", k ? "+" : "",
                                plan->graph->nodes[step->node->index + k]->op);
      in_chain = in_chain ? in_chain - 1 : step->span - 1;
      g_string_append_printf (
          out, "%5zu  %-20s %-16s %s%s\n", i, ops->str,
          _kette_base_name (step->kernel->plugin),
          first ? _kette_type_text (type, sizeof type, &first->type, NULL) : "",
          i == plan->n_forward ? "  (backward and update begin)" : "");
    }
  g_string_free (ops, TRUE);
  return g_string_free (out, FALSE);
}
