/* SPDX-License-Identifier: Apache-2.0
 * Which initializers training changes by default.
 *
 * Float initializers of more than one element on a way to a float output that stand at a
 * parameter place of their consumer. Running statistics, bounds, pads and sizes are no
 * parameters: definitions mark such inputs (KT_P_NO_PARAMETER, KT_P_NO_GRADIENT). Of operators
 * that nobody here provides every float input counts.
 */
#include "op/context.h"
#include "pass/pass.h"
#include <string.h>

static gboolean
is_place (const KetteNode *node, int32_t i)
{
  const KetteOp *def = _kette_node_definition (node);

  if (!def || def->op.n_in == 0)
    return TRUE;
  return !(def->op.in[MIN (i, def->op.n_in - 1)].flags
           & (KT_P_NO_GRADIENT | KT_P_NO_PARAMETER))
         && !(def->op.flags & KT_OP_ZERO_GRADIENT);
}

static gboolean
is_candidate (const KetteValue *value)
{
  const KetteDtype *row = value->data ? _kette_dtype (value->data->dtype) : NULL;

  return (value->flags & KETTE_VALUE_INITIALIZER) && row && row->is_float
         && (value->data->rank >= 1) && value->data->count > 1;
}

/* Marks (by value index) what the graph's outputs depend on. The nodes are sorted. */
static void
mark_used (const KetteGraph *graph, uint8_t *used)
{
  for (size_t i = 0; i < graph->n_outputs; i++)
    used[graph->outputs[i]->index] = 1;
  for (size_t i = graph->n_nodes; i-- > 0;)
    {
      const KetteNode *node = graph->nodes[i];
      gboolean leads        = FALSE;
      for (int32_t k = 0; k < node->n_out; k++)
        leads = leads || (node->out[k] && used[node->out[k]->index]);
      for (int32_t k = 0; leads && k < node->n_in; k++)
        if (node->in[k])
          used[node->in[k]->index] = 1;
    }
}

gboolean
_kette_pass_trainable (KetteGraph *graph, KetteValue ***params, size_t *n, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  uint8_t *used         = _kette_alloc (account, graph->n_values + 1, 1, error);
  uint8_t *placed = used ? _kette_alloc (account, graph->n_values + 1, 1, error) : NULL;

  *n      = 0;
  *params = placed && _kette_graph_sort (graph, NULL, 0, error)
                ? _kette_alloc (account, graph->n_values + 1, sizeof **params, error)
                : NULL;
  if (*params)
    {
      mark_used (graph, used);
      for (size_t i = 0; i < graph->n_nodes; i++)
        for (int32_t k = 0; k < graph->nodes[i]->n_in; k++)
          if (graph->nodes[i]->in[k] && is_place (graph->nodes[i], k))
            placed[graph->nodes[i]->in[k]->index] = 1;
      for (size_t i = 0; i < graph->n_values; i++)
        if (is_candidate (graph->values[i]) && used[i] && placed[i])
          (*params)[(*n)++] = graph->values[i];
    }
  _kette_free (used);
  _kette_free (placed);
  return *params != NULL;
}
