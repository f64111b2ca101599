/* SPDX-License-Identifier: Apache-2.0
 * Which part of a model a picture shows, and which values have a gradient.
 *
 * Gradients are drawn beside the values that they belong to, so the nodes that compute them
 * are not boxes. What has one follows from the definition: it depends on a parameter that
 * training changes, and the loss depends on it, both through differentiable inputs. The
 * gradient pass is run as well, so that nothing is drawn that could not be computed.
 */
#include "draw/draw-private.h"
#include "op/context.h"
#include "op/plugins.h"
#include "pass/pass.h"
#include "train/loss.h"
#include <string.h>

typedef enum
{
  VIEW_AUTO,
  VIEW_FORWARD,
  VIEW_BACKWARD,
  VIEW_BOTH
} View;

static gboolean
read_view (const char *text, View *view, GError **error)
{
  static const char *const names[] = { "auto", "forward", "backward", "both" };

  *view = VIEW_AUTO;
  if (!text)
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (text, names[i]) == 0)
      {
        *view = (View) i;
        return TRUE;
      }
  return _kette_fail (error, KETTE_ERROR_VALUE, "draw",
                      "there is no view %s, only auto, forward, backward and both",
                      KETTE_QUOTE (text));
}

/* Types as far as they can be had: a node that nobody provides, or whose shapes do not fit,
 * must not keep the rest of the graph from being drawn. What only the newest forms and the
 * bodies of functions tell is taken from a graph that was rewritten so. */
static gboolean
infer_types (KetteGraph *graph, GError **error)
{
  KetteGraph *examined = _kette_pass_examine (graph, KETTE_BEST_EFFORT, NULL, error);
  gboolean ok;

  graph->tolerance = KETTE_BEST_EFFORT;
  ok               = examined && _kette_pass_check (graph, error)
       && _kette_pass_infer_all (graph, NULL, error);
  for (size_t i = 0; ok && i < graph->n_values; i++)
    {
      KetteValue *v           = graph->values[i];
      const KetteValue *known = v->type.kind && v->type.ndim >= 0
                                    ? NULL
                                    : _kette_graph_find (examined, v->name);

      if (known && known->type.kind)
        ok = _kette_value_set_type (v, &known->type, error);
    }
  kette_graph_unref (examined);
  return ok;
}

/* Statistics are updated like parameters, but by no gradient. */
static gboolean
is_statistic (const KetteGraph *graph, const KetteValue *key)
{
  for (size_t i = 0; i < graph->n_nodes; i++)
    for (int32_t k = 0; k < graph->nodes[i]->n_in; k++)
      {
        const kt_op *op = graph->nodes[i]->def ? &graph->nodes[i]->def->op : NULL;
        if (graph->nodes[i]->in[k] == key && op && op->n_in > 0
            && (op->in[MIN (k, op->n_in - 1)].flags & KT_P_NO_PARAMETER))
          return TRUE;
      }
  return FALSE;
}

/* The model's own training step, with the loss first among its outputs. */
static gboolean
take_step (KetteScope *scope, KetteGraph *graph, KetteValue ***wrt, size_t *n_wrt,
           GError **error)
{
  KetteBinding *updates = NULL;
  const size_t n        = graph->model->training[0]->n_update;

  scope->graph = _kette_pass_training (graph, 0, &updates, error);
  if (!scope->graph)
    return FALSE;
  *wrt   = _kette_alloc_raw (_kette_account_process (), n ? n : 1, sizeof **wrt, error);
  *n_wrt = 0;
  for (size_t i = 0; *wrt && i < n; i++)
    if (!is_statistic (scope->graph, updates[i].key))
      (*wrt)[(*n_wrt)++] = updates[i].key;
  _kette_free (updates);
  return *wrt != NULL;
}

/* The graph as the file has it. */
static gboolean
take_graph (KetteScope *scope, KetteGraph *graph, GError **error)
{
  scope->graph = _kette_graph_clone (graph, NULL, error);
  return scope->graph && _kette_graph_sort (scope->graph, NULL, 0, error)
         && infer_types (scope->graph, error);
}

gboolean
_kette_scope_flows (const KetteNode *node, int32_t i)
{
  const kt_op *op = node->def ? &node->def->op : NULL;

  if (!node->in[i] || !_kette_scope_is_float (node->in[i]))
    return FALSE;
  if (!op) /* nobody knows; the gradient pass has the last word */
    return TRUE;
  if (op->flags & (KT_OP_ZERO_GRADIENT | KT_OP_NO_GRADIENT))
    return FALSE;
  if (op->n_in == 0)
    return TRUE;
  return !(op->in[MIN (i, op->n_in - 1)].flags & KT_P_NO_GRADIENT);
}

/* Marks what depends on a wanted value and what the loss depends on; both in one walk each,
 * as the nodes are sorted. */
static gboolean
mark_active (KetteScope *scope, KetteValue *const *wrt, size_t n_wrt, GError **error)
{
  enum
  {
    WANTED  = 1,
    REACHES = 2
  };
  const KetteGraph *graph = scope->graph;
  gboolean any            = FALSE;

  for (size_t i = 0; i < n_wrt; i++)
    scope->active[wrt[i]->index] |= WANTED;
  for (size_t k = 0; k < graph->n_nodes; k++)
    {
      const KetteNode *node = graph->nodes[k];
      guint8 mark           = 0;

      for (int32_t i = 0; i < node->n_in; i++)
        if (node->in[i] && _kette_scope_flows (node, i))
          mark |= scope->active[node->in[i]->index] & WANTED;
      for (int32_t i = 0; i < node->n_out; i++)
        if (node->out[i] && _kette_scope_is_float (node->out[i]))
          scope->active[node->out[i]->index] |= mark;
    }
  scope->active[scope->loss->index] |= REACHES;
  for (size_t k = graph->n_nodes; k-- > 0;)
    {
      const KetteNode *node = graph->nodes[k];
      guint8 mark           = 0;

      for (int32_t i = 0; i < node->n_out; i++)
        if (node->out[i])
          mark |= scope->active[node->out[i]->index] & REACHES;
      for (int32_t i = 0; mark && i < node->n_in; i++)
        if (node->in[i] && _kette_scope_flows (node, i))
          scope->active[node->in[i]->index] |= mark;
    }
  for (size_t i = 0; i < n_wrt; i++)
    any |= scope->active[wrt[i]->index] == (WANTED | REACHES);
  for (size_t i = 0; i < graph->n_values; i++)
    scope->active[i] = scope->active[i] == (WANTED | REACHES);
  if (any)
    return TRUE;
  return _kette_fail (error, KETTE_ERROR_GRAPH, "draw",
                      "the loss %s depends on no parameter, there is no gradient to draw",
                      KETTE_QUOTE (scope->loss->name));
}

/* With a loss, the picture shows what the loss is made of: neither gradient nodes nor the
 * optimizer. */
static gboolean
mark_needed (KetteScope *scope, GError **error)
{
  const KetteGraph *graph = scope->graph;
  KetteUses *uses         = _kette_uses_new (graph, error);

  if (!uses)
    return FALSE;
  for (size_t k = graph->n_nodes; k-- > 0;)
    {
      const KetteNode *node = graph->nodes[k];

      scope->needed[k] = !scope->loss;
      for (int32_t i = 0; i < node->n_out && !scope->needed[k]; i++)
        {
          const KetteValue *v = node->out[i];

          scope->needed[k] = v && v == scope->loss;
          for (uint32_t u = v ? uses->start[v->index] : 0;
               v && u < uses->start[v->index + 1]; u++)
            scope->needed[k] |= scope->needed[uses->nodes[u]->index];
        }
    }
  _kette_uses_free (uses);
  return TRUE;
}

/* Emits the gradients on a copy: an operator without one is an error here, not a picture of
 * something that cannot be computed. */
static gboolean
try_gradient (const KetteScope *scope, KetteValue *const *wrt, size_t n_wrt,
              GError **error)
{
  KetteValue **map    = NULL;
  KetteGraph *copy    = _kette_graph_clone (scope->graph, &map, error);
  KetteValue **copies = copy ? _kette_alloc (_kette_account_process (), 2 * n_wrt + 1,
                                             sizeof *copies, error)
                             : NULL;
  gboolean ok         = copies != NULL;

  for (size_t i = 0; ok && i < n_wrt; i++)
    copies[i] = map[wrt[i]->index];
  ok = ok
       && _kette_pass_gradient (copy, map[scope->loss->index], NULL, copies, n_wrt,
                                copies + n_wrt, error);
  _kette_free (copies);
  _kette_free (map);
  if (copy)
    kette_graph_unref (copy);
  return ok;
}

static gboolean
has_step (const KetteGraph *graph)
{
  return graph->model->n_training && graph->model->training[0]->algorithm;
}

/* The graph with its loss, and the parameters whose gradients are wanted: those that the
 * model's own training step updates, else those that training would by default. */
static gboolean
take_loss (KetteScope *scope, KetteGraph *graph, const char *name, KetteValue ***wrt,
           size_t *n_wrt, GError **error)
{
  const char *loss = name;

  if (has_step (graph) && (!name || !_kette_loss_find (name)))
    {
      if (!take_step (scope, graph, wrt, n_wrt, error))
        return FALSE;
      scope->step = TRUE;
      if (!name && scope->graph->n_outputs)
        loss = scope->graph->outputs[0]->name;
      return _kette_scope_find_loss (scope, loss, error);
    }
  scope->graph = _kette_pass_prepare (graph, error);
  if (!scope->graph || !_kette_scope_find_loss (scope, name, error)
      || !_kette_graph_sort (scope->graph, NULL, 0, error))
    return FALSE;
  return !scope->gradients
         || (_kette_pass_trainable (scope->graph, wrt, n_wrt, error)
             && try_gradient (scope, *wrt, *n_wrt, error));
}

/* Does a node have an operator that nobody provides? There are no gradients then. */
static gboolean
has_missing (KetteGraph *graph, gboolean *answer, GError **error)
{
  KetteTally *rows;
  size_t n;

  *answer = FALSE;
  if (!_kette_pass_tally (graph, &rows, &n, error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    *answer = *answer || rows[i].missing;
  _kette_free (rows);
  return TRUE;
}

/* Is there something that "auto" would draw a gradient of? */
static gboolean
has_loss (KetteGraph *graph, const KetteDrawOptions *options, gboolean *answer,
          GError **error)
{
  KetteScope scope = { 0 };
  KetteValue **wrt = NULL;
  size_t n_wrt     = 0;
  gboolean ok      = TRUE, missing;

  *answer = options->loss != NULL;
  if (*answer)
    return TRUE;
  if (!has_missing (graph, &missing, error))
    return FALSE;
  *answer = !missing && has_step (graph);
  if (missing || *answer)
    return TRUE;
  ok = take_graph (&scope, graph, error);
  if (ok && _kette_scope_scalar_output (scope.graph))
    {
      ok      = _kette_pass_trainable (scope.graph, &wrt, &n_wrt, error);
      *answer = n_wrt > 0;
    }
  _kette_free (wrt);
  _kette_scope_clear (&scope);
  return ok;
}

gboolean
_kette_scope_init (KetteScope *scope, KetteGraph *graph, const KetteDrawOptions *options,
                   GError **error)
{
  View view;
  gboolean ok;

  *scope = (KetteScope){ 0 };
  if (!read_view (options->view, &view, error))
    return FALSE;
  scope->gradients = view != VIEW_FORWARD;
  scope->pale      = view == VIEW_BACKWARD;
  if (view == VIEW_AUTO && !has_loss (graph, options, &scope->gradients, error))
    return FALSE;
  ok = scope->gradients || options->loss
           ? take_loss (scope, graph, options->loss, &scope->wrt, &scope->n_wrt, error)
           : take_graph (scope, graph, error);
  if (ok)
    {
      KetteAccount *account = _kette_account_process ();

      scope->needed = _kette_alloc (account, scope->graph->n_nodes + 1, 1, error);
      scope->active = _kette_alloc (account, scope->graph->n_values + 1, 1, error);
      ok            = scope->needed && scope->active && mark_needed (scope, error)
           && (!scope->gradients || mark_active (scope, scope->wrt, scope->n_wrt, error));
    }
  if (!ok)
    _kette_scope_clear (scope);
  return ok;
}

void
_kette_scope_clear (KetteScope *scope)
{
  _kette_free (scope->needed);
  _kette_free (scope->active);
  _kette_free (scope->wrt);
  if (scope->graph)
    kette_graph_unref (scope->graph);
  *scope = (KetteScope){ 0 };
}
