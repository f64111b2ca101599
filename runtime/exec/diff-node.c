/* SPDX-License-Identifier: Apache-2.0
 * What differs between two graphs whose values and nodes were paired.
 */
#include "base/tensor-private.h"
#include "exec/diff-private.h"
#include "graph/sparse.h"
#include <string.h>

enum
{
  NAMES_MOST = 4 /* of a node's inputs and outputs */
};

static const char *
type_text (const KetteValue *v, char out[512])
{
  if (!v->type.kind)
    return "unknown type";
  return _kette_type_text (out, 512, &v->type, v->graph->model->symbols);
}

/* What a caller feeds or gets; an initializer that is listed as an input is a parameter. */
static gboolean
is_border (const KetteValue *v)
{
  return !(v->flags & KETTE_VALUE_INPUT) || !(v->flags & KETTE_VALUE_INITIALIZER);
}

/* Are the partners that count in the same order? */
static gboolean
same_order (const KettePair *p, KetteValue *const *as, size_t n_a, KetteValue *const *bs,
            size_t n_b)
{
  size_t k = 0;

  for (size_t i = 0; i < n_a; i++)
    {
      if (!is_border (as[i]))
        continue;
      while (k < n_b && !is_border (bs[k]))
        k++;
      if (k < n_b && p->to_b[as[i]->index] != bs[k++])
        return FALSE;
    }
  return TRUE;
}

static void
diff_border (KetteDiff *d, const KettePair *p, KetteDiffSection section,
             const char *where, KetteValue *const *as, size_t n_a, KetteValue *const *bs,
             size_t n_b)
{
  const uint32_t flag
      = section == KETTE_DIFF_INPUTS ? KETTE_VALUE_INPUT : KETTE_VALUE_OUTPUT;
  const size_t told = d->counts[section];
  char x[512], y[512];

  for (size_t i = 0; i < n_a; i++)
    {
      const KetteValue *a = as[i], *b = p->to_b[a->index];

      if (!is_border (a))
        continue;
      if (!b || !(b->flags & flag) || !is_border (b))
        _kette_diff_tell (d, section, '-', where, "%s: %s", KETTE_QUOTE (a->name),
                          type_text (a, x));
      else
        {
          const char *before = type_text (a, x), *after = type_text (b, y);
          if (!*where && strcmp (a->name, b->name) != 0)
            _kette_diff_tell (d, section, '~', where, "%s -> %s: renamed",
                              KETTE_QUOTE (a->name), KETTE_QUOTE (b->name));
          if (strcmp (before, after) != 0)
            _kette_diff_tell (d, section, '~', where, "%s: %s -> %s",
                              KETTE_QUOTE (b->name), before, after);
        }
    }
  for (size_t i = 0; i < n_b; i++)
    {
      const KetteValue *a = p->to_a[bs[i]->index];

      if (is_border (bs[i]) && (!a || !(a->flags & flag) || !is_border (a)))
        _kette_diff_tell (d, section, '+', where, "%s: %s", KETTE_QUOTE (bs[i]->name),
                          type_text (bs[i], y));
    }
  if (d->counts[section] == told && !same_order (p, as, n_a, bs, n_b))
    _kette_diff_tell (d, section, '~', where, "another order");
}

static void
put_names (GString *out, KetteValue *const *values, int32_t n)
{
  for (int32_t i = 0; i < n && i < NAMES_MOST; i++)
    g_string_append_printf (out, "%s%s", i ? ", " : "",
                            values[i] ? KETTE_QUOTE (values[i]->name) : "absent");
  if (n > NAMES_MOST)
    g_string_append_printf (out, ", ... %d in all", n);
}

static void
tell_node (KetteDiff *d, char change, const KetteNode *node)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char where[KETTE_WHERE_SIZE];

  put_names (text, node->in, node->n_in);
  g_string_append (text, node->n_in ? " -> " : "-> ");
  put_names (text, node->out, node->n_out);
  _kette_diff_tell (d, KETTE_DIFF_NODES, change, _kette_node_where (node, where), "%s",
                    text->str);
  d->n_removed += change == '-';
  d->n_added += change == '+';
}

static void
put_inputs (GString *out, const KettePair *p, const KetteNode *a, const KetteNode *b)
{
  for (int32_t i = 0; i < a->n_in || i < b->n_in; i++)
    {
      const KetteValue *x = i < a->n_in ? a->in[i] : NULL,
                       *y = i < b->n_in ? b->in[i] : NULL;

      if (x ? p->to_b[x->index] == y && y : !y)
        continue;
      if (out->len > 800)
        return;
      g_string_append_printf (out, "%sinput %d ", out->len ? "; " : "", i);
      g_string_append (out, x ? KETTE_QUOTE (x->name) : "absent");
      g_string_append (out, " -> ");
      g_string_append (out, y ? KETTE_QUOTE (y->name) : "absent");
    }
}

static void
diff_node (KetteDiff *d, const KettePair *p, const KetteNode *a, const KetteNode *b)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char where[KETTE_WHERE_SIZE];

  if (strcmp (a->op, b->op) != 0 || strcmp (a->domain, b->domain) != 0)
    g_string_append_printf (text, "operator %s%s%s -> %s%s%s", a->domain,
                            *a->domain ? ":" : "", KETTE_QUOTE (a->op), b->domain,
                            *b->domain ? ":" : "", KETTE_QUOTE (b->op));
  if (g_strcmp0 (a->overload ? a->overload : "", b->overload ? b->overload : "") != 0)
    g_string_append_printf (text, "%soverload %s -> %s", text->len ? "; " : "",
                            KETTE_QUOTE (a->overload), KETTE_QUOTE (b->overload));
  _kette_diff_attributes (d, a, b, text);
  put_inputs (text, p, a, b);
  if (a->n_out != b->n_out)
    g_string_append_printf (text, "%s%d -> %d outputs", text->len ? "; " : "", a->n_out,
                            b->n_out);
  if (!text->len)
    return;
  d->n_changed++;
  _kette_diff_tell (d, KETTE_DIFF_NODES, '~', _kette_node_where (a, where), "%s",
                    text->str);
}

static void
diff_names (KetteDiff *d, const KettePair *p, const char *where)
{
  const uint32_t border = KETTE_VALUE_INPUT | KETTE_VALUE_OUTPUT;

  if (d->options.flags & KETTE_DIFF_IGNORE_NAMES)
    return;
  for (size_t i = 0; i < p->a->n_values; i++)
    {
      const KetteValue *a = p->a->values[i], *b = p->to_b[i];

      if (!b || a->outer || strcmp (a->name, b->name) == 0
          || (!*where && (a->flags & b->flags & border) && is_border (a)))
        continue; /* renamed inputs and outputs of the model stand with these */
      d->n_renamed++;
      _kette_diff_tell (d, KETTE_DIFF_NAMES, '~', where, "%s %s -> %s",
                        a->flags & KETTE_VALUE_INITIALIZER ? "parameter" : "value",
                        KETTE_QUOTE (a->name), KETTE_QUOTE (b->name));
    }
  for (size_t i = 0; i < p->a->n_nodes; i++)
    {
      const KetteNode *a = p->a->nodes[i], *b = p->node_b[i];

      /* That its value got a new name has been told. */
      if (!b || strcmp (a->name, b->name) == 0
          || (a->n_out && b->n_out && a->out[0] && b->out[0]
              && strcmp (a->out[0]->name, b->out[0]->name) != 0))
        continue;
      d->n_renamed++;
      _kette_diff_tell (d, KETTE_DIFF_NAMES, '~', where, "node %s -> %s",
                        KETTE_QUOTE (a->name), KETTE_QUOTE (b->name));
    }
}

static gboolean
add_parameter (KetteDiff *d, const char *where, const char *name, const char *new_name,
               const KetteTensor *a, const KetteTensor *b, GError **error)
{
  KetteParameterDiff *row;
  KetteDistance distance = { 0 };

  d->n_compared += a && b;
  if (a && b && a->dtype == b->dtype && a->rank == b->rank && a->count == b->count
      && (a->rank == 0
          || memcmp (a->dims, b->dims, (size_t) a->rank * sizeof *a->dims) == 0))
    {
      if (d->options.flags & KETTE_DIFF_STRUCTURE)
        return TRUE;
      _kette_distance (&distance, a, b, d->options.rtol, d->options.atol, &d->largest);
      if (!distance.differing)
        return TRUE;
    }
  if (d->n_parameters == d->parameters_capacity
      && !_kette_grow (&d->parameters, &d->parameters_capacity, d->n_parameters + 1,
                       sizeof *d->parameters, error))
    return FALSE;
  row  = &d->parameters[d->n_parameters];
  *row = (KetteParameterDiff){
    .name = name, .new_name = new_name, .a = a, .b = b, .distance = distance
  };
  row->where = *where ? _kette_region_strdup (d->region, where, error) : "";
  d->n_parameters += row->where != NULL;
  return row->where != NULL;
}

/* A tensor that a node holds, as one that outlives this call. */
static gboolean
add_constant (KetteDiff *d, const char *where, const KetteNode *a, const KetteNode *b,
              const kt_tensor *x, const kt_tensor *y, GError **error)
{
  KetteTensor *shells = _kette_region_alloc (d->region, 2, sizeof *shells, error);

  if (!shells)
    return FALSE;
  _kette_tensor_shell (&shells[0], x);
  _kette_tensor_shell (&shells[1], y);
  return add_parameter (d, where, a->out[0] ? a->out[0]->name : a->name,
                        b->out[0] ? b->out[0]->name : b->name, &shells[0], &shells[1],
                        error);
}

static gboolean
is_parameter (const KetteValue *v)
{
  return v && (v->flags & KETTE_VALUE_INITIALIZER) && (v->data || v->sparse) && !v->outer;
}

/* Of sparse tensors the entries are compared, and where they stand. */
static gboolean
diff_parameter (KetteDiff *d, const char *where, const KetteValue *a, const KetteValue *b,
                GError **error)
{
  const KetteSparse *x = a ? a->sparse : NULL, *y = b ? b->sparse : NULL;
  const char *name = (a ? a : b)->name;
  char places[KETTE_WHERE_SIZE];

  if (!x && !y)
    return add_parameter (d, where, name, b ? b->name : NULL, a ? a->data : NULL,
                          b ? b->data : NULL, error);
  g_snprintf (places, sizeof places, "%.900s%ssparse, places", where, *where ? ", " : "");
  return add_parameter (d, places, name, b ? b->name : NULL, x ? x->indices : NULL,
                        y ? y->indices : NULL, error)
         && add_parameter (d, where, name, b ? b->name : NULL,
                           x   ? x->values
                           : a ? a->data
                               : NULL,
                           y   ? y->values
                           : b ? b->data
                               : NULL,
                           error);
}

static gboolean
diff_parameters (KetteDiff *d, const KettePair *p, const char *where, GError **error)
{
  for (size_t i = 0; i < p->a->n_values; i++)
    {
      const KetteValue *a = p->a->values[i], *b = p->to_b[i];

      if (is_parameter (a)
          && !diff_parameter (d, where, a, is_parameter (b) ? b : NULL, error))
        return FALSE;
    }
  for (size_t i = 0; i < p->b->n_values; i++)
    {
      const KetteValue *b = p->b->values[i];

      if (is_parameter (b) && !is_parameter (p->to_a[i])
          && !diff_parameter (d, where, NULL, b, error))
        return FALSE;
    }
  for (size_t i = 0; i < p->a->n_nodes; i++)
    {
      const KetteNode *a = p->a->nodes[i], *b = p->node_b[i];
      const kt_tensor *x = b ? _kette_diff_constant (a) : NULL,
                      *y = x ? _kette_diff_constant (b) : NULL;

      if (y && !add_constant (d, where, a, b, x, y, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
_kette_diff_graphs (KetteDiff *d, const KettePair *pair, GError **error)
{
  char where[KETTE_WHERE_SIZE];

  _kette_graph_where (pair->a, where);
  diff_border (d, pair, KETTE_DIFF_INPUTS, where, pair->a->inputs, pair->a->n_inputs,
               pair->b->inputs, pair->b->n_inputs);
  diff_border (d, pair, KETTE_DIFF_OUTPUTS, where, pair->a->outputs, pair->a->n_outputs,
               pair->b->outputs, pair->b->n_outputs);
  for (size_t i = 0; i < pair->a->n_nodes; i++)
    if (pair->node_b[i])
      diff_node (d, pair, pair->a->nodes[i], pair->node_b[i]);
    else
      tell_node (d, '-', pair->a->nodes[i]);
  for (size_t i = 0; i < pair->b->n_nodes; i++)
    if (!pair->node_a[i])
      tell_node (d, '+', pair->b->nodes[i]);
  d->n_nodes += pair->a->n_nodes;
  diff_names (d, pair, where);
  return diff_parameters (d, pair, where, error);
}
