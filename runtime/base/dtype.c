/* SPDX-License-Identifier: Apache-2.0
 * The table of element types, and types and shapes as text.
 */
#include "base/dtype.h"
#include "base/alloc.h"
#include <string.h>

/* DLPack's type codes (dlpack.h 1.1). */
enum
{
  DL_INT,
  DL_UINT,
  DL_FLOAT,
  DL_OPAQUE,
  DL_BFLOAT,
  DL_COMPLEX,
  DL_BOOL,
  DL_F8E4M3FN   = 10,
  DL_F8E4M3FNUZ = 11,
  DL_F8E5M2     = 12,
  DL_F8E5M2FNUZ = 13,
  DL_F8E8M0FNU  = 14,
  DL_F4E2M1FN   = 17
};

/* clang-format off */
static const KetteDtype dtypes[] = {
  /*                   name             brief         proto             bits code  float integer */
  [KT_F32]        = { "float32",        "f32",        "FLOAT",          32,  DL_FLOAT,      1, 0 },
  [KT_U8]         = { "uint8",          "u8",         "UINT8",          8,   DL_UINT,       0, 1 },
  [KT_I8]         = { "int8",           "i8",         "INT8",           8,   DL_INT,        0, 1 },
  [KT_U16]        = { "uint16",         "u16",        "UINT16",         16,  DL_UINT,       0, 1 },
  [KT_I16]        = { "int16",          "i16",        "INT16",          16,  DL_INT,        0, 1 },
  [KT_I32]        = { "int32",          "i32",        "INT32",          32,  DL_INT,        0, 1 },
  [KT_I64]        = { "int64",          "i64",        "INT64",          64,  DL_INT,        0, 1 },
  [KT_STRING]     = { "string",         "string",     "STRING",         0,   DL_OPAQUE,     0, 0 },
  [KT_BOOL]       = { "bool",           "bool",       "BOOL",           8,   DL_BOOL,       0, 0 },
  [KT_F16]        = { "float16",        "f16",        "FLOAT16",        16,  DL_FLOAT,      1, 0 },
  [KT_F64]        = { "float64",        "f64",        "DOUBLE",         64,  DL_FLOAT,      1, 0 },
  [KT_U32]        = { "uint32",         "u32",        "UINT32",         32,  DL_UINT,       0, 1 },
  [KT_U64]        = { "uint64",         "u64",        "UINT64",         64,  DL_UINT,       0, 1 },
  [KT_C64]        = { "complex64",      "c64",        "COMPLEX64",      64,  DL_COMPLEX,    0, 0 },
  [KT_C128]       = { "complex128",     "c128",       "COMPLEX128",     128, DL_COMPLEX,    0, 0 },
  [KT_BF16]       = { "bfloat16",       "bf16",       "BFLOAT16",       16,  DL_BFLOAT,     1, 0 },
  [KT_F8E4M3FN]   = { "float8e4m3fn",   "f8e4m3fn",   "FLOAT8E4M3FN",   8,   DL_F8E4M3FN,   1, 0 },
  [KT_F8E4M3FNUZ] = { "float8e4m3fnuz", "f8e4m3fnuz", "FLOAT8E4M3FNUZ", 8,   DL_F8E4M3FNUZ, 1, 0 },
  [KT_F8E5M2]     = { "float8e5m2",     "f8e5m2",     "FLOAT8E5M2",     8,   DL_F8E5M2,     1, 0 },
  [KT_F8E5M2FNUZ] = { "float8e5m2fnuz", "f8e5m2fnuz", "FLOAT8E5M2FNUZ", 8,   DL_F8E5M2FNUZ, 1, 0 },
  [KT_U4]         = { "uint4",          "u4",         "UINT4",          4,   DL_UINT,       0, 1 },
  [KT_I4]         = { "int4",           "i4",         "INT4",           4,   DL_INT,        0, 1 },
  [KT_F4E2M1]     = { "float4e2m1",     "f4e2m1",     "FLOAT4E2M1",     4,   DL_F4E2M1FN,   1, 0 },
  [KT_F8E8M0]     = { "float8e8m0",     "f8e8m0",     "FLOAT8E8M0",     8,   DL_F8E8M0FNU,  1, 0 },
  [KT_U2]         = { "uint2",          "u2",         "UINT2",          2,   DL_UINT,       0, 1 },
  [KT_I2]         = { "int2",           "i2",         "INT2",           2,   DL_INT,        0, 1 },
};
/* clang-format on */

const KetteDtype *
_kette_dtype (int dtype)
{
  return dtype > KT_UNDEFINED && dtype <= KETTE_DTYPE_LAST ? &dtypes[dtype] : NULL;
}

int
_kette_dtype_from_brief (const char *brief, size_t n)
{
  for (int i = 1; i <= KETTE_DTYPE_LAST; i++)
    if (strlen (dtypes[i].brief) == n && memcmp (dtypes[i].brief, brief, n) == 0)
      return i;
  return KT_UNDEFINED;
}

int
_kette_dtype_of_view (const kt_tensor *view)
{
  for (int i = 1; i <= KETTE_DTYPE_LAST; i++)
    if (dtypes[i].code == view->code && dtypes[i].bits == view->bits)
      return i;
  return KT_UNDEFINED;
}

gboolean
_kette_dtype_bytes (int dtype, size_t count, size_t *bytes)
{
  const KetteDtype *row = _kette_dtype (dtype);

  if (!row)
    return FALSE;
  if (dtype == KT_STRING)
    return _kette_mul (count, sizeof (kt_str), bytes);
  if (row->bits >= 8)
    return _kette_mul (count, row->bits / 8u, bytes);
  *bytes = count / (8u / row->bits) + (count % (8u / row->bits) != 0);
  return TRUE;
}

/* A text in a buffer; what does not fit is left out, the end stays a border of characters. */
typedef struct
{
  char *out;
  size_t size, at;
} Text;

static void
put (Text *t, const char *s)
{
  const size_t n = strlen (s);

  if (t->at + n + 1 > t->size)
    {
      t->size = t->at; /* nothing more: a shorter later part must not follow a gap */
      return;
    }
  memcpy (t->out + t->at, s, n + 1);
  t->at += n;
}

static void
put_symbol (Text *t, const char *name)
{
  size_t n = 0;

  while (g_ascii_isalnum (name[n]) || (name[n] && strchr ("_.-+*/", name[n])))
    n++;
  if (n > 0 && n <= 64 && !name[n])
    put (t, name);
  else
    put (t, KETTE_QUOTE (name));
}

static void
put_dims (Text *t, const int64_t *dims, int rank, const char *const *symbols)
{
  char number[32];

  put (t, "[");
  if (rank < 0)
    put (t, "...");
  for (int i = 0; i < rank; i++)
    {
      if (i > 0)
        put (t, ",");
      if (!KT_IS_DIM (dims[i]))
        {
          g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT, (gint64) dims[i]);
          put (t, number);
        }
      else if (dims[i] != KT_DIM (0) && symbols && symbols[dims[i] - KT_DIM (1)])
        put_symbol (t, symbols[dims[i] - KT_DIM (1)]);
      else
        put (t, "?");
    }
  put (t, "]");
}

const char *
_kette_shape_text (char *out, size_t size, const int64_t *dims, int rank,
                   const char *const *symbols)
{
  Text t = { out, size, 0 };

  if (size > 0)
    out[0] = '\0';
  put_dims (&t, dims, rank, symbols);
  return out;
}

const char *
_kette_type_text (char *out, size_t size, const kt_type *type, const char *const *symbols)
{
  Text t     = { out, size, 0 };
  int closed = 0;

  if (size > 0)
    out[0] = '\0';
  for (; type; type = type->elem, closed++)
    {
      const KetteDtype *row
          = _kette_dtype (type->kind == KT_MAP ? type->key : type->dtype);

      if (type->kind == KT_TENSOR || type->kind == KT_SPARSE)
        {
          put (&t, type->kind == KT_SPARSE ? "sparse " : "");
          put (&t, row ? row->name : "?");
          put_dims (&t, type->dims, type->ndim, symbols);
          break;
        }
      if (type->kind == KT_SEQUENCE)
        put (&t, "sequence(");
      else if (type->kind == KT_OPTIONAL)
        put (&t, "optional(");
      else if (type->kind == KT_MAP)
        {
          put (&t, "map(");
          put (&t, row ? row->name : "?");
          put (&t, ",");
        }
      else
        {
          put (&t, "unknown");
          break;
        }
      if (!type->elem)
        put (&t, "unknown");
    }
  while (closed-- > 0)
    put (&t, ")");
  return out;
}
