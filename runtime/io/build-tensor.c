/* SPDX-License-Identifier: Apache-2.0
 * One TensorProto becomes a tensor: large ones are views of the file, small ones copies.
 */
#include "io/tensor-file.h"
#include <string.h>

/* Up to this size a copy, which is aligned, costs less than what a view would. */
#define COPY_MAX ((size_t) 65536)

typedef struct
{
  int dtype, rank;
  size_t count, bytes;
  char text[512]; /* "float32[2,3]" */
} Layout;

/* Elements and bytes of a shape, counted before anything is made. */
gboolean
_kette_tensor_size (int dtype, const int64_t *dims, int rank, const char *where,
                    size_t *count, size_t *bytes, GError **error)
{
  size_t n = 1, size = 0;
  gboolean none = FALSE, fits = TRUE;
  char text[256];

  for (int i = 0; i < rank; i++)
    {
      if (dims[i] < 0)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "shape %s: dim %d is negative",
                            _kette_dims_text (dims, (size_t) rank, text), i);
      none = none || dims[i] == 0;
      fits = fits && (dims[i] == 0 || _kette_mul (n, (size_t) dims[i], &n));
    }
  if (!fits || !_kette_dtype_bytes (dtype, n, &size) || size > PTRDIFF_MAX)
    return _kette_fail (error, none ? KETTE_ERROR_LIMIT : KETTE_ERROR_TENSOR, where,
                        "shape %s is too large",
                        _kette_dims_text (dims, (size_t) rank, text));
  *count = none ? 0 : n;
  *bytes = none ? 0 : size;
  return TRUE;
}

static gboolean
layout_of (const Onnx__TensorProto *proto, const KetteTensorSource *source, Layout *l,
           const char *where, GError **error)
{
  const KetteDtype *type;
  char text[256];

  *l = (Layout){ .dtype = proto->data_type };
  if (!proto->has_data_type || proto->data_type == KT_UNDEFINED)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where, "has no element type");
  if (proto->data_type < 0)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "element type %d does not exist", proto->data_type);
  type = _kette_dtype (proto->data_type);
  if (!type)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "element type %d is unknown", proto->data_type);
  if (proto->segment)
    return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, where,
                        "is a segment of a larger tensor");
  if (proto->n_dims > source->limits->rank)
    return _kette_fail (error, KETTE_ERROR_LIMIT, where,
                        "has rank %zu, rank allows %" G_GUINT64_FORMAT, proto->n_dims,
                        source->limits->rank);
  l->rank = (int) proto->n_dims;
  if (!_kette_tensor_size (l->dtype, proto->dims, l->rank, where, &l->count, &l->bytes,
                           error))
    return FALSE;
  g_snprintf (l->text, sizeof l->text, "%s%s", type->name,
              _kette_dims_text (proto->dims, proto->n_dims, text));
  return TRUE;
}

static void
release_bytes (gpointer bytes)
{
  g_bytes_unref (bytes);
}

/* Puts loaded bytes into the form that is promised: 0 and 1 for bool, 0 in unused bits,
 * this machine's byte order. */
static void
normalize (void *data, const Layout *l)
{
  const KetteDtype *type = _kette_dtype (l->dtype);
  uint8_t *p             = data;
  const size_t tail      = type->bits < 8 ? l->count * type->bits % 8 : 0;

  if (l->dtype == KT_BOOL)
    for (size_t i = 0; i < l->bytes; i++)
      p[i] = p[i] != 0;
  if (tail && l->bytes > 0)
    p[l->bytes - 1] &= (uint8_t) ((1 << tail) - 1);
#if G_BYTE_ORDER == G_BIG_ENDIAN
  {
    const gboolean pair = l->dtype == KT_C64 || l->dtype == KT_C128;
    const size_t width  = (size_t) type->bits / 8 / (pair ? 2 : 1);

    if (width > 1)
      _kette_swap_bytes (data, l->bytes / width, width);
  }
#endif
}

static gboolean
may_view (const Layout *l, const uint8_t *data)
{
  const KetteDtype *type = _kette_dtype (l->dtype);

  if (l->bytes <= COPY_MAX || l->dtype == KT_BOOL || type->bits < 8
      || G_BYTE_ORDER == G_BIG_ENDIAN)
    return FALSE;
  /* Integers are also read element by element, where shapes are computed. */
  return !type->is_integer || (uintptr_t) data % ((size_t) type->bits / 8) == 0;
}

/* A tensor of L->bytes bytes that lie in BYTES. */
static KetteTensor *
from_raw (const Onnx__TensorProto *proto, const Layout *l, const uint8_t *data,
          GBytes *bytes, GError **error)
{
  KetteTensor *tensor;

  if (may_view (l, data))
    {
      tensor = _kette_tensor_new_view (l->dtype, proto->dims, l->rank, (void *) data,
                                       release_bytes, bytes, error);
      if (tensor)
        {
          tensor->mapped = _kette_is_map (data);
          g_bytes_ref (bytes);
        }
      return tensor;
    }
  tensor = _kette_tensor_new_raw (l->dtype, proto->dims, l->rank, error);
  if (!tensor)
    return NULL;
  if (l->bytes > 0)
    memcpy (tensor->data, data, l->bytes);
  normalize (tensor->data, l);
  return tensor;
}

static KetteTensor *
from_strings (const Onnx__TensorProto *proto, const Layout *l, const char *where,
              GError **error)
{
  KetteTensor *tensor;
  kt_str *strings;
  const char *used;

  if (proto->n_string_data == 0 && l->count > 0
      && _kette_tensor_storages (proto, &used) > 0)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where,
                   "%s is stored in %s, must be in string_data", l->text, used);
      return NULL;
    }
  if (proto->n_string_data != l->count)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where,
                   "%s needs %zu texts, string_data has %zu", l->text, l->count,
                   proto->n_string_data);
      return NULL;
    }
  strings = _kette_alloc (_kette_account_process (), l->count, sizeof *strings, error);
  if (!strings)
    return NULL;
  for (size_t i = 0; i < l->count; i++)
    strings[i] = (kt_str){ .s = (const char *) proto->string_data[i].data,
                           .n = proto->string_data[i].len };
  tensor = _kette_tensor_new_strings (strings, proto->dims, l->rank, error);
  _kette_free (strings);
  return tensor;
}

static KetteTensor *
from_external (const Onnx__TensorProto *proto, const Layout *l,
               const KetteTensorSource *source, const char *where, GError **error)
{
  const KetteExternalData *data;
  GBytes *bytes;
  size_t offset;

  if (l->dtype == KT_STRING)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where,
                   "%s is stored in external data, must be in string_data", l->text);
      return NULL;
    }
  if (source->external)
    {
      if (!_kette_external_find (source->external, proto, l->bytes, l->text, where,
                                 &bytes, &offset, error))
        return NULL;
    }
  else if ((data = source->model ? _kette_model_external (source->model, proto) : NULL))
    {
      bytes  = data->bytes;
      offset = data->offset;
    }
  else
    {
      _kette_fail (error, KETTE_ERROR_PATH, where,
                   "has external data, but this file may not refer to others");
      return NULL;
    }
  return from_raw (proto, l, (const uint8_t *) g_bytes_get_data (bytes, NULL) + offset,
                   bytes, error);
}

KetteTensor *
_kette_tensor_from_proto (const Onnx__TensorProto *proto, const KetteTensorSource *source,
                          const char *where, GError **error)
{
  Layout l;
  const char *used;
  KetteTensor *tensor;
  int storages;

  if (!layout_of (proto, source, &l, where, error))
    return NULL;
  if (proto->has_data_location
      && proto->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT
      && proto->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where, "data_location %d does not exist",
                   proto->data_location);
      return NULL;
    }
  storages = _kette_tensor_storages (proto, &used);
  if (storages > 1)
    {
      _kette_fail (error, KETTE_ERROR_TENSOR, where,
                   "%s has its data in %d places, among them %s", l.text, storages, used);
      return NULL;
    }
  if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return from_external (proto, &l, source, where, error);
  if (storages == 1 && strcmp (used, "raw_data") == 0)
    {
      if (l.dtype == KT_STRING)
        {
          _kette_fail (error, KETTE_ERROR_TENSOR, where,
                       "%s is stored in raw_data, must be in string_data", l.text);
          return NULL;
        }
      if (proto->raw_data.len != l.bytes)
        {
          _kette_fail (error, KETTE_ERROR_TENSOR, where,
                       "%s needs %zu bytes, raw_data has %zu", l.text, l.bytes,
                       proto->raw_data.len);
          return NULL;
        }
      return from_raw (proto, &l, proto->raw_data.data, source->bytes, error);
    }
  if (l.dtype == KT_STRING)
    return from_strings (proto, &l, where, error);
  /* Nothing is allocated for data that are not there. */
  if (!_kette_tensor_decode (proto, l.dtype, l.count, NULL, l.bytes, l.text, where,
                             error))
    return NULL;
  tensor = _kette_tensor_new_raw (l.dtype, proto->dims, l.rank, error);
  if (!tensor)
    return NULL;
  if (!_kette_tensor_decode (proto, l.dtype, l.count, tensor->data, l.bytes, l.text,
                             where, error))
    {
      kette_tensor_unref (tensor);
      return NULL;
    }
  if (_kette_dtype (l.dtype)->bits < 8 && l.bytes > 0)
    {
      const size_t tail = l.count * _kette_dtype (l.dtype)->bits % 8;

      if (tail)
        ((uint8_t *) tensor->data)[l.bytes - 1] &= (uint8_t) ((1 << tail) - 1);
    }
  return tensor;
}
