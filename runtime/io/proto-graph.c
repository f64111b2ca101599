/* SPDX-License-Identifier: Apache-2.0
 * Graphs as messages, subgraphs from a list instead of by recursion.
 */
#include "io/save.h"
#include <string.h>

/* A graph that is still to be written, and where. */
typedef struct
{
  KetteGraph *graph;
  Onnx__GraphProto **slot;
} Job;

typedef struct
{
  KetteSaver *s;
  Job *jobs;
  size_t n, capacity;
} Jobs;

static gboolean
jobs_add (Jobs *jobs, KetteGraph *graph, Onnx__GraphProto **slot, GError **error)
{
  if (jobs->n == jobs->capacity
      && !_kette_grow (&jobs->jobs, &jobs->capacity, jobs->n + 1, sizeof (Job), error))
    return FALSE;
  jobs->jobs[jobs->n++] = (Job){ graph, slot };
  return TRUE;
}

/* Where subgraph K of NODE stands in its message; NULL: nowhere. */
static Onnx__GraphProto **
subgraph_slot (const Onnx__NodeProto *proto, const KetteNode *node, int32_t k)
{
  const kt_attr *attr = &node->attrs[k];
  const size_t place  = attr->reserved > 0 ? (size_t) attr->reserved - 1 : (size_t) k;

  if (place >= proto->n_attribute)
    return NULL;
  if (attr->reserved <= 0)
    return &proto->attribute[place]->g;
  return attr->i >= 0 && (size_t) attr->i < proto->attribute[place]->n_graphs
             ? &proto->attribute[place]->graphs[attr->i]
             : NULL;
}

static gboolean
put_nodes (Jobs *jobs, KetteGraph *graph, Onnx__GraphProto *out, GError **error)
{
  out->node
      = _kette_region_alloc (jobs->s->region, graph->n_nodes, sizeof *out->node, error);
  if (!out->node)
    return FALSE;
  out->n_node = 0;
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      Onnx__NodeProto *proto;

      if (node->flags & KETTE_NODE_DEAD)
        continue;
      proto = _kette_saver_node (jobs->s, node, error);
      if (!proto)
        return FALSE;
      out->node[out->n_node++] = proto;
      for (int32_t k = 0; node->subgraphs && k < node->n_attrs; k++)
        {
          Onnx__GraphProto **slot = subgraph_slot (proto, node, k);

          if (!node->subgraphs[k])
            continue;
          if (!slot)
            return _kette_fail (error, KETTE_ERROR_INTERNAL, NULL,
                                "a node has a subgraph without an attribute");
          if (!jobs_add (jobs, node->subgraphs[k], slot, error))
            return FALSE;
        }
    }
  return TRUE;
}

static gboolean
put_infos (KetteSaver *s, KetteValue *const *values, size_t n,
           Onnx__ValueInfoProto *const *old, size_t n_old, size_t *n_out,
           Onnx__ValueInfoProto ***out, GError **error)
{
  Onnx__ValueInfoProto **infos = _kette_region_alloc (s->region, n, sizeof *infos, error);
  size_t next                  = 0;

  if (!infos)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      const Onnx__ValueInfoProto *same = NULL;

      /* Nearly always the next one of the file. */
      for (size_t k = 0; !same && k < n_old; k++, next = (next + 1) % n_old)
        if (strcmp (_kette_text (old[next]->name), _kette_saver_name (values[i])) == 0)
          same = old[next];
      infos[i] = _kette_saver_info (s, same, values[i], error);
      if (!infos[i])
        return FALSE;
    }
  *out   = infos;
  *n_out = n;
  return TRUE;
}

/* The initializer NAME of the graph, if it is there and not yet written. */
static KetteValue *
pending (KetteGraph *graph, const char *name, const uint8_t *written)
{
  KetteValue *value = *name ? _kette_graph_find (graph, name) : NULL;

  if (!value || value->outer || (!value->data && !value->sparse)
      || !(value->flags & KETTE_VALUE_INITIALIZER) || written[value->index])
    return NULL;
  return value;
}

/* The file's initializers in its order, then those that are new. A sparse one whose content
 * changed becomes a dense one. */
static gboolean
put_initializers (KetteSaver *s, KetteGraph *graph, const Onnx__GraphProto *old,
                  Onnx__GraphProto *out, GError **error)
{
  const size_t n_sparse = old ? old->n_sparse_initializer : 0;
  uint8_t *written      = _kette_region_alloc (s->region, graph->n_values, 1, error);
  KetteValue *value;

  if (!written)
    return FALSE;
  out->initializer
      = _kette_region_alloc (s->region, graph->n_values, sizeof *out->initializer, error);
  if (!out->initializer)
    return FALSE;
  out->sparse_initializer = _kette_region_alloc (s->region, n_sparse + graph->n_values,
                                                 sizeof *out->sparse_initializer, error);
  if (!out->sparse_initializer)
    return FALSE;
  out->n_initializer        = 0;
  out->n_sparse_initializer = 0;
  for (size_t i = 0; old && i < old->n_initializer; i++)
    {
      value = pending (graph, _kette_text (old->initializer[i]->name), written);
      if (!value || !value->data)
        continue;
      written[value->index] = 1;
      out->initializer[out->n_initializer]
          = _kette_saver_tensor (s, old->initializer[i], value->data, value->name, error);
      if (!out->initializer[out->n_initializer++])
        return FALSE;
    }
  for (size_t i = 0; i < n_sparse; i++)
    {
      Onnx__SparseTensorProto *sparse = old->sparse_initializer[i];

      value = sparse->values
                  ? pending (graph, _kette_text (sparse->values->name), written)
                  : NULL;
      if (!value || !_kette_saver_same_sparse (s, sparse, value))
        continue;
      written[value->index]                                = 1;
      out->sparse_initializer[out->n_sparse_initializer++] = sparse;
    }
  for (size_t i = 0; i < graph->n_values; i++)
    {
      value = pending (graph, graph->values[i]->name, written);
      if (!value)
        continue;
      if (!(value->flags & KETTE_VALUE_INPUT))
        s->new_initializer = TRUE;
      if (!value->data)
        {
          out->sparse_initializer[out->n_sparse_initializer]
              = _kette_saver_sparse (s, value->sparse, value->name, error);
          if (!out->sparse_initializer[out->n_sparse_initializer++])
            return FALSE;
          continue;
        }
      out->initializer[out->n_initializer]
          = _kette_saver_tensor (s, NULL, value->data, value->name, error);
      if (!out->initializer[out->n_initializer++])
        return FALSE;
    }
  return TRUE;
}

/* A graph that no file described: the types that somebody declared are written as hints. */
static gboolean
put_hints (KetteSaver *s, KetteGraph *graph, Onnx__GraphProto *out, GError **error)
{
  out->value_info
      = _kette_region_alloc (s->region, graph->n_values, sizeof *out->value_info, error);
  if (!out->value_info)
    return FALSE;
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *value = graph->values[i];

      if (!(value->flags & KETTE_VALUE_DECLARED) || value->outer || value->type.kind == 0
          || (value->flags & (KETTE_VALUE_INPUT | KETTE_VALUE_OUTPUT)))
        continue;
      out->value_info[out->n_value_info] = _kette_saver_info (s, NULL, value, error);
      if (!out->value_info[out->n_value_info++])
        return FALSE;
    }
  return TRUE;
}

static Onnx__GraphProto *
one_graph (Jobs *jobs, KetteGraph *graph, GError **error)
{
  KetteSaver *s               = jobs->s;
  const Onnx__GraphProto *old = graph->proto;
  Onnx__GraphProto *out       = _kette_region_alloc (s->region, 1, sizeof *out, error);

  if (!out)
    return NULL;
  if (old)
    *out = *old;
  else
    onnx__graph_proto__init (out);
  if (!old || strcmp (_kette_text (old->name), graph->name) != 0)
    out->name = (char *) graph->name;
  if (!put_nodes (jobs, graph, out, error)
      || !put_initializers (s, graph, old, out, error)
      || !put_infos (s, graph->inputs, graph->n_inputs, old ? old->input : NULL,
                     old ? old->n_input : 0, &out->n_input, &out->input, error)
      || !put_infos (s, graph->outputs, graph->n_outputs, old ? old->output : NULL,
                     old ? old->n_output : 0, &out->n_output, &out->output, error)
      || (!old && !put_hints (s, graph, out, error)))
    return NULL;
  return out;
}

Onnx__GraphProto *
_kette_saver_graph (KetteSaver *s, KetteGraph *graph, GError **error)
{
  Onnx__GraphProto *root = NULL;
  Jobs jobs              = { .s = s };
  gboolean ok            = jobs_add (&jobs, graph, &root, error);

  while (ok && jobs.n > 0)
    {
      const Job job = jobs.jobs[--jobs.n];

      *job.slot = one_graph (&jobs, job.graph, error);
      ok        = *job.slot != NULL;
    }
  _kette_free (jobs.jobs);
  return ok ? root : NULL;
}
