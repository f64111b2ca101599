/* SPDX-License-Identifier: Apache-2.0
 * Pass gradient: reverse-mode differentiation by adding ordinary nodes.
 *
 * Active values lie on a way from a wanted value to the target through differentiable
 * inputs. Nodes are taken in reverse topological order: then all consumers of a node's
 * outputs are done, and the sum of their contributions is the seed for its own gradient.
 * No walk is recursive, and each node is visited once, also in a ladder of diamonds.
 */
#include "op/context.h"
#include "pass/inline.h"
#include <string.h>

/* The contributions to one value, as a list in order of arrival. */
typedef struct
{
  KetteValue *value;
  uint32_t next; /* index + 1 of the next entry, 0: last */
} Term;

typedef struct
{
  KetteGraph *graph;
  uint8_t *active; /* by value index: bit 0 reached from wrt, bit 1 leads to target */
  uint32_t *first, *last; /* by value index: its terms, index + 1 */
  KetteValue **total;     /* by value index: the sum, once made */
  size_t n_values;        /* when the arrays were made: new values are never active */
  Term *terms;
  size_t n_terms, capacity;
  KetteValue **set, **seeds; /* one node's operands */
  uint8_t *wanted;
} State;

static gboolean
is_float (const KetteValue *value)
{
  const KetteDtype *row = _kette_dtype (value->type.dtype);

  return value->type.kind == KT_TENSOR && row && row->is_float;
}

/* Can a derivative pass through input I of NODE? */
static gboolean
passes (const KetteNode *node, int32_t i)
{
  const kt_op *op     = &node->def->op;
  const int32_t param = MIN (i, op->n_in - 1);

  return node->in[i] && is_float (node->in[i]) && param >= 0
         && !(op->in[param].flags & KT_P_NO_GRADIENT)
         && !(op->flags & KT_OP_ZERO_GRADIENT);
}

static gboolean
is_active (const State *s, const KetteValue *value)
{
  return value && value->index < s->n_values && s->active[value->index] == 3;
}

static void
mark_active (State *s, KetteValue *target, KetteValue *const *wrt, size_t n_wrt)
{
  const KetteGraph *g = s->graph;

  for (size_t i = 0; i < n_wrt; i++)
    s->active[wrt[i]->index] |= 1;
  for (size_t i = 0; i < g->n_nodes; i++)
    {
      const KetteNode *node = g->nodes[i];
      gboolean reached      = FALSE;
      for (int32_t k = 0; node->def && k < node->n_in && !reached; k++)
        reached = passes (node, k) && (s->active[node->in[k]->index] & 1);
      for (int32_t k = 0; reached && k < node->n_out; k++)
        if (node->out[k] && is_float (node->out[k]))
          s->active[node->out[k]->index] |= 1;
    }
  s->active[target->index] |= 2;
  for (size_t i = g->n_nodes; i-- > 0;)
    {
      const KetteNode *node = g->nodes[i];
      gboolean leads        = FALSE;
      for (int32_t k = 0; node->def && k < node->n_out && !leads; k++)
        leads = node->out[k] && (s->active[node->out[k]->index] & 2);
      for (int32_t k = 0; leads && k < node->n_in; k++)
        if (passes (node, k))
          s->active[node->in[k]->index] |= 2;
    }
}

static gboolean
add_term (State *s, const KetteValue *value, KetteValue *term, GError **error)
{
  if (!_kette_grow (&s->terms, &s->capacity, s->n_terms + 1, sizeof *s->terms, error))
    return FALSE;
  s->terms[s->n_terms++] = (Term){ term, 0 };
  if (s->last[value->index])
    s->terms[s->last[value->index] - 1].next = (uint32_t) s->n_terms;
  else
    s->first[value->index] = (uint32_t) s->n_terms;
  s->last[value->index] = (uint32_t) s->n_terms;
  return TRUE;
}

/* Adds a resolved node with one output. */
static KetteValue *
emit (KetteGraph *graph, const char *name, const char *op, KetteValue *const *in,
      int32_t n_in, const kt_attr *attr, GError **error)
{
  KetteValue *out = _kette_graph_add_value (graph, NULL, error);
  KetteNode *node = out ? _kette_graph_add_node (graph, name, "", op, 18, in, n_in, &out,
                                                 1, attr, attr ? 1 : 0, error)
                        : NULL;

  if (!node || !_kette_node_resolve (node, error) || !_kette_node_infer (node, error))
    return NULL;
  return out;
}

/* The gradient of VALUE: its only term, or one Sum node over all of them. NULL without error:
 * there is no term. */
static KetteValue *
total_of (State *s, KetteValue *value, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  KetteValue **terms;
  char name[512];
  size_t n = 0;

  if (s->total[value->index] || !s->first[value->index])
    return s->total[value->index];
  for (uint32_t t = s->first[value->index]; t; t = s->terms[t - 1].next)
    n++;
  if (n == 1)
    return s->total[value->index] = s->terms[s->first[value->index] - 1].value;

  if (!(terms = _kette_alloc (account, n, sizeof *terms, error)))
    return NULL;
  /* Consumers were visited last to first; the sum takes them first to last. */
  for (uint32_t t = s->first[value->index]; t; t = s->terms[t - 1].next)
    terms[--n] = s->terms[t - 1].value;
  for (uint32_t t = s->first[value->index]; t; t = s->terms[t - 1].next)
    n++;
  g_snprintf (name, sizeof name, "grad/%.400s/Sum", value->name);
  s->total[value->index] = emit (s->graph, name, "Sum", terms, (int32_t) n, NULL, error);
  _kette_free (terms);
  return s->total[value->index];
}

static gboolean
not_differentiable (const KetteNode *node, const KetteValue *value, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, _kette_node_where (node, where),
                      node->def->op.flags & KT_OP_NO_GRADIENT
                          ? "not differentiable, and a gradient must pass to %s"
                          : "its plugin gives no gradient, and one must pass to %s",
                      KETTE_QUOTE (value->name));
}

static gboolean
differentiate_node (State *s, KetteNode *node, GError **error)
{
  gboolean seeded = FALSE, wanted = FALSE;

  /* A gradient may ask for outputs that the node did not have so far: they have no seed. */
  for (int32_t i = 0; i < MAX (node->n_out, node->def->op.n_out); i++)
    s->seeds[i] = NULL;
  for (int32_t i = 0; i < node->n_out; i++)
    {
      if (!is_active (s, node->out[i]) || !s->first[node->out[i]->index])
        continue;
      if (!(s->seeds[i] = total_of (s, node->out[i], error)))
        return FALSE;
      seeded = TRUE;
    }
  for (int32_t i = 0; i < node->n_in; i++)
    {
      s->set[i]    = NULL;
      s->wanted[i] = node->in[i] && passes (node, i) && is_active (s, node->in[i]);
      wanted       = wanted || s->wanted[i];
      if (seeded && s->wanted[i] && (!node->def->op.gradient || node->subgraphs))
        return not_differentiable (node, node->in[i], error);
    }
  if (!seeded || !wanted)
    return TRUE;
  if (!_kette_emit_gradient (node, s->seeds, s->wanted, s->set, error))
    return FALSE;
  for (int32_t i = 0; i < node->n_in; i++)
    if (s->set[i] && !add_term (s, node->in[i], s->set[i], error))
      return FALSE;
  return TRUE;
}

/* V of VALUE's type everywhere: a scalar constant where VALUE is one, else expanded to the
 * shape that VALUE has at run time. */
static KetteValue *
filled_like (KetteGraph *graph, KetteValue *value, double v, GError **error)
{
  KetteTensor *scalar  = kette_tensor_new (value->type.dtype, NULL, 0, error);
  KetteValue *constant = NULL;

  if (scalar)
    {
      _kette_tensor_set_double (scalar, 0, v);
      constant = _kette_graph_add_constant (graph, NULL, scalar, error);
      kette_tensor_unref (scalar);
    }
  if (!constant)
    return NULL;
  constant->flags &= ~(uint32_t) KETTE_VALUE_INITIALIZER;
  if (value->type.ndim == 0)
    return constant;

  KetteValue *shape = emit (graph, "grad/Shape", "Shape", &value, 1, NULL, error);
  return shape ? emit (graph, "grad/Expand", "Expand",
                       (KetteValue *[]){ constant, shape }, 2, NULL, error)
               : NULL;
}

static gboolean
name_gradient (KetteValue *value, KetteValue *grad, GError **error)
{
  char name[1024];

  if (!grad->producer
      || g_snprintf (name, sizeof name, "grad/%s", value->name) >= (int) sizeof name
      || _kette_graph_find (grad->graph, name) || g_str_has_prefix (grad->name, "grad/"))
    return TRUE;
  return _kette_graph_rename (grad, name, error);
}

static gboolean
run_backward (State *s, KetteValue *target, KetteValue *seed, KetteValue *const *wrt,
              size_t n_wrt, KetteValue **grads, GError **error)
{
  const size_t n_nodes = s->graph->n_nodes;

  if (!seed && !(seed = filled_like (s->graph, target, 1, error)))
    return FALSE;
  if (!add_term (s, target, seed, error))
    return FALSE;
  for (size_t i = n_nodes; i-- > 0;)
    if (s->graph->nodes[i]->def && !differentiate_node (s, s->graph->nodes[i], error))
      return FALSE;
  for (size_t i = 0; i < n_wrt; i++)
    {
      grads[i] = wrt[i]->index < s->n_values && s->first[wrt[i]->index]
                     ? total_of (s, wrt[i], error)
                     : filled_like (s->graph, wrt[i], 0, error);
      if (!grads[i] || !name_gradient (wrt[i], grads[i], error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
allocate (State *s, GError **error)
{
  KetteAccount *account = _kette_account_process ();
  int32_t n_in = 1, n_out = 1;

  s->n_values = s->graph->n_values;
  for (size_t i = 0; i < s->graph->n_nodes; i++)
    {
      n_in  = MAX (n_in, s->graph->nodes[i]->n_in);
      n_out = MAX (n_out,
                   MAX (s->graph->nodes[i]->n_out,
                        s->graph->nodes[i]->def ? s->graph->nodes[i]->def->op.n_out : 0));
    }
  return (s->active = _kette_alloc (account, s->n_values + 1, 1, error))
         && (s->first = _kette_alloc (account, s->n_values + 1, sizeof *s->first, error))
         && (s->last = _kette_alloc (account, s->n_values + 1, sizeof *s->last, error))
         && (s->total = _kette_alloc (account, s->n_values + 1, sizeof *s->total, error))
         && (s->set = _kette_alloc (account, (size_t) n_in, sizeof *s->set, error))
         && (s->wanted = _kette_alloc (account, (size_t) n_in, 1, error))
         && (s->seeds = _kette_alloc (account, (size_t) n_out, sizeof *s->seeds, error));
}

static KetteValue *
followed (KetteValue *value)
{
  while (value && value->replacement)
    value = value->replacement;
  return value;
}

/* Functions, and operators whose gradient is that of their body, on the way to TARGET: what
 * else stands in the graph, such as an optimizer, keeps its kernel. */
static gboolean
expand_functions (KetteGraph *graph, const KetteValue *target, gboolean *changed,
                  GError **error)
{
  uint8_t *marks = _kette_alloc (_kette_account_process (), graph->n_nodes + 1, 1, error);
  gboolean ok    = marks && _kette_mark_ancestors (graph, target, marks, error)
                && _kette_expand_nodes (graph, KETTE_INLINE_FUNCTIONS, marks, NULL,
                                        changed, error);

  _kette_free (marks);
  return ok;
}

gboolean
_kette_pass_gradient (KetteGraph *graph, KetteValue *target, KetteValue *seed,
                      KetteValue *const *wrt, size_t n_wrt, KetteValue **grads,
                      GError **error)
{
  State s = { .graph = graph };
  KetteValue **sources;
  gboolean ok, changed = FALSE;

  sources = _kette_alloc (_kette_account_process (), n_wrt + 1, sizeof *sources, error);
  if (!sources || !expand_functions (graph, target, &changed, error))
    {
      _kette_free (sources);
      return FALSE;
    }
  target = followed (target);
  seed   = followed (seed);
  for (size_t i = 0; i < n_wrt; i++)
    sources[i] = followed (wrt[i]);
  if (changed)
    _kette_graph_apply_replacements (graph);

  ok = _kette_graph_sort (graph, NULL, 0, error) && allocate (&s, error);
  if (ok && !is_float (target))
    ok = _kette_fail (error, KETTE_ERROR_TYPE, NULL, "%s is no float, it has no gradient",
                      KETTE_QUOTE (target->name));
  if (ok)
    {
      mark_active (&s, target, sources, n_wrt);
      ok = run_backward (&s, target, seed, sources, n_wrt, grads, error);
    }
  ok = ok && _kette_graph_sort (graph, NULL, 0, error);
  _kette_free (s.active);
  _kette_free (s.first);
  _kette_free (s.last);
  _kette_free (s.total);
  _kette_free (s.terms);
  _kette_free (s.set);
  _kette_free (s.wanted);
  _kette_free (s.seeds);
  _kette_free (sources);
  return ok;
}
