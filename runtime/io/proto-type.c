/* SPDX-License-Identifier: Apache-2.0
 * Types and declared values as messages.
 */
#include "io/save.h"
#include <string.h>

static gboolean
put_dim (KetteSaver *s, int64_t dim, Onnx__TensorShapeProto__Dimension *out)
{
  const uint64_t symbol = (uint64_t) dim - (uint64_t) INT64_MIN;

  if (dim >= 0)
    {
      out->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      out->dim_value  = dim;
    }
  else if (KT_IS_DIM (dim) && symbol > 0 && symbol <= s->model->n_symbols)
    {
      out->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      out->dim_param  = (char *) s->model->symbols[symbol - 1];
    }
  return TRUE;
}

static gboolean
put_shape (KetteSaver *s, const kt_type *type, Onnx__TensorShapeProto **out,
           GError **error)
{
  const size_t n = type->ndim > 0 ? (size_t) type->ndim : 0;
  Onnx__TensorShapeProto *shape;
  Onnx__TensorShapeProto__Dimension *dims;

  *out = NULL;
  if (type->ndim < 0)
    return TRUE;
  shape = _kette_region_alloc (s->region, 1, sizeof *shape, error);
  dims  = shape ? _kette_region_alloc (s->region, n, sizeof *dims, error) : NULL;
  if (!dims)
    return FALSE;
  onnx__tensor_shape_proto__init (shape);
  shape->n_dim = n;
  shape->dim   = _kette_region_alloc (s->region, n, sizeof *shape->dim, error);
  if (!shape->dim)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    {
      onnx__tensor_shape_proto__dimension__init (&dims[i]);
      put_dim (s, type->dims[i], &dims[i]);
      shape->dim[i] = &dims[i];
    }
  *out = shape;
  return TRUE;
}

/* One link of the chain; *inner: where the type inside goes. */
static gboolean
put_type (KetteSaver *s, const kt_type *type, Onnx__TypeProto *out,
          Onnx__TypeProto ***inner, GError **error)
{
  union
  {
    Onnx__TypeProto__Tensor tensor;
    Onnx__TypeProto__SparseTensor sparse;
    Onnx__TypeProto__Sequence sequence;
    Onnx__TypeProto__Optional optional;
    Onnx__TypeProto__Map map;
  } *part = _kette_region_alloc (s->region, 1, sizeof *part, error);

  *inner = NULL;
  if (!part)
    return FALSE;
  switch (type->kind)
    {
    case KT_TENSOR:
      onnx__type_proto__tensor__init (&part->tensor);
      part->tensor.has_elem_type = TRUE;
      part->tensor.elem_type     = type->dtype;
      out->value_case            = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
      out->tensor_type           = &part->tensor;
      return put_shape (s, type, &part->tensor.shape, error);
    case KT_SPARSE:
      onnx__type_proto__sparse_tensor__init (&part->sparse);
      part->sparse.has_elem_type = TRUE;
      part->sparse.elem_type     = type->dtype;
      out->value_case            = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
      out->sparse_tensor_type    = &part->sparse;
      return put_shape (s, type, &part->sparse.shape, error);
    case KT_SEQUENCE:
      onnx__type_proto__sequence__init (&part->sequence);
      out->value_case    = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
      out->sequence_type = &part->sequence;
      *inner             = &part->sequence.elem_type;
      return TRUE;
    case KT_OPTIONAL:
      onnx__type_proto__optional__init (&part->optional);
      out->value_case    = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE;
      out->optional_type = &part->optional;
      *inner             = &part->optional.elem_type;
      return TRUE;
    case KT_MAP:
      onnx__type_proto__map__init (&part->map);
      part->map.has_key_type = TRUE;
      part->map.key_type     = type->key;
      out->value_case        = ONNX__TYPE_PROTO__VALUE_MAP_TYPE;
      out->map_type          = &part->map;
      *inner                 = &part->map.value_type;
      return TRUE;
    default:
      return TRUE;
    }
}

Onnx__TypeProto *
_kette_type_to_proto (KetteSaver *s, const kt_type *type, GError **error)
{
  Onnx__TypeProto *first = NULL, **at = &first;

  if (type->kind == 0)
    return NULL;
  for (; type && at; type = type->elem)
    {
      Onnx__TypeProto *proto = _kette_region_alloc (s->region, 1, sizeof *proto, error);

      if (!proto)
        return NULL;
      onnx__type_proto__init (proto);
      *at = proto;
      if (!put_type (s, type, proto, &at, error))
        return NULL;
    }
  return first;
}

/* Is the type that OLD declares the one that the value has? */
static gboolean
same_type (KetteSaver *s, const Onnx__TypeProto *old, const kt_type *type)
{
  GError *error = NULL;
  kt_type before;
  gboolean known;

  if (!old)
    return type->kind == 0;
  known = _kette_type_from_proto (s->model, _kette_limits_most (), old, "", &before,
                                  &error);
  _kette_saver_doubt (s, error);
  return known && (before.kind == 0 || _kette_type_equal (&before, type));
}

Onnx__ValueInfoProto *
_kette_saver_info (KetteSaver *s, const Onnx__ValueInfoProto *old,
                   const KetteValue *value, GError **error)
{
  const char *name           = _kette_saver_name (value);
  const kt_type *type        = &value->type;
  GError *inner              = NULL;
  Onnx__ValueInfoProto *info = NULL;

  if (old && same_type (s, old->type, type)
      && strcmp (_kette_text (old->name), name) == 0)
    return (Onnx__ValueInfoProto *) old;
  info = _kette_region_alloc (s->region, 1, sizeof *info, error);
  if (!info)
    return NULL;
  if (old)
    *info = *old;
  else
    onnx__value_info_proto__init (info);
  info->name = (char *) name;
  if (!old || !same_type (s, old->type, type))
    info->type = _kette_type_to_proto (s, type, &inner);
  if (inner)
    {
      g_propagate_error (error, inner);
      return NULL;
    }
  return info;
}
