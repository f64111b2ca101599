/* SPDX-License-Identifier: Apache-2.0
 * Nodes that do something else in training: their copies in the training step.
 *
 * An operator has a training mode where its definition has an attribute or an input
 * "training_mode"; an output "running_X" is the new content of its input "input_X". If the loss
 * depends on such a node, the step gets its own copy of the forward nodes, "train/NAME", which
 * read the same initializers; what they make of running statistics is bound to these. The nodes
 * of the inference graph have no reader in the step then, and are pruned.
 */
#include "exec/transform.h"
#include "op/context.h"
#include "pass/inline.h"
#include "train/train-private.h"
#include <string.h>

typedef struct
{
  KetteEmitter *e;
  const KetteSettings *settings;
  char prefix[24];
  KetteTrainingCopies *out;
  KetteValue *
      *latest; /* of a running statistic, by index: what the last copy made of it */
  KetteValue *yes;
} Copier;

/* *INPUT: the input that chooses the mode; -1: an attribute does. */
static gboolean
has_training_mode (const KetteOp *def, int32_t *input)
{
  for (int32_t i = 0; def && i < def->op.n_in; i++)
    if (strcmp (def->op.in[i].name, "training_mode") == 0)
      {
        *input = i;
        return TRUE;
      }
  *input = -1;
  for (int32_t i = 0; def && i < def->op.n_attr; i++)
    if (strcmp (def->op.attr[i].name, "training_mode") == 0)
      return TRUE;
  return FALSE;
}

/* The input that output J is the new content of, or -1. */
static int32_t
statistic_input (const KetteOp *def, int32_t j)
{
  const char *name = def->op.out[j].name;

  if (!g_str_has_prefix (name, "running_"))
    return -1;
  for (int32_t i = 0; i < def->op.n_in; i++)
    if (g_str_has_prefix (def->op.in[i].name, "input_")
        && strcmp (def->op.in[i].name + strlen ("input_"), name + strlen ("running_"))
               == 0)
      return i;
  return -1;
}

gboolean
_kette_training_mode_raise (KetteGraph *graph, int *raised, GError **error)
{
  int32_t input, opset = 0;

  *raised = 0;
  if (!kette_plugins_get (error))
    return FALSE;
  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node     = graph->nodes[i];
      const KetteFamily *family = _kette_registry_family (node->domain, node->op);
      int32_t first             = 0;
      if (!family || *node->domain
          || has_training_mode (_kette_node_definition (node), &input))
        continue;
      for (size_t k = 0; k < family->n_ops; k++)
        if (has_training_mode (family->ops[k], &input))
          first = family->ops[k]->op.since;
      opset = MAX (opset, first);
    }
  if (opset <= _kette_model_opset (graph->model, ""))
    return TRUE;
  *raised = opset;
  return kette_graph_raise_opset (graph, opset, error);
}

gboolean
_kette_is_running_statistic (const KetteGraph *graph, const KetteValue *value)
{
  int32_t input;

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      const KetteOp *def    = _kette_node_definition (node);
      if (!has_training_mode (def, &input))
        continue;
      for (int32_t j = 0; j < def->op.n_out; j++)
        {
          const int32_t k = statistic_input (def, j);
          if (k >= 0 && k < node->n_in && node->in[k] == value)
            return TRUE;
        }
    }
  return FALSE;
}

/* The initializer that output J of NODE is the new content of; NULL: none. */
static KetteValue *
statistic_of (const KetteNode *node, const KetteOp *def, int32_t j)
{
  const int32_t i = statistic_input (def, j);
  KetteValue *key = i >= 0 && i < node->n_in ? node->in[i] : NULL;

  return key && key->data && (key->flags & KETTE_VALUE_INITIALIZER) ? key : NULL;
}

/* Statistics that training must not change keep their node as it is. */
static gboolean
trains (const Copier *c, const KetteNode *node, const KetteOp *def, int32_t *input)
{
  if (!has_training_mode (def, input))
    return FALSE;
  for (int32_t j = 0; j < def->op.n_out; j++)
    {
      const KetteValue *key = statistic_of (node, def, j);
      if (key && !_kette_settings_trains (c->settings, key->name))
        return FALSE;
    }
  return TRUE;
}

/* The attributes of a copy that trains. A seed would repeat one mask in every step. */
static int32_t
copy_attributes (const KetteNode *node, gboolean training, int32_t input, kt_attr *out)
{
  int32_t n = 0;

  for (int32_t k = 0; k < node->n_attrs; k++)
    if (!training
        || (strcmp (node->attrs[k].name, "seed") != 0
            && strcmp (node->attrs[k].name, "training_mode") != 0))
      out[n++] = node->attrs[k];
  if (training && input < 0)
    out[n++] = (kt_attr){ .name = "training_mode", .kind = KT_A_INT, .i = 1 };
  return n;
}

static KetteValue *
true_scalar (Copier *c)
{
  if (!c->yes)
    c->yes = _kette_emit_scalar (c->e, "kette.training", KT_BOOL, 1);
  return c->yes;
}

/* IN: the copy's inputs. What it reads of the main graph and has no copy is a stand-in. */
static gboolean
copy_inputs (Copier *c, const KetteNode *node, gboolean training, int32_t input,
             KetteValue **in)
{
  for (int32_t k = 0; k < node->n_in; k++)
    if (node->in[k])
      {
        const uint32_t index = node->in[k]->index;
        in[k]                = c->latest[index]     ? c->latest[index]
                               : c->out->map[index] ? c->out->map[index]
                                                    : _kette_emit_capture (c->e, node->in[k]);
      }
  if (training && input >= 0)
    in[input] = true_scalar (c);
  return !c->e->failed;
}

static KetteValue *
add_named (Copier *c, const char *a, const char *b)
{
  char text[1024];
  const char *name;
  KetteValue *value;

  g_snprintf (text, sizeof text, "%.500s%.500s", a, b);
  name  = _kette_emit_name (c->e, text);
  value = name ? _kette_graph_add_value (c->e->graph, name, c->e->error) : NULL;
  return value ? value : _kette_emit_fail (c->e);
}

/* KEY gets the content of VALUE; a later copy of the same statistic takes an earlier one's
 * place, whose result it reads. */
static gboolean
bind_statistic (Copier *c, KetteValue *key, KetteValue *value, GError **error)
{
  KetteTrainingCopies *out = c->out;

  c->latest[key->index] = value;
  for (size_t i = 0; i < out->n_updates; i++)
    if (out->updates[i].key == key)
      {
        out->updates[i].value = value;
        return TRUE;
      }
  if (!_kette_grow (&out->updates, &out->capacity, out->n_updates + 1,
                    sizeof *out->updates, error))
    return FALSE;
  out->updates[out->n_updates++] = (KetteBinding){ key, value };
  return _kette_value_set_type (value, &key->type, error);
}

static gboolean
copy_outputs (Copier *c, const KetteNode *node, const KetteOp *def, gboolean training,
              int32_t n_out, KetteValue **out, GError **error)
{
  for (int32_t j = 0; j < node->n_out; j++)
    if (node->out[j])
      c->out->map[node->out[j]->index] = out[j]
          = add_named (c, c->prefix, node->out[j]->name);
  for (int32_t j = 0; training && j < n_out && j < def->op.n_out; j++)
    {
      KetteValue *key = statistic_of (node, def, j);
      if (!key)
        continue;
      if (!out[j])
        out[j] = add_named (c, key->name, "/next");
      if (!out[j] || !bind_statistic (c, key, out[j], error))
        return _kette_emit_fail (c->e), FALSE;
    }
  return !c->e->failed;
}

static gboolean
copy_node (Copier *c, const KetteNode *node, GError **error)
{
  const KetteOp *def      = _kette_node_definition (node);
  KetteRegion *region     = c->e->graph->region;
  int32_t input           = -1;
  const gboolean training = trains (c, node, def, &input);
  const int32_t n_in      = training ? MAX (node->n_in, input + 1) : node->n_in;
  const int32_t n_out     = training ? MAX (node->n_out, def->op.n_out) : node->n_out;
  KetteValue **operands = _kette_region_alloc (region, (size_t) n_in + (size_t) n_out + 1,
                                               sizeof *operands, error);
  kt_attr *attrs   = operands ? _kette_region_alloc (region, (size_t) node->n_attrs + 1,
                                                     sizeof *attrs, error)
                              : NULL;
  const char *base = *node->name                   ? node->name
                     : node->n_out && node->out[0] ? node->out[0]->name
                                                   : "";
  char name[1024];
  int32_t last = n_out;

  if (!attrs || !copy_inputs (c, node, training, input, operands)
      || !copy_outputs (c, node, def, training, n_out, operands + n_in, error))
    return FALSE;
  while (last > node->n_out && !operands[n_in + last - 1])
    last--;
  g_snprintf (name, sizeof name, "%s%s", c->prefix, base);
  KetteNode *copy
      = _kette_graph_add_node (c->e->graph, name, node->domain, node->op, node->version,
                               operands, n_in, operands + n_in, last, attrs,
                               copy_attributes (node, training, input, attrs), error);
  if (copy)
    copy->overload = node->overload;
  return copy != NULL;
}

/* Inside functions and branches nothing is copied: better said than trained wrongly. */
static gboolean
check_reach (KetteGraph *graph, GError **error)
{
  KetteReach reach = { 0 };
  gboolean ok      = _kette_reach_init (&reach, graph, FALSE, error);
  char where[KETTE_WHERE_SIZE];
  int32_t input;

  for (size_t g = 0; ok && g < reach.n; g++)
    for (size_t i = 0; ok && reach.graphs[g] != graph && i < reach.graphs[g]->n_nodes;
         i++)
      {
        const KetteNode *node = reach.graphs[g]->nodes[i];
        if (has_training_mode (_kette_node_definition (node), &input))
          ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED,
                            _kette_node_where (node, where),
                            "does something else in training, which is only possible in "
                            "the main graph");
      }
  _kette_reach_clear (&reach);
  return ok;
}

/* Marks what TARGET depends on; *FIRST: the first node there that trains, n_nodes if none. */
static gboolean
mark (Copier *c, KetteGraph *graph, const KetteValue *target, uint8_t *marks,
      size_t *first, GError **error)
{
  int32_t input;

  if (!_kette_mark_ancestors (graph, target, marks, error))
    return FALSE;
  for (*first = 0; *first < graph->n_nodes; ++*first)
    if (marks[*first]
        && trains (c, graph->nodes[*first], _kette_node_definition (graph->nodes[*first]),
                   &input))
      break;
  return TRUE;
}

static gboolean
copy_all (Copier *c, KetteGraph *graph, const uint8_t *marks, size_t first,
          GError **error)
{
  char where[KETTE_WHERE_SIZE];

  for (size_t i = 0; i < graph->n_nodes; i++)
    {
      const KetteNode *node = graph->nodes[i];
      if (!marks[i])
        continue;
      if (node->subgraphs && i > first)
        return _kette_fail (error, KETTE_ERROR_UNSUPPORTED,
                            _kette_node_where (node, where),
                            "has subgraphs and stands behind a node that does something "
                            "else in training");
      if (!node->subgraphs && !copy_node (c, node, error))
        return FALSE;
    }
  return TRUE;
}

/* "train/", or "train_2/", ...: no name of the model begins so. */
static void
choose_prefix (Copier *c, const KetteGraph *graph)
{
  for (unsigned k = 1;; k++)
    {
      gboolean taken = FALSE;
      if (k == 1)
        g_strlcpy (c->prefix, KETTE_TRAINING_PREFIX "/", sizeof c->prefix);
      else
        g_snprintf (c->prefix, sizeof c->prefix, KETTE_TRAINING_PREFIX "_%u/", k);
      for (size_t i = 0; !taken && i < graph->n_values; i++)
        taken = g_str_has_prefix (graph->values[i]->name, c->prefix);
      if (!taken)
        return;
    }
}

gboolean
_kette_training_copies_make (KetteTrainingCopies *self, KetteEmitter *e,
                             const KetteSettings *settings, const KetteValue *target,
                             GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteGraph *graph     = e->main;
  Copier c              = { .e = e, .settings = settings, .out = self };
  uint8_t *marks;
  size_t first;
  gboolean ok;

  if (!check_reach (graph, error) || !_kette_graph_sort (graph, NULL, 0, error)
      || !(marks = _kette_alloc (account, graph->n_nodes + 1, 1, error)))
    return FALSE;
  ok = mark (&c, graph, target, marks, &first, error);
  if (ok && first < graph->n_nodes)
    {
      choose_prefix (&c, graph);
      self->map = _kette_alloc (account, graph->n_values + 1, sizeof *self->map, error);
      c.latest = self->map ? _kette_alloc (account, graph->n_values + 1, sizeof *c.latest,
                                           error)
                           : NULL;
      ok       = c.latest && copy_all (&c, graph, marks, first, error);
    }
  _kette_free (marks);
  _kette_free (c.latest);
  return ok;
}

KetteValue *
_kette_training_copies_find (const KetteTrainingCopies *self, const KetteValue *value)
{
  return self->map ? self->map[value->index] : NULL;
}

void
_kette_training_copies_clear (KetteTrainingCopies *self)
{
  _kette_free (self->map);
  _kette_free (self->updates);
  *self = (KetteTrainingCopies){ 0 };
}
