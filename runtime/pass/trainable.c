/* SPDX-License-Identifier: Apache-2.0
 * Which initializers training changes by default.
 *
 * Float initializers of more than one element on a way to a float output that stand at a
 * parameter place of their consumer. Running statistics, bounds, pads and sizes are no
 * parameters; the operators that have such inputs are listed here with their parameter
 * places, every other operator's float inputs count.
 */
#include "pass/pass.h"
#include <string.h>

/* The inputs that are parameters, bit i for input i, of operators with float inputs that are
 * none. */
static const struct
{
  const char *op;
  unsigned places;
} places[] = {
  { "BatchNormalization", 1u << 1 | 1u << 2 }, /* not the running mean and variance */
  { "Clip", 0 },
  { "Dropout", 0 },
  { "Pad", 0 },
  { "Resize", 0 },
  { "Upsample", 0 },
  { "OneHot", 0 },
  { "Range", 0 },
  { "QuantizeLinear", 0 },
  { "DequantizeLinear", 0 },
  { "NonMaxSuppression", 0 },
  { "RoiAlign", 0 },
};

static gboolean
is_place (const KetteNode *node, int32_t i)
{
  for (size_t k = 0; k < G_N_ELEMENTS (places); k++)
    if (strcmp (places[k].op, node->op) == 0)
      return i < 32 && (places[k].places >> i & 1);
  if (node->def && node->def->op.n_in > 0)
    {
      const kt_op *op = &node->def->op;
      return !(op->in[MIN (i, op->n_in - 1)].flags & KT_P_NO_GRADIENT)
             && !(op->flags & KT_OP_ZERO_GRADIENT);
    }
  return TRUE;
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
