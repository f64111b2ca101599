/* SPDX-License-Identifier: Apache-2.0
 * Elements as numbers: of any type to double or int64, and from double.
 *
 * Small floats have a row of a table each. From double they are rounded to the nearest, ties
 * to even; what is too large becomes infinite in float16 and bfloat16 and the largest number
 * in the types of 8 and 4 bits, as ONNX's Cast does.
 */
#include "base/tensor-private.h"
#include <math.h>
#include <string.h>

typedef struct
{
  int exponent, mantissa, bias; /* bits, bits, bias                                  */
  uint32_t largest;             /* code of the largest finite number                  */
  uint32_t nan;                 /* code of a NaN; 0: there is none                    */
  gboolean infinite;            /* the code after `largest` is infinity               */
  gboolean saturates;           /* what is too large becomes `largest`                */
  gboolean unsigned_zero;       /* FNUZ: the only NaN is where minus zero would be    */
} Small;

static const Small *
small_of (int dtype)
{
  static const Small rows[] = {
    [KT_F16]        = { 5, 10, 15, 0x7bff, 0x7e00, TRUE, FALSE, FALSE },
    [KT_BF16]       = { 8, 7, 127, 0x7f7f, 0x7fc0, TRUE, FALSE, FALSE },
    [KT_F8E4M3FN]   = { 4, 3, 7, 0x7e, 0x7f, FALSE, TRUE, FALSE },
    [KT_F8E4M3FNUZ] = { 4, 3, 8, 0x7f, 0x80, FALSE, TRUE, TRUE },
    [KT_F8E5M2]     = { 5, 2, 15, 0x7b, 0x7f, TRUE, TRUE, FALSE },
    [KT_F8E5M2FNUZ] = { 5, 2, 16, 0x7f, 0x80, FALSE, TRUE, TRUE },
    [KT_F4E2M1]     = { 2, 1, 1, 0x7, 0, FALSE, TRUE, FALSE },
  };

  return (size_t) dtype < G_N_ELEMENTS (rows) && rows[dtype].exponent ? &rows[dtype]
                                                                      : NULL;
}

static double
small_to_double (const Small *s, uint32_t code)
{
  const uint32_t sign = 1u << (s->exponent + s->mantissa);
  const uint32_t rest = code & (sign - 1);
  const int e         = (int) (rest >> s->mantissa);
  const uint32_t m    = rest & ((1u << s->mantissa) - 1);
  double v;

  if (s->unsigned_zero ? code == s->nan : rest > s->largest + (s->infinite ? 1u : 0u))
    return NAN;
  if (s->infinite && rest == s->largest + 1)
    v = INFINITY;
  else if (e == 0)
    v = ldexp ((double) m, 1 - s->bias - s->mantissa);
  else
    v = ldexp ((double) (m | 1u << s->mantissa), e - s->bias - s->mantissa);
  return code & sign ? -v : v;
}

static uint32_t
small_from_double (const Small *s, double v)
{
  const uint32_t sign = signbit (v) ? 1u << (s->exponent + s->mantissa) : 0;
  const double size   = fabs (v);
  uint32_t code;
  int e;

  if (isnan (v))
    return s->nan; /* float4: zero, it has nothing better */
  if (size == 0)
    return s->unsigned_zero ? 0 : sign;
  frexp (size, &e);
  /* The unit in the last place at SIZE; codes count these units from the power below. */
  e = MAX (e - 1, 1 - s->bias);
  if (isinf (v) || e > s->bias + 2)
    code = s->largest + 1;
  else
    {
      const double units = rint (ldexp (size, s->mantissa - e));

      code = (uint32_t) units + ((uint32_t) (e - 1 + s->bias) << s->mantissa);
    }
  if (code > s->largest)
    code = s->saturates ? s->largest : s->largest + 1;
  return code == 0 && s->unsigned_zero ? 0 : sign | code;
}

/* The power of two at or above V: the type has no sign, no zero and no fraction. */
static uint32_t
scale_from_double (double v)
{
  int e;

  if (isnan (v) || v < 0)
    return 0xff;
  if (isinf (v))
    return 0xfe;
  if (frexp (v, &e) == 0.5)
    e--;
  return v == 0 ? 0 : (uint32_t) CLAMP (e + 127, 0, 254);
}

/* Element I of a packed type; the first lies in the lowest bits. */
static uint32_t
get_bits (const KetteTensor *self, size_t i, unsigned bits)
{
  const uint8_t *p = self->data;

  return (uint32_t) (p[i * bits / 8] >> (i * bits % 8)) & ((1u << bits) - 1);
}

static void
set_bits (KetteTensor *self, size_t i, unsigned bits, uint32_t code)
{
  uint8_t *p           = (uint8_t *) self->data + i * bits / 8;
  const unsigned shift = (unsigned) (i * bits % 8);
  const uint32_t mask  = ((1u << bits) - 1) << shift;

  *p = (uint8_t) ((*p & ~mask) | ((code << shift) & mask));
}

/* Data may be unaligned: a mapped file. */
#define LOAD(T, self, i)                                                                 \
  ({                                                                                     \
    T load_;                                                                             \
    memcpy (&load_, (const char *) (self)->data + (i) * sizeof (T), sizeof (T));         \
    load_;                                                                               \
  })
#define STORE(T, self, i, v)                                                             \
  do                                                                                     \
    {                                                                                    \
      const T store_ = (v);                                                              \
      memcpy ((char *) (self)->data + (i) * sizeof (T), &store_, sizeof (T));            \
    }                                                                                    \
  while (0)

/* The code of a small float, or an integer of any type; FALSE: another type. */
static gboolean
get_integer (const KetteTensor *self, size_t i, gint64 *v)
{
  switch (self->dtype)
    {
    case KT_U8:
    case KT_BOOL:
      *v = LOAD (uint8_t, self, i);
      return TRUE;
    case KT_I8:
      *v = LOAD (int8_t, self, i);
      return TRUE;
    case KT_U16:
      *v = LOAD (uint16_t, self, i);
      return TRUE;
    case KT_I16:
      *v = LOAD (int16_t, self, i);
      return TRUE;
    case KT_U32:
      *v = LOAD (uint32_t, self, i);
      return TRUE;
    case KT_I32:
      *v = LOAD (int32_t, self, i);
      return TRUE;
    case KT_U64:
    case KT_I64:
      *v = LOAD (gint64, self, i);
      return TRUE;
    case KT_U4:
    case KT_U2:
      *v = get_bits (self, i, _kette_dtype (self->dtype)->bits);
      return TRUE;
    case KT_I4:
      *v = (gint64) (get_bits (self, i, 4) ^ 8u) - 8;
      return TRUE;
    case KT_I2:
      *v = (gint64) (get_bits (self, i, 2) ^ 2u) - 2;
      return TRUE;
    default:
      return FALSE;
    }
}

double
_kette_tensor_get_double (const KetteTensor *self, size_t i)
{
  const Small *small = small_of (self->dtype);
  gint64 v;

  if (self->dtype == KT_F32)
    return (double) LOAD (float, self, i);
  if (self->dtype == KT_F64)
    return LOAD (double, self, i);
  if (self->dtype == KT_U64)
    return (double) LOAD (uint64_t, self, i);
  if (self->dtype == KT_F8E8M0)
    {
      const int code = LOAD (uint8_t, self, i);
      return code == 0xff ? NAN : ldexp (1, code - 127);
    }
  if (small)
    return small_to_double (small, self->dtype == KT_F4E2M1 ? get_bits (self, i, 4)
                                   : _kette_dtype (self->dtype)->bits == 16
                                       ? LOAD (uint16_t, self, i)
                                       : LOAD (uint8_t, self, i));
  return get_integer (self, i, &v) ? (double) v : NAN;
}

/* Toward zero; NaN is 0, what is outside becomes the nearest that there is. */
static gint64
truncated (double v)
{
  if (isnan (v))
    return 0;
  if (v >= 0x1p63)
    return G_MAXINT64;
  return v < -0x1p63 ? G_MININT64 : (gint64) v;
}

gint64
_kette_tensor_get_int (const KetteTensor *self, size_t i)
{
  gint64 v;

  return get_integer (self, i, &v) ? v : truncated (_kette_tensor_get_double (self, i));
}

static void
set_integer (KetteTensor *self, size_t i, double v)
{
  const KetteDtype *row    = _kette_dtype (self->dtype);
  const gboolean is_signed = row->code == 0;
  const gint64 most        = is_signed        ? G_MAXINT64 >> (64 - row->bits)
                             : row->bits < 64 ? ((gint64) 1 << row->bits) - 1
                                              : G_MAXINT64;
  const gint64 n           = CLAMP (truncated (v), is_signed ? -most - 1 : 0, most);

  switch (row->bits)
    {
    case 8:
      STORE (uint8_t, self, i, (uint8_t) n);
      return;
    case 16:
      STORE (uint16_t, self, i, (uint16_t) n);
      return;
    case 32:
      STORE (uint32_t, self, i, (uint32_t) n);
      return;
    case 64:
      if (!is_signed && v >= 0x1p63)
        STORE (uint64_t, self, i, v >= 0x1p64 ? G_MAXUINT64 : (uint64_t) v);
      else
        STORE (gint64, self, i, n);
      return;
    default:
      set_bits (self, i, row->bits, (uint32_t) n);
    }
}

void
_kette_tensor_set_double (KetteTensor *self, size_t i, double v)
{
  const Small *small = small_of (self->dtype);

  if (self->dtype == KT_F32)
    STORE (float, self, i, (float) v);
  else if (self->dtype == KT_F64)
    STORE (double, self, i, v);
  else if (self->dtype == KT_BOOL)
    STORE (uint8_t, self, i, v != 0);
  else if (self->dtype == KT_F8E8M0)
    STORE (uint8_t, self, i, (uint8_t) scale_from_double (v));
  else if (self->dtype == KT_F4E2M1)
    set_bits (self, i, 4, small_from_double (small, v));
  else if (small && _kette_dtype (self->dtype)->bits == 16)
    STORE (uint16_t, self, i, (uint16_t) small_from_double (small, v));
  else if (small)
    STORE (uint8_t, self, i, (uint8_t) small_from_double (small, v));
  else if (_kette_dtype (self->dtype)->is_integer)
    set_integer (self, i, v);
}
