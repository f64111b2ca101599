/* SPDX-License-Identifier: Apache-2.0
 * Declared types and shapes. Types nest (sequence of optional of ...) in a chain, so a loop
 * walks them.
 */
#include "io/build.h"
#include <string.h>

static gboolean
element_type (int32_t given, gboolean has, const char *where, int32_t *out,
              GError **error)
{
  if (!has || given == KT_UNDEFINED)
    return _kette_fail (error, KETTE_ERROR_TYPE, where, "has no element type");
  if (given < 0)
    return _kette_fail (error, KETTE_ERROR_TYPE, where, "element type %d does not exist",
                        given);
  if (!_kette_dtype (given))
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "element type %d is unknown", given);
  *out = given;
  return TRUE;
}

static gboolean
one_dim (KetteModel *model, const Onnx__TensorShapeProto__Dimension *dim, size_t i,
         const char *where, int64_t *out, GError **error)
{
  const char *name;

  *out = KT_DIM (0);
  switch (dim->value_case)
    {
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
      if (dim->dim_value < -1)
        return _kette_fail (error, KETTE_ERROR_SHAPE, where,
                            "dim %zu is %" G_GINT64_FORMAT ", must be 0 or more", i,
                            dim->dim_value);
      if (dim->dim_value >= 0)
        *out = dim->dim_value;
      return TRUE;
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
      name = _kette_text (dim->dim_param);
      if (!*name || strcmp (name, "None") == 0 || strcmp (name, "?") == 0
          || strcmp (name, "-1") == 0)
        return TRUE;
      *out = _kette_model_symbol (model, name, error);
      return *out != 0;
    default:
      return TRUE;
    }
}

typedef struct
{
  KetteModel *model;
  const KetteLimits *limits;
} Types;

static gboolean
shape_of (const Types *t, const Onnx__TensorShapeProto *shape, const char *where,
          kt_type *out, GError **error)
{
  int64_t *dims;

  out->ndim = -1;
  if (!shape)
    return TRUE;
  if (shape->n_dim > t->limits->rank)
    return _kette_fail (error, KETTE_ERROR_LIMIT, where,
                        "has rank %zu, rank allows %" G_GUINT64_FORMAT, shape->n_dim,
                        t->limits->rank);
  dims = _kette_region_alloc (t->model->region, shape->n_dim, sizeof *dims, error);
  if (!dims)
    return FALSE;
  for (size_t i = 0; i < shape->n_dim; i++)
    if (!one_dim (t->model, shape->dim[i], i, where, &dims[i], error))
      return FALSE;
  out->ndim = (int32_t) shape->n_dim;
  out->dims = dims;
  return TRUE;
}

/* One link of the chain: fills OUT but for its elem; *inner: the type inside, or NULL. */
static gboolean
one_type (const Types *t, const Onnx__TypeProto *proto, const char *where, kt_type *out,
          const Onnx__TypeProto **inner, GError **error)
{
  *inner = NULL;
  *out   = (kt_type){ .ndim = -1 };
  switch (proto->value_case)
    {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
      out->kind = KT_TENSOR;
      return element_type (proto->tensor_type->elem_type,
                           proto->tensor_type->has_elem_type, where, &out->dtype, error)
             && shape_of (t, proto->tensor_type->shape, where, out, error);
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
      out->kind = KT_SPARSE;
      return element_type (proto->sparse_tensor_type->elem_type,
                           proto->sparse_tensor_type->has_elem_type, where, &out->dtype,
                           error)
             && shape_of (t, proto->sparse_tensor_type->shape, where, out, error);
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
      out->kind = KT_SEQUENCE;
      *inner    = proto->sequence_type->elem_type;
      break;
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
      out->kind = KT_OPTIONAL;
      *inner    = proto->optional_type->elem_type;
      break;
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
      out->kind = KT_MAP;
      *inner    = proto->map_type->value_type;
      if (!element_type (proto->map_type->key_type, proto->map_type->has_key_type, where,
                         &out->key, error))
        return FALSE;
      break;
    default: /* opaque, or nothing: not known */
      return TRUE;
    }
  if (!*inner)
    return _kette_fail (error, KETTE_ERROR_TYPE, where,
                        "%s without a type of its elements",
                        out->kind == KT_SEQUENCE   ? "a sequence"
                        : out->kind == KT_OPTIONAL ? "an optional"
                                                   : "a map");
  return TRUE;
}

gboolean
_kette_type_from_proto (KetteModel *model, const KetteLimits *limits,
                        const Onnx__TypeProto *proto, const char *where, kt_type *out,
                        GError **error)
{
  const Types t = { model, limits };
  kt_type *at   = out, *elem;
  const Onnx__TypeProto *inner;
  char hint[96];

  for (uint64_t depth = 0;; depth++)
    {
      if (depth > limits->type_depth)
        return _kette_fail (error, KETTE_ERROR_LIMIT, where,
                            "a type nested more than %" G_GUINT64_FORMAT " deep%s",
                            limits->type_depth,
                            _kette_limits_hint ("type-depth", limits->type_depth, hint));
      if (!one_type (&t, proto, where, at, &inner, error))
        return FALSE;
      if (!inner)
        return TRUE;
      elem = _kette_region_alloc (model->region, 1, sizeof *elem, error);
      if (!elem)
        return FALSE;
      at->elem = elem;
      at       = elem;
      proto    = inner;
    }
}

gboolean
_kette_type_equal (const kt_type *a, const kt_type *b)
{
  for (; a && b; a = a->elem, b = b->elem)
    {
      if (a->kind != b->kind || a->dtype != b->dtype || a->ndim != b->ndim
          || a->key != b->key)
        return FALSE;
      for (int32_t i = 0; i < a->ndim; i++)
        if (a->dims[i] != b->dims[i])
          return FALSE;
    }
  return a == b;
}

static gboolean
read_type (KetteBuild *b, size_t index, const Onnx__ValueInfoProto *info,
           const char *kind, gboolean required, GError **error)
{
  KetteScope *scope = &b->scopes[index];
  kt_type *type     = NULL;
  char where[KETTE_WHERE_SIZE];

  _kette_scope_where (b, index, -1, kind, _kette_text (info->name), where);
  if (!info->type && required)
    return _kette_fail (error, KETTE_ERROR_TYPE, where, "has no type");
  if (info->type)
    {
      type = _kette_region_alloc (b->model->region, 1, sizeof *type, error);
      if (!type
          || !_kette_type_from_proto (b->model, &b->loading->limits, info->type, where,
                                      type, error))
        return FALSE;
      if (required && info->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return _kette_fail (error, KETTE_ERROR_TYPE, where, "has no type");
    }
  if (scope->n_types == scope->types_capacity
      && !_kette_grow (&scope->types, &scope->types_capacity, scope->n_types + 1,
                       sizeof (kt_type *), error))
    return FALSE;
  scope->types[scope->n_types++] = type;
  return TRUE;
}

/* Behind a fault nobody reads the list of types: the step fails at its end. */
static gboolean
push_type (KetteBuild *b, size_t index, const Onnx__ValueInfoProto *info,
           const char *kind, gboolean required, GError **error)
{
  return read_type (b, index, info, kind, required, error)
         || _kette_build_go_on (b, error);
}

gboolean
_kette_build_types (KetteBuild *b, GError **error)
{
  for (size_t i = 0; i < b->n_scopes; i++)
    {
      const Onnx__GraphProto *graph = b->scopes[i].proto;
      const gboolean top            = i == b->main;

      for (size_t k = 0; graph && k < graph->n_input; k++)
        if (!push_type (b, i, graph->input[k], "graph input", top, error))
          return FALSE;
      for (size_t k = 0; graph && k < graph->n_output; k++)
        if (!push_type (b, i, graph->output[k], "graph output", FALSE, error))
          return FALSE;
      for (size_t k = 0; graph && k < graph->n_value_info; k++)
        if (!push_type (b, i, graph->value_info[k], "value", FALSE, error))
          return FALSE;
      for (size_t k = 0; !graph && k < b->scopes[i].function->n_value_info; k++)
        if (!push_type (b, i, b->scopes[i].function->value_info[k], "value", FALSE,
                        error))
          return FALSE;
    }
  return TRUE;
}
