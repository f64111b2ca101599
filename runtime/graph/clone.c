/* SPDX-License-Identifier: Apache-2.0
 * Deep copies of graphs. Subgraphs wait in a list until their turn comes, so that nothing is
 * as deep as a file is nested. Values and nodes keep their indices.
 */
#include "graph/graph-private.h"
#include <string.h>

/* A graph whose copy exists, but is empty. */
typedef struct
{
  const KetteGraph *from;
  KetteGraph *to;
} Job;

typedef struct
{
  Job *jobs;
  size_t n_jobs, capacity;
} Clone;

static gboolean
copy_text (KetteGraph *to, const char *s, const char **out, GError **error)
{
  *out = s && *s ? _kette_region_strdup (to->region, s, error) : s;
  return !s || *out;
}

/* The copy of OUTER, a value around FROM; OUTER itself where that graph is not copied. */
static KetteValue *
outer_in_copy (const KetteGraph *from, const KetteGraph *to, KetteValue *outer)
{
  while (from->parent && to->parent && from->parent != outer->graph)
    {
      from = from->parent;
      to   = to->parent;
    }
  return from->parent && to->parent ? to->parent->values[outer->index] : outer;
}

static gboolean
copy_value (const KetteValue *from, const Job *job, gboolean is_root, GError **error)
{
  KetteValue *to = _kette_graph_add_value (job->to, from->name, error);

  if (!to || !_kette_value_set_type (to, &from->type, error))
    return FALSE;
  to->slot   = from->slot;
  to->flags  = from->flags;
  to->proto  = from->proto;
  to->n_ints = from->n_ints;
  if (from->ints)
    {
      to->ints = _kette_region_dup (job->to->region, from->ints, from->n_ints,
                                    sizeof *from->ints, error);
      if (!to->ints)
        return FALSE;
    }
  if (from->outer)
    to->outer = is_root ? from->outer : outer_in_copy (job->from, job->to, from->outer);
  _kette_value_set_data (to, from->data);
  _kette_value_set_sparse (to, from->sparse);
  return TRUE;
}

static gboolean
copy_list (KetteGraph *to, KetteValue *const *from, size_t n, KetteValue ***list,
           size_t *capacity, size_t *n_list, GError **error)
{
  if (!_kette_grow (list, capacity, n, sizeof **list, error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    (*list)[i] = to->values[from[i]->index];
  *n_list = n;
  return TRUE;
}

static gboolean
copy_operands (KetteGraph *to, KetteValue *const *from, int32_t n, KetteValue ***out,
               GError **error)
{
  *out = _kette_region_alloc (to->region, (size_t) n, sizeof **out, error);
  for (int32_t i = 0; *out && i < n; i++)
    (*out)[i] = from[i] ? to->values[from[i]->index] : NULL;
  return *out != NULL;
}

static gboolean
copy_subgraphs (Clone *c, const KetteNode *from, KetteNode *to, GError **error)
{
  to->subgraphs = _kette_region_alloc (to->graph->region, (size_t) to->n_attrs,
                                       sizeof *to->subgraphs, error);
  if (!to->subgraphs)
    return FALSE;
  for (int32_t i = 0; i < from->n_attrs; i++)
    {
      const KetteGraph *sub = from->subgraphs[i];

      if (!sub)
        continue;
      if (!_kette_grow (&c->jobs, &c->capacity, c->n_jobs + 1, sizeof *c->jobs, error))
        return FALSE;
      to->subgraphs[i] = _kette_graph_new (sub->model, sub->name, error);
      if (!to->subgraphs[i])
        return FALSE;
      to->subgraphs[i]->parent = to->graph;
      to->subgraphs[i]->owner  = to;
      c->jobs[c->n_jobs++]     = (Job){ sub, to->subgraphs[i] };
    }
  return TRUE;
}

static gboolean
copy_attrs (KetteGraph *graph, const KetteNode *from, KetteNode *to, GError **error)
{
  to->attrs = _kette_region_alloc (graph->region, (size_t) from->n_attrs,
                                   sizeof *to->attrs, error);
  if (!to->attrs)
    return FALSE;
  for (int32_t i = 0; i < from->n_attrs; i++)
    if (!_kette_attr_copy (graph, &from->attrs[i], TRUE, &to->attrs[i], error))
      return FALSE;
  to->n_attrs = from->n_attrs;
  return TRUE;
}

static gboolean
copy_node (Clone *c, const KetteNode *from, KetteGraph *graph, GError **error)
{
  KetteNode *to = _kette_region_alloc (graph->region, 1, sizeof *to, error);

  if (!to)
    return FALSE;
  to->graph   = graph;
  to->version = from->version;
  to->n_in    = from->n_in;
  to->n_out   = from->n_out;
  to->index   = from->index;
  to->flags   = from->flags;
  to->def     = from->def;
  to->proto   = from->proto;
  if (!copy_text (graph, from->name, &to->name, error)
      || !copy_text (graph, from->domain, &to->domain, error)
      || !copy_text (graph, from->op, &to->op, error)
      || !copy_text (graph, from->overload, &to->overload, error)
      || !copy_text (graph, from->origin, &to->origin, error)
      || !copy_operands (graph, from->in, from->n_in, &to->in, error)
      || !copy_operands (graph, from->out, from->n_out, &to->out, error)
      || !copy_attrs (graph, from, to, error))
    return FALSE;
  graph->nodes[graph->n_nodes++]
      = to; /* from now on its subgraphs are freed with the graph */
  return !from->subgraphs || copy_subgraphs (c, from, to, error);
}

/* Links between values and nodes that go both ways. */
static void
link_values (const KetteGraph *from, KetteGraph *to)
{
  for (size_t i = 0; i < from->n_values; i++)
    {
      const KetteNode *producer  = from->values[i]->producer;
      const KetteValue *replaced = from->values[i]->replacement;

      if (producer && producer->graph == from && producer->index < from->n_nodes
          && from->nodes[producer->index] == producer)
        to->values[i]->producer = to->nodes[producer->index];
      if (replaced)
        to->values[i]->replacement = replaced->graph == from ? to->values[replaced->index]
                                                             : (KetteValue *) replaced;
    }
}

static gboolean
copy_graph (Clone *c, const Job *job, gboolean is_root, GError **error)
{
  const KetteGraph *from = job->from;
  KetteGraph *to         = job->to;

  to->proto = from->proto;
  if (!_kette_grow (&to->values, &to->values_capacity, from->n_values, sizeof *to->values,
                    error)
      || !_kette_grow (&to->nodes, &to->nodes_capacity, from->n_nodes, sizeof *to->nodes,
                       error)
      || !_kette_grow (&to->kept, &to->kept_capacity, from->n_kept, sizeof *to->kept,
                       error))
    return FALSE;
  while (to->n_kept < from->n_kept)
    {
      to->kept[to->n_kept] = kette_tensor_ref (from->kept[to->n_kept]);
      to->n_kept++;
    }
  for (size_t i = 0; i < from->n_values; i++)
    if (!copy_value (from->values[i], job, is_root, error))
      return FALSE;
  if (!copy_list (to, from->inputs, from->n_inputs, &to->inputs, &to->inputs_capacity,
                  &to->n_inputs, error)
      || !copy_list (to, from->outputs, from->n_outputs, &to->outputs,
                     &to->outputs_capacity, &to->n_outputs, error))
    return FALSE;
  for (size_t i = 0; i < from->n_nodes; i++)
    if (!copy_node (c, from->nodes[i], to, error))
      return FALSE;
  link_values (from, to);
  return TRUE;
}

KetteGraph *
_kette_graph_clone (KetteGraph *graph, KetteValue ***map, GError **error)
{
  KetteGraph *copy = _kette_graph_new (graph->model, graph->name, error);
  Clone c          = { 0 };
  gboolean ok      = FALSE;

  if (map)
    *map = NULL;
  if (copy && _kette_grow (&c.jobs, &c.capacity, 1, sizeof *c.jobs, error))
    {
      copy->parent       = graph->parent;
      c.jobs[c.n_jobs++] = (Job){ graph, copy };
      ok                 = TRUE;
    }
  for (size_t i = 0; ok && i < c.n_jobs; i++)
    {
      const Job job = c.jobs[i]; /* the list moves while it grows */

      ok = copy_graph (&c, &job, i == 0, error);
    }
  _kette_free (c.jobs);
  if (ok && map)
    {
      *map = _kette_alloc_raw (NULL, copy->n_values, sizeof **map, error);
      ok   = *map != NULL;
      if (ok && copy->n_values > 0)
        memcpy (*map, copy->values, copy->n_values * sizeof **map);
    }
  if (ok)
    return copy;
  kette_graph_unref (copy);
  return NULL;
}
