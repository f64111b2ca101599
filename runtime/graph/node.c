/* SPDX-License-Identifier: Apache-2.0
 * Nodes: making them, their attributes and outputs.
 */
#include "graph/graph-private.h"
#include <string.h>

/* A text in the region; the many empty ones are one. */
static const char *
copy_text (KetteGraph *graph, const char *s, GError **error)
{
  return s && *s ? _kette_region_strdup (graph->region, s, error) : "";
}

static gboolean
copy_operands (KetteGraph *graph, KetteValue *const *values, int32_t n, const char *what,
               KetteValue ***out, GError **error)
{
  for (int32_t i = 0; i < n; i++)
    if (values[i] && values[i]->graph != graph)
      return _kette_fail (error, KETTE_ERROR_INTERNAL, "graph",
                          "%s %d of a new node, %s, is a value of another graph", what, i,
                          KETTE_QUOTE (values[i]->name));
  *out = _kette_region_dup (graph->region, values, (size_t) n, sizeof *values, error);
  return *out != NULL;
}

static gboolean
copy_attrs (KetteNode *node, const kt_attr *attrs, int32_t n, GError **error)
{
  gboolean graphs = FALSE;

  node->attrs
      = _kette_region_alloc (node->graph->region, (size_t) n, sizeof *attrs, error);
  if (!node->attrs)
    return FALSE;
  for (int32_t i = 0; i < n; i++)
    {
      if (!_kette_attr_copy (node->graph, &attrs[i], FALSE, &node->attrs[i], error))
        return FALSE;
      graphs |= attrs[i].kind == KT_A_GRAPH;
    }
  if (graphs)
    node->subgraphs = _kette_region_alloc (node->graph->region, (size_t) n,
                                           sizeof *node->subgraphs, error);
  node->n_attrs = n;
  return !graphs || node->subgraphs;
}

KetteNode *
_kette_graph_add_node (KetteGraph *graph, const char *name, const char *domain,
                       const char *op, int32_t version, KetteValue *const *in,
                       int32_t n_in, KetteValue *const *out, int32_t n_out,
                       const kt_attr *attrs, int32_t n_attrs, GError **error)
{
  KetteNode *node;

  if (n_in < 0 || n_out < 0 || n_attrs < 0)
    {
      _kette_fail (error, KETTE_ERROR_INTERNAL, "graph", "a new node has %d operands",
                   MIN (MIN (n_in, n_out), n_attrs));
      return NULL;
    }
  if (graph->n_nodes >= UINT32_MAX - 1)
    {
      _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "has over %u nodes",
                   UINT32_MAX - 1);
      return NULL;
    }
  if (domain && strcmp (domain, "ai.onnx") == 0)
    domain = "";
  node = _kette_region_alloc (graph->region, 1, sizeof *node, error);
  if (!node)
    return NULL;
  node->graph    = graph;
  node->version  = version;
  node->n_in     = n_in;
  node->n_out    = n_out;
  node->overload = "";
  node->index    = (uint32_t) graph->n_nodes;
  node->name     = copy_text (graph, name, error);
  node->domain   = node->name ? copy_text (graph, domain, error) : NULL;
  node->op       = node->domain ? copy_text (graph, op, error) : NULL;
  if (!node->op || !copy_operands (graph, in, n_in, "input", &node->in, error)
      || !copy_operands (graph, out, n_out, "output", &node->out, error)
      || !copy_attrs (node, attrs, n_attrs, error)
      || !_kette_grow (&graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1,
                       sizeof *graph->nodes, error))
    return NULL;
  for (int32_t i = 0; i < n_out; i++)
    if (node->out[i])
      {
        node->out[i]->producer = node;
        node->out[i]->slot     = i;
      }
  graph->nodes[graph->n_nodes++] = node;
  return node;
}

static int32_t
find_attr (const KetteNode *node, const char *name)
{
  for (int32_t i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, name) == 0)
      return i;
  return -1;
}

const kt_attr *
_kette_node_attr (const KetteNode *node, const char *name)
{
  const int32_t i = find_attr (node, name);

  return i >= 0 ? &node->attrs[i] : NULL;
}

static gboolean
append_attr (KetteNode *node, const kt_attr *attr, GError **error)
{
  KetteRegion *region = node->graph->region;
  const size_t n      = (size_t) node->n_attrs;
  kt_attr *attrs;
  KetteGraph **subgraphs = NULL;

  if (node->n_attrs == INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "a node has %d attributes",
                        INT32_MAX);
  attrs = _kette_region_alloc (region, n + 1, sizeof *attrs, error);
  if (!attrs)
    return FALSE;
  if (node->subgraphs || attr->kind == KT_A_GRAPH)
    {
      subgraphs = _kette_region_alloc (region, n + 1, sizeof *subgraphs, error);
      if (!subgraphs)
        return FALSE;
      if (node->subgraphs && n > 0)
        memcpy (subgraphs, node->subgraphs, n * sizeof *subgraphs);
    }
  if (n > 0)
    memcpy (attrs, node->attrs, n * sizeof *attrs);
  attrs[n]        = *attr;
  node->attrs     = attrs;
  node->subgraphs = subgraphs;
  node->n_attrs++;
  return TRUE;
}

gboolean
_kette_node_set_attr (KetteNode *node, const kt_attr *attr, GError **error)
{
  const int32_t i = find_attr (node, attr->name);
  kt_attr copy;

  if (!_kette_attr_copy (node->graph, attr, FALSE, &copy, error))
    return FALSE;
  node->proto = NULL; /* it says something else now */
  if (i < 0)
    return append_attr (node, &copy, error);
  node->attrs[i] = copy;
  if (node->subgraphs && node->subgraphs[i])
    {
      kette_graph_unref (node->subgraphs[i]);
      node->subgraphs[i] = NULL;
    }
  if (attr->kind == KT_A_GRAPH && !node->subgraphs)
    node->subgraphs = _kette_region_alloc (node->graph->region, (size_t) node->n_attrs,
                                           sizeof *node->subgraphs, error);
  return attr->kind != KT_A_GRAPH || node->subgraphs;
}

gboolean
_kette_node_grow_outputs (KetteNode *node, int32_t i, GError **error)
{
  KetteValue **out;

  if (i < node->n_out)
    return TRUE;
  if (i == INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "a node has %d outputs", i);
  out = _kette_region_alloc (node->graph->region, (size_t) i + 1, sizeof *out, error);
  if (!out)
    return FALSE;
  if (node->n_out > 0)
    memcpy (out, node->out, (size_t) node->n_out * sizeof *out);
  node->out   = out;
  node->n_out = i + 1;
  return TRUE;
}

void
_kette_node_kill (KetteNode *node)
{
  node->flags |= KETTE_NODE_DEAD;
}
