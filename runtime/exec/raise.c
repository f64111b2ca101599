/* SPDX-License-Identifier: Apache-2.0
 * A model for a newer operator set: what `kette convert --opset` does.
 *
 * Versions of an operator that have the same form (they differ in element types only) share
 * their functions, so a node whose form is the same in the new set only changes its version.
 * Other forms have a body in newer operators, which takes the node's place.
 */
#include "exec/publish.h"
#include "exec/transform.h"
#include "op/context.h"
#include "pass/inline.h"
#include <string.h>

typedef struct
{
  KetteModel *model;
  int32_t opset;
  KetteGraph **queue; /* graphs still to be raised */
  size_t n, capacity;
} Raiser;

/* The IR version in which each operator set was published. */
static int64_t
ir_of_opset (int32_t opset)
{
  static const struct
  {
    int32_t opset;
    int64_t ir;
  } first[] = { { 28, 14 }, { 25, 13 }, { 24, 12 }, { 23, 11 }, { 21, 10 }, { 19, 9 },
                { 15, 8 },  { 12, 7 },  { 11, 6 },  { 10, 5 },  { 9, 4 } };

  for (size_t i = 0; i < G_N_ELEMENTS (first); i++)
    if (opset >= first[i].opset)
      return first[i].ir;
  return 3;
}

static gboolean
push (Raiser *r, KetteGraph *graph, GError **error)
{
  if (!graph)
    return TRUE;
  if (r->n == r->capacity
      && !_kette_grow (&r->queue, &r->capacity, r->n + 1, sizeof *r->queue, error))
    return FALSE;
  r->queue[r->n++] = graph;
  return TRUE;
}

static gboolean
same_form (const KetteOp *a, const KetteOp *b)
{
  return a == b
         || (a->family == b->family && a->op.body == b->op.body
             && a->op.infer == b->op.infer);
}

/* A hint of the first operator sets, without a meaning. */
static void
drop_consumed_inputs (KetteNode *node, const KetteOp *def)
{
  for (int32_t i = 0; i < def->op.n_attr; i++)
    if (strcmp (def->op.attr[i].name, "consumed_inputs") == 0)
      return;
  for (int32_t i = 0; i < node->n_attrs; i++)
    if (strcmp (node->attrs[i].name, "consumed_inputs") == 0)
      {
        memmove (node->attrs + i, node->attrs + i + 1,
                 (size_t) (node->n_attrs - i - 1) * sizeof *node->attrs);
        if (node->subgraphs)
          memmove (node->subgraphs + i, node->subgraphs + i + 1,
                   (size_t) (node->n_attrs - i - 1) * sizeof *node->subgraphs);
        node->n_attrs--;
        node->proto = NULL;
        return;
      }
}

static gboolean
has_references (const KetteNode *node)
{
  for (int32_t i = 0; i < node->n_attrs; i++)
    if (node->attrs[i].ref)
      return TRUE;
  return FALSE;
}

static gboolean
fail_node (const Raiser *r, const KetteNode *node, int32_t from, const char *why,
           GError **error)
{
  char where[KETTE_WHERE_SIZE];

  return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (node, where),
                      "%s of opset %d cannot be written in opset %d: %s",
                      KETTE_QUOTE (node->op), from, r->opset, why);
}

static gboolean
raise_node (Raiser *r, KetteNode *node, GError **error)
{
  const int32_t from
      = node->version > 0 ? node->version : _kette_model_opset (r->model, "");
  const KetteOp *to;

  _kette_node_follow (node);
  if (!_kette_node_resolve (node, error))
    return FALSE;
  for (int32_t k = 0; node->subgraphs && k < node->n_attrs; k++)
    if (!push (r, node->subgraphs[k], error))
      return FALSE;
  if (*node->domain || !node->def)
    return _kette_node_infer (node, error);
  to = _kette_registry_op ("", node->op, r->opset);
  if (to && !(to->op.flags & KT_OP_DEPRECATED) && same_form (node->def, to))
    {
      drop_consumed_inputs (node, to);
      node->version = r->opset;
      return _kette_node_resolve (node, error) && _kette_node_infer (node, error);
    }
  if (from > r->opset)
    return fail_node (r, node, from, "a newer one is needed", error);
  if (!node->def->op.body)
    return fail_node (r, node, from,
                      to ? "its definition changed, and no plugin has a body for it"
                         : "it is no longer there, and no plugin has a body for it",
                      error);
  if (has_references (node))
    return fail_node (r, node, from, "its attributes are those of a caller", error);
  return _kette_node_infer (node, error) && _kette_node_expand (node, error)
         && _kette_outputs_inherit (node, error);
}

/* Values of the main graph that a training step reads, and that other nodes make now. */
static void
follow_outer (const Raiser *r)
{
  for (size_t t = 0; t < r->model->n_training; t++)
    {
      KetteGraph *const graphs[]
          = { r->model->training[t]->initialization, r->model->training[t]->algorithm };

      for (size_t g = 0; g < G_N_ELEMENTS (graphs); g++)
        for (size_t i = 0; graphs[g] && i < graphs[g]->n_values; i++)
          {
            KetteValue *value = graphs[g]->values[i];

            while (value->outer && value->outer->replacement)
              value->outer = value->outer->replacement;
          }
    }
}

/* What stands for an outer value is of its type. */
static gboolean
take_types (KetteGraph *graph, GError **error)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *value = graph->values[i];

      if (value->outer && value->outer->type.kind && !value->type.kind
          && !_kette_value_set_type (value, &value->outer->type, error))
        return FALSE;
    }
  return TRUE;
}

/* Drops the dead nodes, and only those. */
static gboolean
sweep_dead (KetteGraph *graph, GError **error)
{
  KetteValue **keep = _kette_alloc (NULL, graph->n_values + 1, sizeof *keep, error);
  size_t n          = 0;
  gboolean ok;

  for (size_t i = 0; keep && i < graph->n_values; i++)
    if (graph->values[i]->producer
        && !(graph->values[i]->producer->flags & KETTE_NODE_DEAD))
      keep[n++] = graph->values[i];
  ok = keep && _kette_graph_sweep (graph, keep, n, error)
       && _kette_graph_sort (graph, NULL, 0, error);
  _kette_free (keep);
  return ok;
}

static gboolean
raise_graph (Raiser *r, KetteGraph *graph, GError **error)
{
  if (!_kette_graph_sort (graph, NULL, 0, error) || !take_types (graph, error))
    return FALSE;
  /* Bodies are appended, and looked at in their turn. */
  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!(graph->nodes[i]->flags & KETTE_NODE_DEAD)
        && !raise_node (r, graph->nodes[i], error))
      return FALSE;
  follow_outer (r);
  _kette_graph_apply_replacements (graph);
  if (!sweep_dead (graph, error) || !_kette_graph_name_nodes (graph, error))
    return FALSE;
  _kette_graph_mark_constants (graph);
  return TRUE;
}

static gboolean
raise_functions (Raiser *r, GError **error)
{
  for (size_t i = 0; i < r->model->n_functions; i++)
    {
      KetteFunction *function = r->model->functions[i];

      for (size_t k = 0; k < function->n_opsets; k++)
        if (!*function->opsets[k].domain)
          function->opsets[k].version = r->opset;
      if (!push (r, function->body, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
raise_all (Raiser *r, KetteGraph *graph, GError **error)
{
  KetteModel *model = r->model;

  if (!push (r, graph, error))
    return FALSE;
  for (size_t next = 0; next < r->n; next++)
    {
      if (!raise_graph (r, r->queue[next], error))
        return FALSE;
      /* The main graph first: the steps read values of it. */
      if (next > 0)
        continue;
      for (size_t t = 0; t < model->n_training; t++)
        if (!push (r, model->training[t]->initialization, error)
            || !push (r, model->training[t]->algorithm, error))
          return FALSE;
      if (!raise_functions (r, error))
        return FALSE;
    }
  model->ir_version = MAX (model->ir_version, ir_of_opset (r->opset));
  return _kette_model_set_opset (model, "", r->opset, error);
}

gboolean
kette_graph_raise_opset (KetteGraph *self, int opset, GError **error)
{
  const int32_t own = _kette_model_opset (self->model, "");
  Raiser r          = { .model = self->model, .opset = opset };
  gboolean ok       = kette_plugins_get (error) != NULL;

  if (ok && own == 0)
    ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "opset_import",
                      "the model imports none of ONNX's operator sets");
  else if (ok && opset < own)
    ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "opset_import",
                      "the model imports opset %d, which cannot be lowered to %d", own,
                      opset);
  else if (ok && opset > MAX (_kette_registry_newest (""), own))
    ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED, "opset_import",
                      "the newest opset known here is %d, not %d",
                      _kette_registry_newest (""), opset);
  ok = ok && (opset == own || raise_all (&r, self, error));
  _kette_free (r.queue);
  if (!ok)
    _kette_error_in_file (error, self->model->file);
  return ok;
}
