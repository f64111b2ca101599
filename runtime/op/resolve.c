/* SPDX-License-Identifier: Apache-2.0
 * Resolving a node: which definition is meant, and do arity and attributes agree with it.
 */
#include "op/loader.h"
#include <string.h>

static const char *const attribute_kinds[]
    = { "UNDEFINED",      "FLOAT",      "INT",        "STRING",
        "TENSOR",         "GRAPH",      "FLOATS",     "INTS",
        "STRINGS",        "TENSORS",    "GRAPHS",     "SPARSE_TENSOR",
        "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS" };

static const char *
kind_name (int32_t kind)
{
  return kind >= 0 && (size_t) kind < G_N_ELEMENTS (attribute_kinds)
             ? attribute_kinds[kind]
             : "unknown";
}

static int32_t
opset_of (const KetteNode *node)
{
  return node->version > 0 ? node->version
                           : _kette_model_opset (node->graph->model, node->domain);
}

/* Is the operator known, but younger than what NODE means? */
static gboolean
is_early (const KetteNode *node, const KetteFamily *family)
{
  const int32_t opset = opset_of (node);

  return family && family->n_ops && opset > 0
         && family->ops[family->n_ops - 1]->op.since > opset;
}

gboolean
_kette_node_lacks_same (const KetteNode *a, const KetteNode *b)
{
  return strcmp (a->op, b->op) == 0 && strcmp (a->domain, b->domain) == 0
         && strcmp (a->overload ? a->overload : "", b->overload ? b->overload : "") == 0
         && opset_of (a) == opset_of (b);
}

gboolean
_kette_node_fail_missing (const KetteNode *node, size_t n, GError **error)
{
  char where[KETTE_WHERE_SIZE], need[64] = "";
  const KetteFamily *family = _kette_registry_family (node->domain, node->op);
  const int32_t opset       = opset_of (node);
  KetteQuoted op, domain, other;

  _kette_node_where (node, where);
  _kette_quote (&op, node->op);
  _kette_quote (&domain, node->domain);
  if (n > 1)
    g_snprintf (need, sizeof need, ", which %zu nodes need", n);
  if (is_early (node, family))
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "%s%s%s exists since opset %d, the model imports %d", op.text,
                        need, n > 1 ? "," : "", family->ops[family->n_ops - 1]->op.since,
                        opset);
  if (family && family->n_ops)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "no plugin has the form that %s has in opset %d%s", op.text,
                        opset, need);
  /* A refused plugin may be the one that is missed. */
  const KettePluginFile *refused = NULL;
  for (guint i = 0; !refused && _kette_plugins_nth (i); i++)
    if (_kette_plugins_nth (i)->reason)
      refused = _kette_plugins_nth (i);
  if (refused)
    return _kette_fail (
        error, KETTE_ERROR_UNSUPPORTED, where,
        "no plugin has the operator %s (domain %s, opset %d)%s; refused was %s: %s",
        op.text, domain.text, opset, need, refused->path, refused->reason);
  if (_kette_registry_newest (node->domain) == 0)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "no plugin serves the domain %s (operator %s)%s", domain.text,
                        op.text, need);

  const char *near = _kette_registry_nearest (node->domain, node->op);
  if (near)
    return _kette_fail (
        error, KETTE_ERROR_UNSUPPORTED, where,
        "no plugin has the operator %s (domain %s, opset %d)%s; did you mean %s?",
        op.text, domain.text, opset, need, _kette_quote (&other, near));
  return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                      "no plugin has the operator %s (domain %s, opset %d)%s", op.text,
                      domain.text, opset, need);
}

/* A node that no definition serves: opaque where that is tolerated, else an error. */
static gboolean
not_found (KetteNode *node, gboolean tolerant, GError **error)
{
  if (!tolerant || is_early (node, _kette_registry_family (node->domain, node->op)))
    return _kette_node_fail_missing (node, 1, error);
  node->flags |= KETTE_NODE_OPAQUE;
  return TRUE;
}

/* One side of the arity: WHAT is "inputs" or "outputs". */
static gboolean
check_side (const KetteNode *node, const char *what, KetteValue *const *values, int32_t n,
            const kt_param *params, int32_t n_params, gboolean need, GError **error)
{
  char where[KETTE_WHERE_SIZE];
  int32_t least        = 0;
  const gboolean open_ = n_params && (params[n_params - 1].flags & KT_P_VARIADIC);

  for (int32_t i = 0; i < n_params; i++)
    if (params[i].flags & KT_P_VARIADIC)
      least = MAX (least, i + (int32_t) params[i].min);
    else if (!(params[i].flags & KT_P_OPTIONAL))
      least = i + 1;
  if (n < least || (!open_ && n > n_params))
    {
      if (open_ || least != n_params)
        return _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                            n < least ? "has %d %s, needs at least %d"
                                      : "has %d %s, needs at most %d",
                            n, what, n < least ? least : n_params);
      return _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                          "has %d %s, needs %d", n, what, n_params);
    }
  for (int32_t i = 0; need && i < n; i++)
    {
      const kt_param *param = &params[MIN (i, n_params - 1)];

      if (!values[i] && !(param->flags & KT_P_OPTIONAL))
        return _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                            "the required input %d (%s) is absent", i, param->name);
    }
  return TRUE;
}

static gboolean
check_attribute (const KetteNode *node, const kt_attr *attr, GError **error)
{
  const kt_op *op = &node->def->op;
  char where[KETTE_WHERE_SIZE];

  for (int32_t i = 0; i < op->n_attr; i++)
    if (strcmp (op->attr[i].name, attr->name) == 0)
      {
        if (attr->ref || strcmp (kind_name (attr->kind), op->attr[i].type) == 0)
          return TRUE;
        return _kette_fail (error, KETTE_ERROR_ATTR, _kette_node_where (node, where),
                            "attribute %s is %s, must be %s", KETTE_QUOTE (attr->name),
                            kind_name (attr->kind), op->attr[i].type);
      }
  return _kette_fail (error, KETTE_ERROR_ATTR, _kette_node_where (node, where),
                      "unknown attribute %s", KETTE_QUOTE (attr->name));
}

static gboolean
check_attributes (const KetteNode *node, GError **error)
{
  const kt_op *op = &node->def->op;
  char where[KETTE_WHERE_SIZE];

  for (int32_t i = 0; i < node->n_attrs; i++)
    {
      if (node->attrs[i].reserved) /* a graph of an attribute GRAPHS */
        continue;
      if (!check_attribute (node, &node->attrs[i], error))
        return FALSE;
      for (int32_t j = 0; j < i; j++)
        if (strcmp (node->attrs[i].name, node->attrs[j].name) == 0)
          return _kette_fail (error, KETTE_ERROR_ATTR, _kette_node_where (node, where),
                              "attribute %s stands twice",
                              KETTE_QUOTE (node->attrs[i].name));
    }
  for (int32_t i = 0; i < op->n_attr; i++)
    if (!op->attr[i].def && !(op->attr[i].flags & KT_P_OPTIONAL)
        && !_kette_node_attr (node, op->attr[i].name))
      return _kette_fail (error, KETTE_ERROR_ATTR, _kette_node_where (node, where),
                          "the required attribute \"%s\" is missing", op->attr[i].name);
  return TRUE;
}

/* Does FUNCTION know an attribute of that name? */
static gboolean
has_attribute (const KetteFunction *function, const char *name)
{
  for (size_t i = 0; i < function->n_attributes; i++)
    if (strcmp (function->attributes[i], name) == 0)
      return TRUE;
  for (size_t i = 0; i < function->n_defaults; i++)
    if (strcmp (function->defaults[i].name, name) == 0)
      return TRUE;
  return FALSE;
}

/* A node that calls a function: trailing inputs and outputs may be left out. */
static gboolean
check_call (const KetteNode *node, const KetteFunction *function, GError **error)
{
  const size_t n_in = function->body->n_inputs, n_out = function->body->n_outputs;
  char where[KETTE_WHERE_SIZE];

  if ((size_t) node->n_in > n_in || (size_t) node->n_out > n_out)
    {
      const gboolean in = (size_t) node->n_in > n_in;

      return _kette_fail (error, KETTE_ERROR_GRAPH, _kette_node_where (node, where),
                          "has %d %s, the function has %zu",
                          in ? node->n_in : node->n_out, in ? "inputs" : "outputs",
                          in ? n_in : n_out);
    }
  for (int32_t i = 0; i < node->n_attrs; i++)
    if (!has_attribute (function, node->attrs[i].name))
      return _kette_fail (error, KETTE_ERROR_ATTR, _kette_node_where (node, where),
                          "the function has no attribute %s",
                          KETTE_QUOTE (node->attrs[i].name));
  return TRUE;
}

gboolean
_kette_node_resolve (KetteNode *node, GError **error)
{
  return _kette_node_look_up (node, node->graph->tolerance >= KETTE_TOLERANT, error);
}

const KetteOp *
_kette_node_definition (const KetteNode *node)
{
  return node->def ? node->def
                   : _kette_registry_op (node->domain, node->op, opset_of (node));
}

gboolean
_kette_node_look_up (KetteNode *node, gboolean tolerant, GError **error)
{
  const int32_t opset = opset_of (node);
  /* In domain kette the overload only tells bodies of different rank apart. */
  const gboolean own = strcmp (node->domain, "kette") == 0;

  node->def = NULL;
  node->flags &= ~(uint32_t) KETTE_NODE_OPAQUE;
  if (own || !node->overload || !*node->overload)
    node->def
        = _kette_registry_op (node->domain, node->op, own && opset == 0 ? 1 : opset);
  if (!node->def)
    {
      const KetteFunction *function
          = _kette_model_find_function (node->graph->model, node->domain, node->op,
                                        node->overload ? node->overload : "");

      return function ? check_call (node, function, error)
                      : not_found (node, tolerant, error);
    }

  const kt_op *op = &node->def->op;
  return check_side (node, "inputs", node->in, node->n_in, op->in, op->n_in, TRUE, error)
         && check_side (node, "outputs", node->out, node->n_out, op->out, op->n_out,
                        FALSE, error)
         && check_attributes (node, error);
}
