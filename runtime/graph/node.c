/* SPDX-License-Identifier: Apache-2.0
 * Nodes and their attributes.
 */
#include "graph/graph-private.h"
#include <string.h>

/* Copies the N tensors of a TENSOR or TENSORS attribute; the graph keeps them. */
static kt_tensor *
copy_tensors (KetteGraph *graph, const kt_tensor *tensors, size_t n, GError **error)
{
  kt_tensor *copy = _kette_region_alloc (graph->region, MAX (n, 1), sizeof *copy, error);

  for (size_t i = 0; copy && i < n; i++)
    {
      int dtype = 0;
      for (int d = 1; d <= KETTE_DTYPE_LAST && !dtype; d++)
        {
          const KetteDtype *row = _kette_dtype (d);
          if (row && row->code == tensors[i].code && row->bits == tensors[i].bits
              && (row->bits || d == KT_STRING))
            dtype = d;
        }
      KetteTensor *tensor = _kette_tensor_from_view (&tensors[i], dtype, error);
      if (!tensor)
        return NULL;
      if (!_kette_grow (&graph->kept, &graph->kept_capacity, graph->n_kept + 1,
                        sizeof *graph->kept, error))
        {
          kette_tensor_unref (tensor);
          return NULL;
        }
      graph->kept[graph->n_kept++] = tensor;
      _kette_tensor_view (tensor, &copy[i]);
    }
  return copy;
}

static kt_str *
copy_strings (KetteRegion *region, const kt_str *strings, size_t n, GError **error)
{
  kt_str *copy = _kette_region_alloc (region, MAX (n, 1), sizeof *copy, error);

  for (size_t i = 0; copy && i < n; i++)
    {
      char *text = _kette_region_alloc (region, strings[i].n + 1, 1, error);
      if (!text)
        return NULL;
      if (strings[i].n)
        memcpy (text, strings[i].s, strings[i].n);
      copy[i] = (kt_str){ text, strings[i].n };
    }
  return copy;
}

/* A type with all that it points to; nested types are a chain. */
static kt_type *
copy_type (KetteRegion *region, const kt_type *type, GError **error)
{
  kt_type *first = NULL, **link = &first;

  for (; type; type = type->elem)
    {
      kt_type *copy = _kette_region_dup (region, type, 1, sizeof *type, error);
      if (!copy)
        return NULL;
      copy->elem = NULL;
      if (type->ndim > 0
          && !(copy->dims = _kette_region_dup (region, type->dims, (size_t) type->ndim,
                                               sizeof *type->dims, error)))
        return NULL;
      *link = copy;
      link  = (kt_type **) (uintptr_t) &copy->elem;
    }
  return first;
}

static gboolean
copy_attr (KetteGraph *graph, const kt_attr *from, kt_attr *to, GError **error)
{
  KetteRegion *region = graph->region;

  *to = *from;
  if (!(to->name = _kette_region_strdup (region, from->name, error))
      || (from->ref && !(to->ref = _kette_region_strdup (region, from->ref, error))))
    return FALSE;
  if (!from->v)
    return TRUE;
  switch (from->kind)
    {
    case KT_A_STRING:
      to->v = copy_strings (region, &(kt_str){ from->v, from->n }, 1, error);
      if (to->v)
        to->v = ((const kt_str *) to->v)->s;
      break;
    case KT_A_INTS:
      to->v = _kette_region_dup (region, from->v, from->n, sizeof (int64_t), error);
      break;
    case KT_A_FLOATS:
      to->v = _kette_region_dup (region, from->v, from->n, sizeof (float), error);
      break;
    case KT_A_STRINGS:
      to->v = copy_strings (region, from->v, from->n, error);
      break;
    case KT_A_TENSOR:
    case KT_A_TENSORS:
      to->v = copy_tensors (graph, from->v, from->n, error);
      break;
    case KT_A_TYPE:
      to->v = copy_type (region, from->v, error);
      break;
    default: /* what graphs do not interpret stays with the file's message */
      break;
    }
  return to->v != NULL;
}

static KetteValue **
copy_operands (KetteGraph *graph, KetteValue *const *values, int32_t n, GError **error)
{
  return _kette_region_dup (graph->region, values, (size_t) n, sizeof *values, error);
}

KetteNode *
_kette_graph_add_node (KetteGraph *graph, const char *name, const char *domain, const char *op,
                       int32_t version, KetteValue *const *in, int32_t n_in,
                       KetteValue *const *out, int32_t n_out, const kt_attr *attrs,
                       int32_t n_attrs, GError **error)
{
  KetteRegion *region = graph->region;
  KetteNode *node     = _kette_region_alloc (region, 1, sizeof *node, error);

  if (!node
      || !_kette_grow (&graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1,
                       sizeof *graph->nodes, error))
    return NULL;
  *node        = (KetteNode){ .graph = graph, .version = version, .n_in = n_in, .n_out = n_out,
                              .n_attrs = n_attrs, .index = (uint32_t) graph->n_nodes };
  node->domain = strcmp (domain, "ai.onnx") == 0 ? "" : domain;
  if (!(node->name = _kette_region_strdup (region, name ? name : "", error))
      || !(node->domain = _kette_region_strdup (region, node->domain, error))
      || !(node->op = _kette_region_strdup (region, op, error))
      || (n_in && !(node->in = copy_operands (graph, in, n_in, error)))
      || (n_out && !(node->out = copy_operands (graph, out, n_out, error)))
      || !(node->attrs
           = _kette_region_alloc (region, (size_t) n_attrs + 1, sizeof *node->attrs, error)))
    return NULL;
  node->overload = "";
  for (int32_t i = 0; i < n_attrs; i++)
    if (!copy_attr (graph, &attrs[i], &node->attrs[i], error))
      return NULL;
  for (int32_t i = 0; i < n_out; i++)
    if (out[i])
      {
        out[i]->producer = node;
        out[i]->slot     = i;
      }
  graph->nodes[graph->n_nodes++] = node;
  return node;
}

const kt_attr *
_kette_node_attr (const KetteNode *node, const char *name)
{
  for (int32_t i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, name) == 0)
      return &node->attrs[i];
  return NULL;
}

gboolean
_kette_node_set_attr (KetteNode *node, const kt_attr *attr, GError **error)
{
  kt_attr copy;
  int32_t i = 0;

  if (!copy_attr (node->graph, attr, &copy, error))
    return FALSE;
  while (i < node->n_attrs && strcmp (node->attrs[i].name, attr->name) != 0)
    i++;
  if (i == node->n_attrs)
    {
      kt_attr *larger = _kette_region_alloc (node->graph->region, (size_t) i + 2, sizeof *larger, error);
      if (!larger)
        return FALSE;
      if (i)
        memcpy (larger, node->attrs, (size_t) i * sizeof *larger);
      node->attrs = larger;
      if (node->subgraphs)
        {
          KetteGraph **graphs = _kette_region_alloc (node->graph->region, (size_t) i + 2,
                                                     sizeof *graphs, error);
          if (!graphs)
            return FALSE;
          memcpy (graphs, node->subgraphs, (size_t) i * sizeof *graphs);
          node->subgraphs = graphs;
        }
      node->n_attrs++;
    }
  node->attrs[i] = copy;
  node->proto    = NULL;
  return TRUE;
}

gboolean
_kette_node_grow_outputs (KetteNode *node, int32_t i, GError **error)
{
  KetteValue **out;

  if (i < node->n_out)
    return TRUE;
  out = _kette_region_alloc (node->graph->region, (size_t) i + 1, sizeof *out, error);
  if (!out)
    return FALSE;
  if (node->n_out)
    memcpy (out, node->out, (size_t) node->n_out * sizeof *out);
  node->out   = out;
  node->n_out = i + 1;
  node->proto = NULL;
  return TRUE;
}

void
_kette_node_kill (KetteNode *node)
{
  node->flags |= KETTE_NODE_DEAD;
}

/* The node of PARENT that owns GRAPH, and the attribute it is. */
static const KetteNode *
owner_of (const KetteGraph *graph, const char **attribute)
{
  const KetteGraph *parent = graph->parent;

  for (size_t i = 0; parent && i < parent->n_nodes; i++)
    for (int32_t k = 0; parent->nodes[i]->subgraphs && k < parent->nodes[i]->n_attrs; k++)
      if (parent->nodes[i]->subgraphs[k] == graph)
        {
          *attribute = parent->nodes[i]->attrs[k].name;
          return parent->nodes[i];
        }
  return NULL;
}

const char *
_kette_node_where (const KetteNode *node, char out[KETTE_WHERE_SIZE])
{
  char text[KETTE_WHERE_SIZE];
  const char *attribute = NULL;

  out[0] = '\0';
  /* From the node outwards: each step is put in front. */
  for (; node; node = owner_of (node->graph, &attribute))
    {
      char *place           = text;
      const gboolean inside = *out != '\0';
      const char *op        = node->op;
      int n;
      if (*node->name)
        n = g_snprintf (place, sizeof text, "node %s (%.80s)", KETTE_QUOTE (node->name), op);
      else
        n = g_snprintf (place, sizeof text, "node #%u (%.80s)", node->index, op);
      if (inside && n < (int) sizeof text)
        g_snprintf (place + n, sizeof text - (size_t) n, ", %.80s, %s", attribute, out);
      g_strlcpy (out, text, KETTE_WHERE_SIZE);
    }
  return out;
}
