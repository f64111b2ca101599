/* SPDX-License-Identifier: Apache-2.0
 * Edits of a whole graph: obeying replacements, dropping nodes that nobody needs.
 */
#include "graph/reads.h"
#include <string.h>

/* The end of VALUE's chain of replacements; the chain is made short on the way, so that all
 * chains together cost as much as they are long. A chain in a circle has no end: NULL. */
static KetteValue *
end_of (KetteValue *value, size_t most)
{
  KetteValue *end = value;

  for (size_t n = 0; end->replacement; n++)
    {
      if (n > most || end->replacement == end)
        return NULL;
      end = end->replacement;
    }
  while (value != end)
    {
      KetteValue *next = value->replacement;

      value->replacement = end;
      value              = next;
    }
  return end;
}

static void
follow (KetteGraph *graph, KetteValue **value)
{
  KetteValue *end
      = *value && (*value)->replacement ? end_of (*value, graph->n_values) : NULL;

  if (end)
    *value = end;
}

void
_kette_graph_apply_replacements (KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];

      if (node->flags & KETTE_NODE_DEAD)
        continue;
      for (int32_t k = 0; k < node->n_in; k++)
        follow (graph, &node->in[k]);
      for (int32_t k = 0; node->subgraphs && k < node->n_attrs; k++)
        for (size_t v = 0; node->subgraphs[k] && v < node->subgraphs[k]->n_values; v++)
          if (node->subgraphs[k]->values[v]->outer
              && node->subgraphs[k]->values[v]->outer->graph == graph)
            follow (graph, &node->subgraphs[k]->values[v]->outer);
    }
  for (size_t i = 0; i < graph->n_outputs; i++)
    graph->outputs[i]->flags &= ~(uint32_t) KETTE_VALUE_OUTPUT;
  for (size_t i = 0; i < graph->n_outputs; i++)
    {
      follow (graph, &graph->outputs[i]);
      graph->outputs[i]->flags |= KETTE_VALUE_OUTPUT;
    }
}

typedef struct
{
  uint8_t *needed; /* per node */
  uint32_t *stack;
  size_t n_stack;
} Sweep;

static void
need (Sweep *s, const KetteGraph *graph, const KetteValue *value)
{
  const KetteNode *node = value ? value->producer : NULL;

  if (!node || node->graph != graph || (node->flags & KETTE_NODE_DEAD)
      || s->needed[node->index])
    return;
  s->needed[node->index] = 1;
  s->stack[s->n_stack++] = node->index;
}

/* What ONNX's Gradient differentiates is no input of it: an attribute names it. */
static gboolean
need_differentiated (Sweep *s, KetteGraph *graph, const KetteNode *node, GError **error)
{
  const kt_attr *y = strcmp (node->op, "Gradient") == 0
                             && strcmp (node->domain, "ai.onnx.preview.training") == 0
                         ? _kette_node_attr (node, "y")
                         : NULL;
  char *name;

  if (!y || y->kind != KT_A_STRING)
    return TRUE;
  if (!(name = _kette_alloc (_kette_account_process (), y->n + 1, 1, error)))
    return FALSE;
  memcpy (name, y->v, y->n);
  KetteValue *value = _kette_graph_find (graph, name);
  _kette_free (name);
  follow (graph, &value);
  need (s, graph, value);
  return TRUE;
}

/* What was made by NODE is made by nobody now. Its subgraphs end here. */
static void
drop (KetteNode *node)
{
  node->flags |= KETTE_NODE_DEAD;
  for (int32_t i = 0; i < node->n_out; i++)
    if (node->out[i] && node->out[i]->producer == node)
      node->out[i]->producer = NULL;
  for (int32_t i = 0; node->subgraphs && i < node->n_attrs; i++)
    kette_graph_unref (node->subgraphs[i]);
  node->subgraphs = NULL;
}

gboolean
_kette_graph_sweep (KetteGraph *graph, KetteValue *const *keep, size_t n_keep,
                    GError **error)
{
  Sweep s     = { 0 };
  size_t n    = 0;
  gboolean ok = TRUE;

  s.needed = _kette_alloc (NULL, graph->n_nodes, 1, error);
  s.stack
      = s.needed ? _kette_alloc_raw (NULL, graph->n_nodes, sizeof *s.stack, error) : NULL;
  if (!s.stack)
    {
      _kette_free (s.needed);
      return FALSE;
    }
  for (size_t i = 0; i < graph->n_outputs; i++)
    need (&s, graph, graph->outputs[i]);
  for (size_t i = 0; i < n_keep; i++)
    need (&s, graph, keep[i]);
  while (ok && s.n_stack > 0)
    {
      KetteReads reads = { .node = graph->nodes[s.stack[--s.n_stack]] };
      KetteValue *value;

      while ((value = _kette_reads_next (&reads)))
        need (&s, graph, value);
      ok = need_differentiated (&s, graph, reads.node, error);
    }
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];

      if (!s.needed[i])
        {
          drop (node);
          continue;
        }
      node->index       = (uint32_t) n;
      graph->nodes[n++] = node;
    }
  if (ok)
    graph->n_nodes = n;
  _kette_free (s.needed);
  _kette_free (s.stack);
  return ok;
}
