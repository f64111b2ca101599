/* SPDX-License-Identifier: Apache-2.0
 * Attributes of nodes, and the defaults of a function's attributes.
 */
#include "graph/sparse.h"
#include "io/build.h"
#include <string.h>

/* Where attributes are read: the scope gives tensors and subgraphs in order. */
typedef struct
{
  KetteBuild *b;
  size_t scope, child;
  size_t extra; /* place of the next graph of an attribute GRAPHS */
  KetteFunction *function;
  KetteGraph *graph;
  const char *where;
  gboolean in_function;
} Reader;

static const char *const kind_names[]
    = { "UNDEFINED",      "FLOAT",      "INT",        "STRING",
        "TENSOR",         "GRAPH",      "FLOATS",     "INTS",
        "STRINGS",        "TENSORS",    "GRAPHS",     "SPARSE_TENSOR",
        "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS" };

/* The kinds whose fields are used, as bits. */
static uint32_t
used_kinds (const Onnx__AttributeProto *a)
{
  return (uint32_t) ((a->has_f ? 1u << KT_A_FLOAT : 0) | (a->has_i ? 1u << KT_A_INT : 0)
                     | (a->has_s ? 1u << KT_A_STRING : 0) | (a->t ? 1u << KT_A_TENSOR : 0)
                     | (a->g ? 1u << KT_A_GRAPH : 0)
                     | (a->n_floats ? 1u << KT_A_FLOATS : 0)
                     | (a->n_ints ? 1u << KT_A_INTS : 0)
                     | (a->n_strings ? 1u << KT_A_STRINGS : 0)
                     | (a->n_tensors ? 1u << KT_A_TENSORS : 0)
                     | (a->n_graphs ? 1u << KT_A_GRAPHS : 0)
                     | (a->sparse_tensor ? 1u << KT_A_SPARSE_TENSOR : 0)
                     | (a->n_sparse_tensors ? 1u << KT_A_SPARSE_TENSORS : 0)
                     | (a->tp ? 1u << KT_A_TYPE : 0)
                     | (a->n_type_protos ? 1u << KT_A_TYPES : 0));
}

static gboolean
attr_kind (const Reader *r, const Onnx__AttributeProto *a, int32_t *kind, GError **error)
{
  const char *name = _kette_text (a->name);
  uint32_t used    = used_kinds (a);

  *kind = a->type;
  if (!a->has_type || a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
    {
      if (r->b->model->ir_version > 1)
        return _kette_fail (error, KETTE_ERROR_ATTR, r->where, "attribute %s has no type",
                            KETTE_QUOTE (name));
      if (used == 0 || (used & (used - 1)) != 0)
        return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                            "attribute %s has no type, and %s content",
                            KETTE_QUOTE (name), used ? "more than one" : "no");
      *kind = __builtin_ctz (used);
    }
  if (*kind < 0 || *kind >= (int32_t) G_N_ELEMENTS (kind_names))
    return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                        "attribute %s has the type %d, which does not exist",
                        KETTE_QUOTE (name), *kind);
  used &= ~(1u << *kind);
  if (used)
    return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                        "attribute %s is %s, but has content of %s", KETTE_QUOTE (name),
                        kind_names[*kind], kind_names[__builtin_ctz (used)]);
  return TRUE;
}

static gboolean
missing (const Reader *r, const Onnx__AttributeProto *a, int32_t kind, GError **error)
{
  return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                      "attribute %s is %s, but has none",
                      KETTE_QUOTE (_kette_text (a->name)), kind_names[kind]);
}

/* A copy with a zero byte behind it. */
static const char *
copy_bytes (KetteRegion *region, const ProtobufCBinaryData *bytes, GError **error)
{
  char *s = _kette_region_alloc (region, bytes->len + 1, 1, error);

  if (s && bytes->len > 0)
    memcpy (s, bytes->data, bytes->len);
  return s;
}

/* The scope's next N tensors as views; the graph keeps them. */
static gboolean
take_tensors (Reader *r, size_t n, kt_attr *out, GError **error)
{
  KetteScope *scope = &r->b->scopes[r->scope];
  kt_tensor *views  = _kette_region_alloc (r->graph->region, n, sizeof *views, error);

  if (!views
      || (n > r->graph->kept_capacity - r->graph->n_kept
          && !_kette_grow (&r->graph->kept, &r->graph->kept_capacity,
                           r->graph->n_kept + n, sizeof (KetteTensor *), error)))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      const KetteStored stored = scope->tensors[scope->next_tensor++];

      if (stored.sparse)
        {
          if (!_kette_model_keep_sparse (r->b->model, stored.sparse, &views[i], error))
            return FALSE;
          continue;
        }
      r->graph->kept[r->graph->n_kept++] = kette_tensor_ref (stored.tensor);
      _kette_tensor_view (stored.tensor, &views[i]);
    }
  out->v = views;
  out->n = n;
  return TRUE;
}

static gboolean
read_strings (Reader *r, const Onnx__AttributeProto *a, kt_attr *out, GError **error)
{
  kt_str *strings
      = _kette_region_alloc (r->graph->region, a->n_strings, sizeof *strings, error);

  if (!strings)
    return FALSE;
  for (size_t i = 0; i < a->n_strings; i++)
    {
      strings[i].s = copy_bytes (r->graph->region, &a->strings[i], error);
      strings[i].n = a->strings[i].len;
      if (!strings[i].s)
        return FALSE;
    }
  out->v = strings;
  out->n = a->n_strings;
  return TRUE;
}

static gboolean
read_types (Reader *r, Onnx__TypeProto *const *types, size_t n, kt_attr *out,
            GError **error)
{
  kt_type *all = _kette_region_alloc (r->graph->region, n, sizeof *all, error);

  if (!all)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    if (!_kette_type_from_proto (r->b->model, &r->b->loading->limits, types[i], r->where,
                                 &all[i], error))
      return FALSE;
  out->v = all;
  out->n = n;
  return TRUE;
}

/* The next graph of the scope: subgraph I of N of a node, or one more of a function. */
static gboolean
take_subgraph (Reader *r, KetteNode *node, size_t i, size_t n, GError **error)
{
  KetteScope *child = &r->b->scopes[r->child++];

  if (!node)
    {
      r->function->graphs[r->function->n_graphs++] = child->graph;
      return TRUE;
    }
  if (!node->subgraphs)
    node->subgraphs
        = _kette_region_alloc (r->graph->region, n, sizeof (KetteGraph *), error);
  if (!node->subgraphs)
    return FALSE;
  node->subgraphs[i] = child->graph;
  child->owned       = FALSE;
  return TRUE;
}

/* Several graphs in one attribute: each gets an attribute of its own behind those of the file,
 * so that everybody finds it where subgraphs are. */
static gboolean
take_subgraphs (Reader *r, const Onnx__AttributeProto *a, KetteNode *node, size_t i,
                size_t n, kt_attr *out, GError **error)
{
  const size_t size = strlen (out->name) + 24;

  out->i = (int64_t) a->n_graphs;
  for (size_t k = 0; k < a->n_graphs; k++)
    {
      if (node)
        {
          kt_attr *one = &node->attrs[r->extra];
          char *name   = _kette_region_alloc (r->graph->region, size, 1, error);

          if (!name)
            return FALSE;
          g_snprintf (name, size, "%s[%zu]", out->name, k);
          *one = (kt_attr){ .name     = name,
                            .kind     = KT_A_GRAPH,
                            .reserved = (int32_t) i + 1,
                            .i        = (int64_t) k };
        }
      if (!take_subgraph (r, node, r->extra, n, error))
        return FALSE;
      r->extra += node != NULL;
    }
  return TRUE;
}

/* The content of an attribute of a kind that was checked. */
static gboolean
read_content (Reader *r, const Onnx__AttributeProto *a, KetteNode *node, size_t i,
              size_t n, kt_attr *out, GError **error)
{
  switch (out->kind)
    {
    case KT_A_FLOAT:
      out->f = (double) a->f;
      return TRUE;
    case KT_A_INT:
      out->i = a->i;
      return TRUE;
    case KT_A_STRING:
      out->v = copy_bytes (r->graph->region, &a->s, error);
      out->n = a->s.len;
      return out->v != NULL;
    case KT_A_TENSOR:
      return a->t ? take_tensors (r, 1, out, error) : missing (r, a, out->kind, error);
    case KT_A_TENSORS:
      return take_tensors (r, a->n_tensors, out, error);
    case KT_A_SPARSE_TENSOR:
      return a->sparse_tensor ? take_tensors (r, 1, out, error)
                              : missing (r, a, out->kind, error);
    case KT_A_SPARSE_TENSORS:
      return take_tensors (r, a->n_sparse_tensors, out, error);
    case KT_A_GRAPH:
      return a->g ? take_subgraph (r, node, i, n, error)
                  : missing (r, a, out->kind, error);
    case KT_A_FLOATS:
      out->v = _kette_region_dup (r->graph->region, a->floats, a->n_floats,
                                  sizeof (float), error);
      out->n = a->n_floats;
      return out->v != NULL;
    case KT_A_INTS:
      out->v = _kette_region_dup (r->graph->region, a->ints, a->n_ints, sizeof (int64_t),
                                  error);
      out->n = a->n_ints;
      return out->v != NULL;
    case KT_A_STRINGS:
      return read_strings (r, a, out, error);
    case KT_A_TYPE:
      return a->tp ? read_types (r, &a->tp, 1, out, error)
                   : missing (r, a, out->kind, error);
    case KT_A_TYPES:
      return read_types (r, a->type_protos, a->n_type_protos, out, error);
    default:
      return take_subgraphs (r, a, node, i, n, out, error);
    }
}

static gboolean
read_attr (Reader *r, const Onnx__AttributeProto *a, KetteNode *node, size_t i, size_t n,
           kt_attr *out, GError **error)
{
  const char *ref = _kette_text (a->ref_attr_name);

  out->name = _kette_text (a->name);
  if (!*out->name)
    return _kette_fail (error, KETTE_ERROR_ATTR, r->where, "attribute %zu has no name",
                        i);
  if (!attr_kind (r, a, &out->kind, error))
    return FALSE;
  if (!*ref)
    return read_content (r, a, node, i, n, out, error);
  if (!r->in_function)
    return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                        "attribute %s refers to %s of a caller, but is in no function",
                        KETTE_QUOTE (out->name), KETTE_QUOTE (ref));
  if (used_kinds (a))
    return _kette_fail (error, KETTE_ERROR_ATTR, r->where,
                        "attribute %s both refers to %s and has content",
                        KETTE_QUOTE (out->name), KETTE_QUOTE (ref));
  out->ref = ref;
  return TRUE;
}

/* All names differ. Few are compared by pairs, many in a table. */
static gboolean
check_twice (const kt_attr *attrs, size_t n, const char *where, GError **error)
{
  KetteNames *names = NULL;
  gboolean ok       = TRUE;

  if (n > 16)
    {
      names = _kette_names_new (error);
      if (!names)
        return FALSE;
    }
  for (size_t i = 0; ok && i < n; i++)
    {
      gboolean twice = names && _kette_names_get (names, attrs[i].name);

      for (size_t k = 0; !names && !twice && k < i; k++)
        twice = strcmp (attrs[i].name, attrs[k].name) == 0;
      if (twice)
        ok = _kette_fail (error, KETTE_ERROR_ATTR, where, "attribute %s is there twice",
                          KETTE_QUOTE (attrs[i].name));
      else if (names)
        ok = _kette_names_set (names, attrs[i].name, (gpointer) &attrs[i], error);
    }
  _kette_names_free (names);
  return ok;
}

/* The next node's tensors and subgraphs stand behind this one's, which may be faulty. */
static void
skip_content (KetteScope *scope, const Onnx__NodeProto *node)
{
  for (size_t i = 0; i < node->n_attribute; i++)
    {
      const Onnx__AttributeProto *a = node->attribute[i];

      scope->next_tensor += (a->t != NULL) + a->n_tensors + (a->sparse_tensor != NULL)
                            + a->n_sparse_tensors;
      scope->first_child += (a->g != NULL) + a->n_graphs;
    }
}

static gboolean
read_attrs (KetteBuild *b, size_t scope, size_t node, KetteNode *out, GError **error)
{
  const Onnx__NodeProto *proto = b->scopes[scope].nodes[node];
  const size_t n               = proto->n_attribute;
  size_t all                   = n;
  char where[KETTE_WHERE_SIZE];
  kt_attr *attrs;
  Reader r = { .b           = b,
               .scope       = scope,
               .graph       = b->scopes[scope].graph,
               .in_function = b->scopes[b->scopes[scope].root].function != NULL };

  if (n == 0)
    return TRUE;
  for (size_t i = 0; i < n; i++)
    all += proto->attribute[i]
               ->n_graphs; /* each below 2^31, in a file below 2^31 bytes */
  if (all > INT32_MAX)
    return _kette_fail (error, KETTE_ERROR_LIMIT, "graph", "a node has %zu attributes",
                        all);
  r.extra = n;
  r.where = _kette_scope_where (b, scope, (gssize) node, NULL, NULL, where);
  r.child = b->scopes[scope].first_child;
  attrs   = _kette_region_alloc (r.graph->region, all, sizeof *attrs, error);
  if (!attrs)
    return FALSE;
  /* The node has them from now on: it gives back subgraphs if a later one is faulty. */
  out->attrs   = attrs;
  out->n_attrs = (int32_t) all;
  for (size_t i = 0; i < n; i++)
    if (!read_attr (&r, proto->attribute[i], out, i, all, &attrs[i], error))
      return FALSE;
  return check_twice (attrs, n, where, error);
}

gboolean
_kette_build_attrs (KetteBuild *b, size_t scope, size_t node, KetteNode *out,
                    GError **error)
{
  KetteScope *s      = &b->scopes[scope];
  const size_t first = s->next_tensor;
  const gboolean ok  = read_attrs (b, scope, node, out, error);

  s->next_tensor = first;
  skip_content (s, s->nodes[node]);
  return ok;
}

gboolean
_kette_build_attr_defaults (KetteBuild *b, size_t scope, KetteFunction *out,
                            GError **error)
{
  const Onnx__FunctionProto *proto = b->scopes[scope].function;
  const size_t n                   = proto->n_attribute_proto;
  char where[KETTE_WHERE_SIZE];
  size_t n_graphs = 0;
  Reader r        = { .b        = b,
                      .scope    = scope,
                      .child    = b->scopes[scope].first_child,
                      .function = out,
                      .graph    = b->scopes[scope].graph };

  for (size_t i = 0; i < n; i++)
    n_graphs
        += (proto->attribute_proto[i]->g != NULL) + proto->attribute_proto[i]->n_graphs;
  r.where       = _kette_scope_where (b, scope, -1, NULL, NULL, where);
  out->defaults = _kette_region_alloc (b->model->region, n, sizeof *out->defaults, error);
  out->graphs   = out->defaults ? _kette_region_alloc (b->model->region, n_graphs,
                                                       sizeof *out->graphs, error)
                                : NULL;
  for (size_t i = 0; out->graphs && i < n; i++)
    if (!read_attr (&r, proto->attribute_proto[i], NULL, i, n, &out->defaults[i], error))
      goto failed;
  if (!out->graphs || !check_twice (out->defaults, n, where, error))
    goto failed;
  out->n_defaults = n;
  /* The function has its graphs from now on. */
  for (size_t i = 0; i < out->n_graphs; i++)
    b->scopes[b->scopes[scope].first_child + i].owned = FALSE;
  return TRUE;

failed:
  out->n_graphs = 0;
  return FALSE;
}
