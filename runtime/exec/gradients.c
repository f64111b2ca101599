/* SPDX-License-Identifier: Apache-2.0
 * The backward pass as part of a graph that can be saved: what `kette grad` does.
 */
#include "exec/plan.h"
#include "exec/publish.h"
#include "exec/transform.h"
#include "pass/pass.h"
#include <string.h>

#define EMIT_OPSET 18 /* what gradients are written in; ops/emit.h */
#define EMIT_IR 8     /* the first IR version that has that opset  */

static KetteValue *
find_target (KetteGraph *graph, const char *of, GError **error)
{
  KetteValue *scalar = NULL;
  size_t n_scalars   = 0;

  if (of)
    {
      KetteValue *value = _kette_graph_find (graph, of);
      if (!value)
        _kette_fail (error, KETTE_ERROR_GRAPH, "graph", "has no value %s",
                     KETTE_QUOTE (of));
      return value;
    }
  for (size_t i = 0; i < graph->n_outputs; i++)
    if (graph->outputs[i]->type.kind == KT_TENSOR && graph->outputs[i]->type.ndim == 0)
      {
        scalar = graph->outputs[i];
        n_scalars++;
      }
  if (n_scalars == 1)
    return scalar;
  if (graph->n_outputs == 1)
    return graph->outputs[0];
  _kette_fail (
      error, KETTE_ERROR_GRAPH, "graph",
      "has %zu outputs, %zu of them scalars: which value is to be differentiated?",
      graph->n_outputs, n_scalars);
  return NULL;
}

static gboolean
matches (const char *const *globs, const char *name)
{
  for (; *globs; globs++)
    if (g_pattern_match_simple (*globs, name))
      return TRUE;
  return FALSE;
}

static gboolean
find_sources (KetteGraph *graph, const char *const *wrt, KetteValue ***sources, size_t *n,
              GError **error)
{
  if (!wrt)
    {
      if (!_kette_pass_trainable (graph, sources, n, error))
        return FALSE;
    }
  else
    {
      *n       = 0;
      *sources = _kette_alloc (_kette_account_process (), graph->n_values + 1,
                               sizeof **sources, error);
      for (size_t i = 0; *sources && i < graph->n_values; i++)
        {
          KetteValue *value     = graph->values[i];
          const KetteDtype *row = _kette_dtype (value->type.dtype);
          if ((value->flags & (KETTE_VALUE_INPUT | KETTE_VALUE_INITIALIZER)) && row
              && row->is_float && matches (wrt, value->name))
            (*sources)[(*n)++] = value;
        }
    }
  if (*sources && *n == 0)
    return _kette_fail (error, KETTE_ERROR_GRAPH, "graph",
                        wrt ? "no float input or parameter has such a name"
                            : "has no trainable parameters");
  return *sources != NULL;
}

/* Gradients become outputs; what they do not need goes. */
static gboolean
publish (KetteGraph *graph, KetteValue *const *sources, KetteValue **grads, size_t n,
         GError **error)
{
  char name[1100];

  for (size_t i = 0; i < n; i++)
    {
      KetteValue *grad = grads[i];
      g_snprintf (name, sizeof name, "grad/%s", sources[i]->name);
      if (strcmp (grad->name, name) != 0)
        { /* one value serves two gradients, or is an input: an output of its own */
          KetteValue *out = _kette_graph_add_value (
              graph, _kette_graph_find (graph, name) ? NULL : name, error);
          KetteNode *node
              = out ? _kette_graph_add_node (graph, "", "", "Identity", EMIT_OPSET, &grad,
                                             1, &out, 1, NULL, 0, error)
                    : NULL;
          if (!node || !_kette_node_resolve (node, error)
              || !_kette_node_infer (node, error))
            return FALSE;
          grad = out;
        }
      if (!(grad->flags & KETTE_VALUE_OUTPUT)
          && !_kette_graph_add_output (graph, grad, error))
        return FALSE;
    }
  return _kette_graph_sweep (graph, NULL, 0, error)
         && _kette_graph_sort (graph, NULL, 0, error);
}

void
_kette_graph_mark_constants (KetteGraph *graph)
{
  for (size_t i = 0; i < graph->n_values; i++)
    {
      KetteValue *value = graph->values[i];
      /* Inference, too, notes what the nodes that stay compute. */
      const gboolean made
          = value->producer && !(value->producer->flags & KETTE_NODE_DEAD);

      if (value->data && !made && !value->outer && !(value->flags & KETTE_VALUE_INPUT))
        value->flags |= KETTE_VALUE_INITIALIZER;
    }
}

/* ONNX lets node names repeat, some runtimes do not: nodes that passes made get names of
 * their own; what the file named stays. */
gboolean
_kette_graph_name_nodes (KetteGraph *graph, GError **error)
{
  KetteNames *names = _kette_names_new (error);
  gboolean ok       = names != NULL;
  char text[1100];

  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    if (graph->nodes[i]->proto && *graph->nodes[i]->name)
      ok = _kette_names_set (names, graph->nodes[i]->name, graph, error);
  for (size_t i = 0; ok && i < graph->n_nodes; i++)
    {
      KetteNode *node = graph->nodes[i];
      if (node->proto)
        continue;
      g_snprintf (text, sizeof text, "%.1000s", *node->name ? node->name : node->op);
      for (size_t k = 2; _kette_names_get (names, text); k++)
        g_snprintf (text, sizeof text, "%.1000s_%zu", *node->name ? node->name : node->op,
                    k);
      node->name = _kette_region_strdup (graph->region, text, error);
      ok         = node->name && _kette_names_set (names, node->name, graph, error);
    }
  _kette_names_free (names);
  return ok;
}

/* Every node keeps its meaning under the opset that the file will import. */
static gboolean
raise_opset (KetteGraph *graph, int32_t opset, GError **error)
{
  KetteModel *model = graph->model;

  for (size_t i = 0; i < graph->n_nodes; i++)
    if (!*graph->nodes[i]->domain)
      graph->nodes[i]->version = opset;
  model->ir_version = MAX (model->ir_version, EMIT_IR);
  return _kette_model_set_opset (model, "", opset, error);
}

static gboolean
differentiate (KetteGraph *graph, const char *of, const char *const *wrt,
               gboolean standard, GError **error)
{
  KetteValue *target   = NULL;
  KetteValue **sources = NULL, **grads = NULL;
  size_t n    = 0;
  gboolean ok = _kette_pass_check (graph, error) && _kette_pass_canonical (graph, error)
                && _kette_pass_infer (graph, error)
                && (target = find_target (graph, of, error))
                && find_sources (graph, wrt, &sources, &n, error);

  grads
      = ok ? _kette_alloc (_kette_account_process (), n + 1, sizeof *grads, error) : NULL;
  ok = grads && _kette_pass_gradient (graph, target, NULL, sources, n, grads, error)
       && publish (graph, sources, grads, n, error)
       && (!standard || _kette_pass_inline (graph, KETTE_INLINE_STANDARD, error))
       && _kette_pass_infer (graph, error)
       && _kette_pass_fold (graph, TRUE, _kette_evaluate, error);
  _kette_free (sources);
  _kette_free (grads);
  return ok;
}

static gboolean
try_on_copy (KetteGraph *graph, const char *of, const char *const *wrt, gboolean standard,
             GError **error)
{
  KetteGraph *copy  = _kette_graph_clone (graph, NULL, error);
  const gboolean ok = copy && differentiate (copy, of, wrt, standard, error);

  kette_graph_unref (copy);
  return ok;
}

gboolean
kette_graph_add_gradients (KetteGraph *self, const char *of, const char *const *wrt,
                           KetteGradientFlags flags, GError **error)
{
  const gboolean standard = (flags & KETTE_GRADIENT_STANDARD) != 0;
  const int32_t own       = _kette_model_opset (self->model, "");
  gboolean ok             = TRUE;

  if (own < EMIT_OPSET && standard && !(flags & KETTE_GRADIENT_RAISE_OPSET))
    ok = _kette_fail (
        error, KETTE_ERROR_UNSUPPORTED, NULL,
        "standard gradients need opset %d, the model has %d; --raise-opset rewrites "
        "it",
        EMIT_OPSET, own);
  /* What cannot be differentiated shows on a copy, and the graph stays as it was. */
  ok = ok && try_on_copy (self, of, wrt, standard, error)
       && differentiate (self, of, wrt, standard, error)
       && raise_opset (self, MAX (own, EMIT_OPSET), error)
       && _kette_graph_name_nodes (self, error)
       && _kette_pass_export_functions (self, error);
  if (ok)
    _kette_graph_mark_constants (self);
  else
    _kette_error_in_file (error, self->model->file);
  return ok;
}
