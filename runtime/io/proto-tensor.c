/* SPDX-License-Identifier: Apache-2.0
 * Tensors as TensorProto messages; raw_data points to the tensor's own memory.
 */
#include "graph/sparse.h"
#include "io/save.h"
#include <string.h>

static gboolean
put_strings (KetteRegion *region, const KetteTensor *tensor, Onnx__TensorProto *proto,
             GError **error)
{
  const kt_str *strings = tensor->data;

  proto->string_data
      = _kette_region_alloc (region, tensor->count, sizeof *proto->string_data, error);
  if (!proto->string_data)
    return FALSE;
  for (size_t i = 0; i < tensor->count; i++)
    proto->string_data[i]
        = (ProtobufCBinaryData){ strings[i].n, (uint8_t *) (void *) strings[i].s };
  proto->n_string_data = tensor->count;
  return TRUE;
}

static gboolean
put_content (KetteRegion *region, const KetteTensor *tensor, Onnx__TensorProto *proto,
             GError **error)
{
  const size_t rank = (size_t) tensor->rank;

  proto->dims = _kette_region_dup (region, tensor->dims, rank, sizeof (int64_t), error);
  if (!proto->dims)
    return FALSE;
  proto->n_dims        = rank;
  proto->has_data_type = TRUE;
  proto->data_type     = tensor->dtype;
  if (tensor->dtype == KT_STRING)
    return put_strings (region, tensor, proto, error);
  proto->has_raw_data = TRUE;
  proto->raw_data     = (ProtobufCBinaryData){ tensor->bytes, tensor->data };
#if G_BYTE_ORDER == G_BIG_ENDIAN
  {
    const KetteDtype *type = _kette_dtype (tensor->dtype);
    const gboolean pair    = tensor->dtype == KT_C64 || tensor->dtype == KT_C128;
    const size_t width     = (size_t) type->bits / 8 / (pair ? 2 : 1);

    if (width > 1)
      {
        proto->raw_data.data
            = _kette_region_dup (region, tensor->data, tensor->bytes, 1, error);
        if (!proto->raw_data.data)
          return FALSE;
        _kette_swap_bytes (proto->raw_data.data, tensor->bytes / width, width);
      }
  }
#endif
  return TRUE;
}

Onnx__TensorProto *
_kette_tensor_to_proto (KetteRegion *region, const KetteTensor *tensor, const char *name,
                        GError **error)
{
  Onnx__TensorProto *proto = _kette_region_alloc (region, 1, sizeof *proto, error);

  if (!proto)
    return NULL;
  onnx__tensor_proto__init (proto);
  if (*name)
    proto->name = (char *) name;
  return put_content (region, tensor, proto, error) ? proto : NULL;
}

/* Does OLD hold just this content? */
static gboolean
same_content (KetteSaver *s, const Onnx__TensorProto *old, const KetteTensor *tensor)
{
  KetteTensorSource source = { .bytes  = s->message ? s->message->bytes : NULL,
                               .model  = s->model,
                               .limits = _kette_limits_most () };
  GError *error            = NULL;
  KetteTensor *before;
  gboolean same;

  if (old->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return FALSE;
  if (s->outside && !old->has_raw_data && tensor->bytes >= KETTE_DATA_LEAST)
    return FALSE; /* raw data can be elsewhere, typed fields cannot */
  if (old->data_type != tensor->dtype || old->n_dims != (size_t) tensor->rank
      || (tensor->rank > 0
          && memcmp (old->dims, tensor->dims, (size_t) tensor->rank * sizeof (int64_t))
                 != 0))
    return FALSE;
  /* Still the view of the file that it was. */
  if (old->has_raw_data && old->raw_data.data == tensor->data && tensor->bytes > 0)
    return TRUE;
  if (!source.bytes)
    return FALSE;
  before = _kette_tensor_from_proto (old, &source, "", &error);
  _kette_saver_doubt (s, error);
  same = before && _kette_tensor_equal (before, tensor);
  kette_tensor_unref (before);
  return same;
}

gboolean
_kette_saver_same_sparse (KetteSaver *s, const Onnx__SparseTensorProto *old,
                          const KetteValue *value)
{
  KetteTensorSource source = { .bytes  = s->message ? s->message->bytes : NULL,
                               .model  = s->model,
                               .limits = _kette_limits_most () };
  GError *error            = NULL;
  KetteSparse *before;
  KetteTensor *dense;
  gboolean same;

  if (value->sparse)
    return value->sparse->proto == old;
  if (!source.bytes)
    return FALSE;
  before = _kette_sparse_from_proto (old, &source, "", &error);
  dense  = before ? _kette_sparse_dense (before, &error) : NULL;
  _kette_saver_doubt (s, error);
  same = dense && _kette_tensor_equal (dense, value->data);
  kette_tensor_unref (dense);
  _kette_sparse_unref (before);
  return same;
}

Onnx__SparseTensorProto *
_kette_saver_sparse (KetteSaver *s, const KetteSparse *sparse, const char *name,
                     GError **error)
{
  const Onnx__SparseTensorProto *old = sparse->proto;
  Onnx__SparseTensorProto *out
      = _kette_region_dup (s->region, old, 1, sizeof *out, error);

  if (!out)
    return NULL;
  out->values = _kette_region_dup (s->region, old->values, 1, sizeof *out->values, error);
  if (!out->values)
    return NULL;
  out->values->name = (char *) name;
  return out;
}

gboolean
_kette_saver_content (KetteSaver *s, Onnx__TensorProto *proto, const KetteTensor *tensor,
                      GError **error)
{
  proto->segment           = NULL;
  proto->n_float_data      = 0;
  proto->n_int32_data      = 0;
  proto->n_string_data     = 0;
  proto->n_int64_data      = 0;
  proto->n_double_data     = 0;
  proto->n_uint64_data     = 0;
  proto->has_raw_data      = FALSE;
  proto->n_external_data   = 0;
  proto->has_data_location = FALSE;
  proto->data_location     = ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT;
  return put_content (s->region, tensor, proto, error);
}

Onnx__TensorProto *
_kette_saver_tensor (KetteSaver *s, const Onnx__TensorProto *old,
                     const KetteTensor *tensor, const char *name, GError **error)
{
  Onnx__TensorProto *proto;
  gboolean same;

  if (!old)
    return _kette_tensor_to_proto (s->region, tensor, name, error);
  same = same_content (s, old, tensor);
  if (same && strcmp (_kette_text (old->name), name) == 0)
    return (Onnx__TensorProto *) old;
  proto = _kette_region_dup (s->region, old, 1, sizeof *old, error);
  if (!proto)
    return NULL;
  proto->name = (char *) name;
  if (same)
    return proto;
  return _kette_saver_content (s, proto, tensor, error) ? proto : NULL;
}
