/* SPDX-License-Identifier: Apache-2.0
 * Pass training: the inference graph and the algorithm of a TrainingInfoProto, put together
 * as one graph that computes a step.
 */
#include "pass/pass.h"
#include <string.h>

typedef struct
{
  KetteGraph *step;
  KetteValue **main, **algorithm; /* copies by the originals' index */
  gboolean evaluation;            /* what was copied to be trained is not wanted */
} Merge;

/* What stands behind "train/" or "train_2/", ...; NULL: NAME does not begin so. */
static const char *
without_prefix (const char *name)
{
  const size_t n = strlen (KETTE_TRAINING_PREFIX);

  if (strncmp (name, KETTE_TRAINING_PREFIX, n) != 0)
    return NULL;
  name += n;
  if (*name == '_')
    for (name++; g_ascii_isdigit (*name); name++)
      ;
  return *name == '/' ? name + 1 : NULL;
}

KetteValue *
_kette_training_original (const KetteGraph *main, const KetteValue *value)
{
  const KetteNode *node = value->producer;
  const char *name      = node ? without_prefix (value->name) : NULL;
  KetteValue *original  = name ? _kette_graph_find (main, name) : NULL;

  return original && original->producer && strcmp (original->producer->op, node->op) == 0
                 && strcmp (original->producer->domain, node->domain) == 0
             ? original
             : NULL;
}

/* Is NODE of the algorithm a copy that is not wanted? */
static gboolean
is_left_out (const Merge *m, const KetteGraph *main, const KetteNode *node)
{
  return m->evaluation && node && node->n_out && node->out[0]
         && _kette_training_original (main, node->out[0]);
}

/* The copy of VALUE, which belongs to the main graph or to the algorithm. */
static KetteValue *
copy_of (const Merge *m, const KetteGraph *algorithm, const KetteValue *value)
{
  if (!value)
    return NULL;
  while (value->graph == algorithm && value->outer)
    value = value->outer;
  return value->graph == algorithm ? m->algorithm[value->index] : m->main[value->index];
}

static gboolean
copy_values (Merge *m, const KetteGraph *main, const KetteGraph *algorithm,
             GError **error)
{
  for (size_t i = 0; i < algorithm->n_values; i++)
    {
      const KetteValue *from     = algorithm->values[i];
      const KetteValue *original = is_left_out (m, main, from->producer)
                                       ? _kette_training_original (main, from)
                                       : NULL;
      KetteValue *to;
      if (original)
        m->algorithm[i] = m->main[original->index];
      if (from->outer || original)
        continue;
      /* The concatenation is one scope: a name of both sides is a fault of the file. */
      to = from->data ? _kette_graph_add_constant (m->step, from->name, from->data, error)
                      : _kette_graph_add_value (m->step, from->name, error);
      if (to && from->sparse)
        {
          to->flags |= KETTE_VALUE_INITIALIZER;
          _kette_value_set_sparse (to, from->sparse);
        }
      if (!to || (from->type.kind && !_kette_value_set_type (to, &from->type, error)))
        return FALSE;
      to->flags |= from->flags & KETTE_VALUE_DECLARED;
      m->algorithm[i] = to;
    }
  return TRUE;
}

static gboolean
copy_nodes (Merge *m, const KetteGraph *main, const KetteGraph *algorithm, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  char where[KETTE_WHERE_SIZE];
  size_t most = 1;
  gboolean ok = TRUE;

  for (size_t i = 0; i < algorithm->n_nodes; i++)
    most = MAX (most,
                (size_t) algorithm->nodes[i]->n_in + (size_t) algorithm->nodes[i]->n_out);
  KetteValue **operands = _kette_alloc (account, most, sizeof *operands, error);
  if (!operands)
    return FALSE;
  for (size_t i = 0; ok && i < algorithm->n_nodes; i++)
    {
      const KetteNode *node = algorithm->nodes[i];
      if (is_left_out (m, main, node))
        continue;
      if (node->subgraphs)
        {
          ok = _kette_fail (error, KETTE_ERROR_UNSUPPORTED,
                            _kette_node_where (node, where),
                            "subgraphs inside a training step");
          break;
        }
      for (int32_t k = 0; k < node->n_in; k++)
        operands[k] = copy_of (m, algorithm, node->in[k]);
      for (int32_t k = 0; k < node->n_out; k++)
        operands[node->n_in + k] = copy_of (m, algorithm, node->out[k]);
      KetteNode *copy = _kette_graph_add_node (
          m->step, node->name, node->domain, node->op, node->version, operands,
          node->n_in, operands + node->n_in, node->n_out, node->attrs, node->n_attrs,
          error);
      ok = copy != NULL;
      if (copy)
        copy->overload = node->overload;
    }
  _kette_free (operands);
  return ok;
}

/* The main graph's inputs, then the algorithm's; no outputs. */
static gboolean
set_inputs (Merge *m, const KetteGraph *algorithm, GError **error)
{
  for (size_t i = 0; i < algorithm->n_inputs; i++)
    if (!_kette_graph_add_input (m->step, copy_of (m, algorithm, algorithm->inputs[i]),
                                 error))
      return FALSE;
  for (size_t i = 0; i < m->step->n_outputs; i++)
    m->step->outputs[i]->flags &= ~(uint32_t) KETTE_VALUE_OUTPUT;
  m->step->n_outputs = 0;
  return TRUE;
}

/* The algorithm's outputs, then the new contents of the state, so that no pass drops their
 * nodes. */
static gboolean
set_outputs (Merge *m, const KetteTraining *info, KetteBinding *updates, GError **error)
{
  const KetteGraph *algorithm = info->algorithm;

  for (size_t i = 0; i < algorithm->n_outputs; i++)
    if (!_kette_graph_add_output (m->step, copy_of (m, algorithm, algorithm->outputs[i]),
                                  error))
      return FALSE;
  for (size_t i = 0; i < info->n_update; i++)
    {
      updates[i].key   = copy_of (m, algorithm, info->update[i].key);
      updates[i].value = copy_of (m, algorithm, info->update[i].value);
      updates[i].key->flags |= KETTE_VALUE_STATE;
      if (!(updates[i].value->flags & KETTE_VALUE_OUTPUT)
          && !_kette_graph_add_output (m->step, updates[i].value, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
merge (Merge *m, KetteGraph *main, const KetteGraph *algorithm, GError **error)
{
  m->step      = _kette_graph_clone (main, &m->main, error);
  m->algorithm = m->step
                     ? _kette_alloc (_kette_account_process (), algorithm->n_values + 1,
                                     sizeof *m->algorithm, error)
                     : NULL;
  return m->algorithm && copy_values (m, main, algorithm, error)
         && copy_nodes (m, main, algorithm, error);
}

/* Replacements rename graph outputs; the bindings follow by the outputs' places. */
static void
follow_outputs (const KetteGraph *step, KetteBinding *updates, const size_t *places,
                size_t n)
{
  for (size_t i = 0; i < n; i++)
    updates[i].value = step->outputs[places[i]];
}

static gboolean
expand (KetteGraph *step, GError **error)
{
  return _kette_pass_check (step, error) && _kette_pass_canonical (step, error)
         && _kette_pass_infer (step, error) && _kette_pass_expand_gradients (step, error)
         && _kette_pass_infer (step, error)
         && _kette_pass_inline (step, KETTE_INLINE_NEEDED, error)
         && _kette_pass_infer (step, error);
}

static gboolean
expand_all (KetteGraph *step, KetteBinding *updates, size_t n, GError **error)
{
  size_t *places = _kette_alloc (_kette_account_process (), n + 1, sizeof *places, error);
  gboolean ok    = places != NULL;

  for (size_t i = 0; ok && i < n; i++)
    while (places[i] < step->n_outputs && step->outputs[places[i]] != updates[i].value)
      places[i]++;
  ok = ok && expand (step, error);
  if (ok)
    follow_outputs (step, updates, places, n);
  _kette_free (places);
  return ok;
}

/* The algorithm of training info I; NULL with an error: there is none. */
static KetteGraph *
algorithm_of (const KetteModel *model, size_t i, GError **error)
{
  if (i < model->n_training && model->training[i]->algorithm)
    return model->training[i]->algorithm;
  _kette_fail (error, KETTE_ERROR_GRAPH, NULL, "has no training step %zu", i);
  return NULL;
}

KetteGraph *
_kette_pass_training (KetteGraph *graph, size_t i, KetteBinding **updates, GError **error)
{
  KetteGraph *algorithm = algorithm_of (graph->model, i, error);
  Merge m               = { 0 };
  gboolean ok;

  *updates = NULL;
  if (!algorithm)
    return NULL;
  const KetteTraining *info = graph->model->training[i];
  *updates                  = _kette_alloc (_kette_account_process (), info->n_update + 1,
                                            sizeof **updates, error);
  ok                        = *updates && merge (&m, graph, algorithm, error)
       && set_inputs (&m, algorithm, error) && set_outputs (&m, info, *updates, error)
       && expand_all (m.step, *updates, info->n_update, error);
  _kette_free (m.main);
  _kette_free (m.algorithm);
  if (ok)
    return m.step;
  _kette_free (*updates);
  *updates = NULL;
  kette_graph_unref (m.step);
  return NULL;
}

KetteGraph *
_kette_pass_evaluation (KetteGraph *graph, size_t i, KetteValue *const *values, size_t n,
                        GError **error)
{
  KetteGraph *algorithm = algorithm_of (graph->model, i, error);
  Merge m               = { .evaluation = TRUE };
  gboolean ok           = algorithm && merge (&m, graph, algorithm, error)
                && set_inputs (&m, algorithm, error);

  for (size_t k = 0; ok && k < n; k++)
    ok = _kette_graph_add_output (m.step, copy_of (&m, algorithm, values[k]), error);
  ok = ok && _kette_graph_sweep (m.step, NULL, 0, error) && expand (m.step, error)
       && _kette_graph_sweep (m.step, NULL, 0, error);
  _kette_free (m.main);
  _kette_free (m.algorithm);
  if (ok)
    return m.step;
  kette_graph_unref (m.step);
  return NULL;
}
