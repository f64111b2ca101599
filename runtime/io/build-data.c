/* SPDX-License-Identifier: Apache-2.0
 * The typed data fields of a TensorProto: float_data, int32_data and their kin.
 */
#include "io/build.h"
#include <string.h>

int
_kette_tensor_storages (const Onnx__TensorProto *proto, const char **name)
{
  const struct
  {
    gboolean used;
    const char *name;
  } all[] = {
    { proto->has_raw_data && proto->raw_data.len > 0, "raw_data" },
    { proto->n_float_data > 0, "float_data" },
    { proto->n_int32_data > 0, "int32_data" },
    { proto->n_string_data > 0, "string_data" },
    { proto->n_int64_data > 0, "int64_data" },
    { proto->n_double_data > 0, "double_data" },
    { proto->n_uint64_data > 0, "uint64_data" },
    { proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL,
      "external data" },
  };
  int n = 0;

  *name = NULL;
  for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
    if (all[i].used)
      {
        n++;
        if (!*name)
          *name = all[i].name;
      }
  return n;
}

void
_kette_swap_bytes (void *data, size_t n, size_t width)
{
  uint8_t *p = data;

  for (size_t i = 0; i < n; i++, p += width)
    for (size_t a = 0, z = width - 1; a < z; a++, z--)
      {
        const uint8_t byte = p[a];

        p[a] = p[z];
        p[z] = byte;
      }
}

const char *
_kette_dims_text (const int64_t *dims, size_t n, char out[256])
{
  size_t at = 0;

  out[at++] = '[';
  for (size_t i = 0; i < n; i++)
    {
      if (at > 220)
        {
          at += (size_t) g_snprintf (out + at, 256 - at, ",...");
          break;
        }
      at += (size_t) g_snprintf (out + at, 256 - at, "%s%" G_GINT64_FORMAT, i ? "," : "",
                                 dims[i]);
    }
  g_snprintf (out + at, 256 - at, "]");
  return out;
}

/* Which field holds elements of a type, and how many numbers it takes. */
typedef struct
{
  const char *field;
  size_t n;            /* numbers that are there */
  size_t need;         /* numbers that the shape asks for */
  int64_t least, most; /* int32_data: what fits the type */
  size_t width;        /* int32_data: bytes per number in memory */
} Field;

static gboolean
field_of (const Onnx__TensorProto *proto, int dtype, size_t count, size_t bytes,
          Field *out)
{
  *out = (Field){ .need = count };
  switch (dtype)
    {
    case KT_C64:
      out->need = bytes / 4;
      /* fall through */
    case KT_F32:
      out->field = "float_data";
      out->n     = proto->n_float_data;
      return TRUE;
    case KT_C128:
      out->need = bytes / 8;
      /* fall through */
    case KT_F64:
      out->field = "double_data";
      out->n     = proto->n_double_data;
      return TRUE;
    case KT_I64:
      out->field = "int64_data";
      out->n     = proto->n_int64_data;
      return TRUE;
    case KT_U32:
    case KT_U64:
      out->field = "uint64_data";
      out->n     = proto->n_uint64_data;
      return TRUE;
    case KT_STRING:
      return FALSE;
    default:
      break;
    }
  out->field = "int32_data";
  out->n     = proto->n_int32_data;
  switch (dtype)
    {
    case KT_I32:
      out->least = INT32_MIN;
      out->most  = INT32_MAX;
      out->width = 4;
      break;
    case KT_I16:
      out->least = INT16_MIN;
      out->most  = INT16_MAX;
      out->width = 2;
      break;
    case KT_I8:
      out->least = INT8_MIN;
      out->most  = INT8_MAX;
      out->width = 1;
      break;
    case KT_U16:
    case KT_F16:
    case KT_BF16:
      out->most  = UINT16_MAX;
      out->width = 2;
      break;
    default: /* uint8, bool, float8, packed small types */
      out->most  = UINT8_MAX;
      out->width = 1;
      out->need  = bytes;
      break;
    }
  return TRUE;
}

static gboolean
decode_int32 (const int32_t *in, const Field *field, int dtype, uint8_t *out,
              const char *type_text, const char *where, GError **error)
{
  for (size_t i = 0; i < field->need; i++)
    {
      const int32_t v = in[i];

      if (dtype != KT_BOOL && (v < field->least || v > field->most))
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "%s: int32_data[%zu] is %d, must be in %" G_GINT64_FORMAT
                            "..%" G_GINT64_FORMAT,
                            type_text, i, v, field->least, field->most);
      if (dtype == KT_BOOL)
        out[i] = v != 0;
      else if (field->width == 1)
        out[i] = (uint8_t) v;
      else if (field->width == 2)
        ((uint16_t *) (void *) out)[i] = (uint16_t) v;
      else
        ((int32_t *) (void *) out)[i] = v;
    }
  return TRUE;
}

static gboolean
decode_uint32 (const uint64_t *in, size_t n, uint32_t *out, const char *type_text,
               const char *where, GError **error)
{
  for (size_t i = 0; i < n; i++)
    {
      if (in[i] > UINT32_MAX)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "%s: uint64_data[%zu] is %" G_GUINT64_FORMAT
                            ", must be in 0..%u",
                            type_text, i, in[i], UINT32_MAX);
      out[i] = (uint32_t) in[i];
    }
  return TRUE;
}

/* Are there as many numbers as the shape asks for, where they have to be? */
static gboolean
check_field (const Onnx__TensorProto *proto, const Field *field, size_t bytes,
             const char *type_text, const char *where, GError **error)
{
  const char *used;

  if (field->n == 0 && field->need > 0)
    {
      _kette_tensor_storages (proto, &used);
      if (used)
        return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                            "%s is stored in %s, must be in %s or raw_data", type_text,
                            used, field->field);
      return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                          "%s needs %zu bytes, there are no data", type_text, bytes);
    }
  if (field->n != field->need)
    return _kette_fail (error, KETTE_ERROR_TENSOR, where,
                        "%s needs %zu numbers, %s has %zu", type_text, field->need,
                        field->field, field->n);
  return TRUE;
}

gboolean
_kette_tensor_decode (const Onnx__TensorProto *proto, int dtype, size_t count, void *data,
                      size_t bytes, const char *type_text, const char *where,
                      GError **error)
{
  Field field;

  if (!field_of (proto, dtype, count, bytes, &field))
    return _kette_fail (error, KETTE_ERROR_INTERNAL, where,
                        "%s has no field; please report this", type_text);
  if (!check_field (proto, &field, bytes, type_text, where, error))
    return FALSE;
  if (!data)
    return TRUE;
  if (field.need == 0)
    return TRUE;
  switch (dtype)
    {
    case KT_F32:
    case KT_C64:
      memcpy (data, proto->float_data, bytes);
      return TRUE;
    case KT_F64:
    case KT_C128:
      memcpy (data, proto->double_data, bytes);
      return TRUE;
    case KT_I64:
      memcpy (data, proto->int64_data, bytes);
      return TRUE;
    case KT_U64:
      memcpy (data, proto->uint64_data, bytes);
      return TRUE;
    case KT_U32:
      return decode_uint32 (proto->uint64_data, count, data, type_text, where, error);
    default:
      return decode_int32 (proto->int32_data, &field, dtype, data, type_text, where,
                           error);
    }
}
