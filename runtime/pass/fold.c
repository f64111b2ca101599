/* SPDX-License-Identifier: Apache-2.0
 * Pass fold: nodes whose inputs are all known are run once, now, and become constants.
 */
#include "op/context.h"
#include "pass/pass.h"

/* A folded result larger than this costs more memory than it saves time. */
#define MAX_FOLDED_BYTES ((size_t) 256 << 20)

static gboolean
is_constant (const KetteValue *value, gboolean keep_initializers)
{
  return value->data && !(value->flags & (KETTE_VALUE_STATE | KETTE_VALUE_SOFT))
         && !(keep_initializers && (value->flags & KETTE_VALUE_INITIALIZER));
}

/* All outputs have known shapes of moderate size. */
static gboolean
is_small (const KetteNode *node)
{
  for (int32_t i = 0; i < node->n_out; i++)
    {
      const kt_type *type = node->out[i] ? &node->out[i]->type : NULL;
      size_t count, bytes;
      if (!type)
        continue;
      if (type->kind != KT_TENSOR || type->ndim < 0)
        return FALSE;
      for (int32_t d = 0; d < type->ndim; d++)
        if (KT_IS_DIM (type->dims[d]))
          return FALSE;
      if (!_kette_count (type->dims, type->ndim, &count)
          || !_kette_dtype_bytes (type->dtype, count, &bytes) || bytes > MAX_FOLDED_BYTES)
        return FALSE;
    }
  return TRUE;
}

/* Marks in FOLDED (by value index) and collects in NODES what can be folded. */
static size_t
collect (const KetteGraph *graph, gboolean keep_initializers, uint8_t *folded,
         KetteNode **nodes)
{
  size_t n = 0;

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      gboolean known
          = node->def && (node->def->op.flags & KT_OP_PURE) && !node->subgraphs;
      gboolean done = TRUE;
      for (int32_t k = 0; known && k < node->n_in; k++)
        known = !node->in[k] || is_constant (node->in[k], keep_initializers)
                || folded[node->in[k]->index];
      for (int32_t k = 0; k < node->n_out; k++)
        done = done && (!node->out[k] || node->out[k]->data);
      if (!known || done || !is_small (node))
        continue;
      for (int32_t k = 0; k < node->n_out; k++)
        if (node->out[k])
          folded[node->out[k]->index] = 1;
      nodes[n++] = node;
    }
  return n;
}

gboolean
_kette_pass_fold (KetteGraph *graph, gboolean keep_initializers, KetteEvaluate evaluate,
                  GError **error)
{
  KetteAccount *account = _kette_account_process ();
  uint8_t *folded       = _kette_alloc (account, graph->n_values + 1, 1, error);
  KetteNode **nodes
      = folded ? _kette_alloc (account, graph->n_nodes + 1, sizeof *nodes, error) : NULL;
  gboolean ok = nodes != NULL;

  if (ok)
    {
      const size_t n = collect (graph, keep_initializers, folded, nodes);
      ok             = n == 0 || evaluate (graph, nodes, n, error);
    }
  /* What has data now needs no node: shape arithmetic that inference settled, too. */
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      gboolean known  = node->n_out > 0 && !node->subgraphs;
      for (int32_t k = 0; k < node->n_out; k++)
        known = known
                && (!node->out[k]
                    || (node->out[k]->data && !(node->out[k]->flags & KETTE_VALUE_SOFT)));
      if (!known)
        continue;
      for (int32_t k = 0; k < node->n_out; k++)
        if (node->out[k])
          node->out[k]->producer = NULL;
      node->flags |= KETTE_NODE_DEAD;
    }
  _kette_free (nodes);
  _kette_free (folded);
  return ok && _kette_graph_sweep (graph, NULL, 0, error);
}
