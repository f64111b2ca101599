/* SPDX-License-Identifier: Apache-2.0
 * NumPy's NPY files, versions 1 to 3: numbers, either byte order, row-major or column-major.
 */
#include "io/io-private.h"
#include "io/tensor-file.h"
#include <string.h>

typedef struct
{
  const char *start, *at, *end; /* of the header's text */
  int dtype, rank;
  gboolean swap, fortran;
  gboolean has_type, has_order, has_shape;
  int64_t dims[KETTE_MAX_RANK];
} Header;

static const struct
{
  const char *code;
  int dtype;
} types[] = { { "f2", KT_F16 }, { "f4", KT_F32 },  { "f8", KT_F64 }, { "i1", KT_I8 },
              { "i2", KT_I16 }, { "i4", KT_I32 },  { "i8", KT_I64 }, { "u1", KT_U8 },
              { "u2", KT_U16 }, { "u4", KT_U32 },  { "u8", KT_U64 }, { "b1", KT_BOOL },
              { "c8", KT_C64 }, { "c16", KT_C128 } };

static void
skip_blanks (Header *h)
{
  while (h->at < h->end && (*h->at == ' ' || *h->at == '\t' || *h->at == '\n'))
    h->at++;
}

static gboolean
take (Header *h, char c)
{
  skip_blanks (h);
  if (h->at >= h->end || *h->at != c)
    return FALSE;
  h->at++;
  return TRUE;
}

static gboolean
bad (const Header *h, const char *what, GError **error)
{
  return _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "NPY header: %s at character %zd",
                      what, (gssize) (h->at - h->start));
}

/* A text in single or double quotes, into OUT. */
static gboolean
take_text (Header *h, char *out, size_t size, GError **error)
{
  char quote;
  size_t n = 0;

  skip_blanks (h);
  if (h->at >= h->end || (*h->at != '\'' && *h->at != '"'))
    return bad (h, "a text is missing", error);
  quote = *h->at++;
  while (h->at < h->end && *h->at != quote && n + 1 < size)
    out[n++] = *h->at++;
  out[n] = '\0';
  return take (h, quote) || bad (h, "a text does not end", error);
}

static gboolean
take_type (Header *h, GError **error)
{
  char text[32];

  if (!take_text (h, text, sizeof text, error))
    return FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    if (*text && strchr ("<>|=", *text) && strcmp (text + 1, types[i].code) == 0)
      {
        h->dtype    = types[i].dtype;
        h->swap     = *text == (G_BYTE_ORDER == G_LITTLE_ENDIAN ? '>' : '<');
        h->has_type = TRUE;
        return TRUE;
      }
  return _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL, "NPY element type %s",
                      KETTE_QUOTE (text));
}

static gboolean
take_shape (Header *h, GError **error)
{
  if (!take (h, '('))
    return bad (h, "\"(\" is missing", error);
  while (!take (h, ')'))
    {
      int64_t v    = 0;
      int n_digits = 0;

      if (h->rank > 0 && !take (h, ','))
        return bad (h, "\",\" is missing", error);
      if (take (h, ')'))
        break;
      skip_blanks (h);
      for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++, n_digits++)
        if (__builtin_mul_overflow (v, 10, &v)
            || __builtin_add_overflow (v, *h->at - '0', &v))
          return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                              "NPY header: a dim beyond 2^63 - 1");
      if (n_digits == 0)
        return bad (h, "a number is missing", error);
      if (h->rank == KETTE_MAX_RANK)
        return _kette_fail (error, KETTE_ERROR_LIMIT, NULL,
                            "NPY header: rank beyond %d, rank", KETTE_MAX_RANK);
      h->dims[h->rank++] = v;
    }
  h->has_shape = TRUE;
  return TRUE;
}

static gboolean
take_order (Header *h, GError **error)
{
  skip_blanks (h);
  if (h->end - h->at >= 4 && memcmp (h->at, "True", 4) == 0)
    {
      h->fortran = TRUE;
      h->at += 4;
    }
  else if (h->end - h->at >= 5 && memcmp (h->at, "False", 5) == 0)
    h->at += 5;
  else
    return bad (h, "True or False is missing", error);
  h->has_order = TRUE;
  return TRUE;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
static gboolean
parse_header (Header *h, GError **error)
{
  char key[32];

  if (!take (h, '{'))
    return bad (h, "\"{\" is missing", error);
  while (!take (h, '}'))
    {
      gboolean ok;

      if (!take_text (h, key, sizeof key, error))
        return FALSE;
      if (!take (h, ':'))
        return bad (h, "\":\" is missing", error);
      if (strcmp (key, "descr") == 0 && !h->has_type)
        ok = take_type (h, error);
      else if (strcmp (key, "fortran_order") == 0 && !h->has_order)
        ok = take_order (h, error);
      else if (strcmp (key, "shape") == 0 && !h->has_shape)
        ok = take_shape (h, error);
      else
        return _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                            "NPY header: the key %s is unknown or there twice",
                            KETTE_QUOTE (key));
      if (!ok)
        return FALSE;
      if (!take (h, ','))
        {
          if (!take (h, '}'))
            return bad (h, "\"}\" is missing", error);
          break;
        }
    }
  if (!h->has_type || !h->has_order || !h->has_shape)
    return _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "NPY header: %s is missing",
                        !h->has_type    ? "descr"
                        : !h->has_order ? "fortran_order"
                                        : "shape");
  return TRUE;
}

/* Copies column-major elements into row-major order: counts through the indices of the
 * result and keeps the place in the source in step. */
static void
from_fortran (const Header *h, const uint8_t *in, uint8_t *out, size_t count,
              size_t width)
{
  size_t stride[KETTE_MAX_RANK], at = 0;
  int64_t index[KETTE_MAX_RANK] = { 0 };

  for (int i = 0; i < h->rank; i++)
    stride[i] = i == 0 ? width : stride[i - 1] * (size_t) h->dims[i - 1];
  for (size_t k = 0; k < count; k++)
    {
      memcpy (out + k * width, in + at, width);
      for (int i = h->rank - 1; i >= 0; i--)
        {
          at += stride[i];
          if (++index[i] < h->dims[i])
            break;
          at -= stride[i] * (size_t) h->dims[i];
          index[i] = 0;
        }
    }
}

static KetteTensor *
read_data (const Header *h, const uint8_t *data, size_t n, GError **error)
{
  const KetteDtype *type = _kette_dtype (h->dtype);
  const size_t width     = (size_t) type->bits / 8;
  const size_t part      = h->dtype == KT_C64 || h->dtype == KT_C128 ? width / 2 : width;
  KetteTensor *tensor;
  size_t count, bytes;

  if (!_kette_file_size (h->dtype, h->dims, h->rank, n, &count, &bytes, error))
    return NULL;
  tensor = _kette_tensor_new_raw (h->dtype, h->dims, h->rank, error);
  if (!tensor)
    return NULL;
  if (h->fortran && h->rank > 1)
    from_fortran (h, data, tensor->data, count, width);
  else if (bytes > 0)
    memcpy (tensor->data, data, bytes);
  if (h->swap && part > 1)
    _kette_swap_bytes (tensor->data, bytes / part, part);
  if (h->dtype == KT_BOOL)
    for (size_t i = 0; i < bytes; i++)
      ((uint8_t *) tensor->data)[i] = ((uint8_t *) tensor->data)[i] != 0;
  return tensor;
}

KetteTensor *
_kette_npy_parse (GBytes *bytes, GError **error)
{
  size_t n, length, head;
  const uint8_t *data = g_bytes_get_data (bytes, &n);
  Header h            = { 0 };

  if (n < 10 || memcmp (data, "\x93NUMPY", 6) != 0)
    {
      _kette_fail (error, KETTE_ERROR_FORMAT, NULL, "not an NPY file");
      return NULL;
    }
  if (data[6] < 1 || data[6] > 3)
    {
      _kette_fail (error, KETTE_ERROR_UNSUPPORTED, NULL, "NPY version %d", data[6]);
      return NULL;
    }
  head = data[6] == 1 ? 10 : 12;
  if (n < head)
    {
      _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                   "NPY header: needs %zu bytes, has %zu", head, n);
      return NULL;
    }
  length = (size_t) data[8] | (size_t) data[9] << 8;
  if (data[6] > 1)
    length |= (size_t) data[10] << 16 | (size_t) data[11] << 24;
  if (length > n - head)
    {
      _kette_fail (error, KETTE_ERROR_FORMAT, NULL,
                   "NPY header: needs %zu bytes, the file has %zu", head + length, n);
      return NULL;
    }
  h.start = h.at = (const char *) data + head;
  h.end          = h.at + length;
  if (!parse_header (&h, error))
    return NULL;
  return read_data (&h, data + head + length, n - head - length, error);
}

static const char *
code_of (int dtype)
{
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].dtype == dtype)
      return types[i].code;
  return NULL;
}

gboolean
_kette_npy_write (KetteWriter *writer, gpointer user, GError **error)
{
  const KetteTensor *tensor = user;
  const char *code          = code_of (tensor->dtype);
  char text[1024], head[10] = "\x93NUMPY\1";
  size_t n;

  if (!code)
    return _kette_fail (
        error, KETTE_ERROR_UNSUPPORTED, NULL,
        "NPY has no element type for %s; a name that ends in .pb writes a "
        "TensorProto",
        _kette_dtype (tensor->dtype)->name);
  n = (size_t) g_snprintf (text, sizeof text,
                           "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                           code[1] == '1' && code[2] == '\0' ? '|'
                           : G_BYTE_ORDER == G_LITTLE_ENDIAN ? '<'
                                                             : '>',
                           code);
  for (int i = 0; i < tensor->rank; i++)
    n += (size_t) g_snprintf (text + n, sizeof text - n, "%s%" G_GINT64_FORMAT,
                              i ? ", " : "", tensor->dims[i]);
  n += (size_t) g_snprintf (text + n, sizeof text - n, "%s), }",
                            tensor->rank == 1 ? "," : "");
  /* The data begin at a multiple of 64. */
  while ((sizeof head + n + 1) % 64 != 0)
    text[n++] = ' ';
  text[n++] = '\n';
  head[8]   = (char) (n & 0xff);
  head[9]   = (char) (n >> 8);
  return _kette_writer_add (writer, head, sizeof head)
         && _kette_writer_add (writer, text, n)
         && _kette_writer_add (writer, tensor->data, tensor->bytes);
}
