/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.c: the conversions of convert.h: one loop per element type and direction.
 */
#include "convert.h"
#include "half.h"

kt_family
kt_family_of (int32_t dtype)
{
  switch (dtype)
    {
    case KT_F16:
    case KT_BF16:
    case KT_F32:
    case KT_F64:
    case KT_F8E4M3FN:
    case KT_F8E4M3FNUZ:
    case KT_F8E5M2:
    case KT_F8E5M2FNUZ:
    case KT_F8E8M0:
    case KT_F4E2M1:
      return KT_FLOATING;
    case KT_I8:
    case KT_I16:
    case KT_I32:
    case KT_I64:
    case KT_I4:
    case KT_I2:
      return KT_SIGNED;
    case KT_BOOL:
    case KT_U8:
    case KT_U16:
    case KT_U32:
    case KT_U64:
    case KT_U4:
    case KT_U2:
      return KT_UNSIGNED;
    default:
      return KT_NO_NUMBER;
    }
}

/* Element I of those of BITS < 8 bits; 8 bits are one element. */
static inline uint32_t
bits_at (const void *x, int64_t i, int bits)
{
  const int64_t at = i * bits;

  return (uint32_t) ((const uint8_t *) x)[at >> 3] >> (at & 7) & ((1u << bits) - 1);
}

static inline void
set_bits (void *y, int64_t i, int bits, uint32_t v)
{
  const int64_t at    = i * bits;
  uint8_t *const byte = (uint8_t *) y + (at >> 3);

  /* A byte's first element clears the others, the last one's padding too. */
  *byte = (uint8_t) ((at & 7 ? *byte : 0) | (v & ((1u << bits) - 1)) << (at & 7));
}

/* A float of 8 or 4 bits but float8e8m0. float4e2m1 has no NaN; it becomes -0 there. */
typedef struct
{
  int bits, digits, bias; /* digits: after the point */
  uint32_t top, inf, nan; /* codes: of the largest number, of infinity or 0, of NaN */
  bool no_minus_zero;     /* its code is NaN's */
} Narrow;

static const Narrow *
narrow_of (int32_t dtype)
{
  static const Narrow e4m3fn   = { 8, 3, 7, 0x7e, 0, 0x7f, false },
                      e4m3fnuz = { 8, 3, 8, 0x7f, 0, 0x80, true },
                      e5m2     = { 8, 2, 15, 0x7b, 0x7c, 0x7e, false },
                      e5m2fnuz = { 8, 2, 16, 0x7f, 0, 0x80, true },
                      e2m1     = { 4, 1, 1, 7, 0, 8, false };

  switch (dtype)
    {
    case KT_F8E4M3FN:
      return &e4m3fn;
    case KT_F8E4M3FNUZ:
      return &e4m3fnuz;
    case KT_F8E5M2:
      return &e5m2;
    case KT_F8E5M2FNUZ:
      return &e5m2fnuz;
    case KT_F4E2M1:
      return &e2m1;
    default:
      return NULL;
    }
}

bool
kt_is_narrow (int32_t dtype)
{
  return dtype == KT_F8E8M0 || narrow_of (dtype);
}

static double
widen_code (const Narrow *t, uint32_t code)
{
  const uint32_t sign = 1u << (t->bits - 1), size = code & (sign - 1);
  const int exponent    = (int) (size >> t->digits);
  const double fraction = ldexp (size & ((1u << t->digits) - 1), -t->digits);
  const double v
      = ldexp (exponent ? 1 + fraction : fraction, (exponent ? exponent : 1) - t->bias);

  if (t->no_minus_zero ? code == sign : size > t->top && size != t->inf)
    return (double) NAN;
  if (size > t->top)
    return code & sign ? (double) -INFINITY : (double) INFINITY;
  return code & sign ? -v : v;
}

static uint32_t
narrow_to_code (const Narrow *t, double v, bool saturate)
{
  const uint32_t sign = signbit (v) ? 1u << (t->bits - 1) : 0;
  uint32_t code       = t->top + 1;
  int exponent;

  if (v != v)
    return t->no_minus_zero ? t->nan : t->nan | sign;
  if (!isinf (v))
    {
      frexp (v, &exponent);
      if (v == 0 || exponent < 2 - t->bias)
        exponent = 2 - t->bias;
      code = (uint32_t) ((exponent + t->bias - 2) * (1 << t->digits))
             + (uint32_t) rint (ldexp (fabs (v), t->digits + 1 - exponent));
    }
  if (code > t->top)
    code = saturate || t->bits == 4 ? t->top : t->inf ? t->inf : t->nan;
  return t->no_minus_zero && (code == 0 || code == t->nan) ? code : code | sign;
}

/* A power of 2 without a sign: the exponent of a float, rounded by its digits. Code 0 is
 * 2^-127, in the middle of the denormal numbers. */
static uint32_t
power_code (double v, kt_narrowing how)
{
  const uint32_t u        = kt_bits_f32 ((float) v) & 0x7fffffff;
  const uint32_t exponent = u >> 23, rest = u & 0x7fffff;
  const uint32_t exact = exponent ? 0 : 0x400000, half = exponent ? 0x400000 : 0x600000;
  uint32_t up = 0;

  if (exponent == 0xff)
    return 0xff;
  if (how.round == KT_ROUND_UP)
    up = rest > exact;
  else if (how.round == KT_ROUND_NEAREST)
    up = rest > half || (rest == half && exponent > 0);
  return how.saturate && exponent + up == 0xff ? 0xfe : exponent + up;
}

static void
load_narrow (int32_t dtype, const void *x, double *y, int64_t n)
{
  const Narrow *const t = narrow_of (dtype);

  for (int64_t i = 0; i < n; i++)
    if (t)
      y[i] = widen_code (t, bits_at (x, i, t->bits));
    else
      {
        const int code = ((const uint8_t *) x)[i];
        y[i]           = code == 0xff ? (double) NAN : ldexp (1, code - 127);
      }
}

void
kt_store_narrow (int32_t dtype, const double *x, void *y, int64_t n, kt_narrowing how)
{
  const Narrow *const t = narrow_of (dtype);

  for (int64_t i = 0; i < n; i++)
    if (t)
      set_bits (y, i, t->bits, narrow_to_code (t, x[i], how.saturate));
    else
      ((uint8_t *) y)[i] = (uint8_t) power_code (x[i], how);
}

/* Bits of an integer type of less than a byte, else 0. */
static int
small_bits (int32_t dtype)
{
  return dtype == KT_I4 || dtype == KT_U4 ? 4 : dtype == KT_I2 || dtype == KT_U2 ? 2 : 0;
}

/* Element I of such a type, sign extended. */
static uint64_t
small_at (int32_t dtype, const void *x, int64_t i)
{
  const int bits = small_bits (dtype);
  const uint64_t sign
      = kt_family_of (dtype) == KT_SIGNED ? (uint64_t) 1 << (bits - 1) : 0;

  return (bits_at (x, i, bits) ^ sign) - sign;
}

/* case TYPE: y[i] = EXPR of v = x[i], where x is an array of T. */
#define CASE(TYPE, T, U, EXPR)                                                           \
  case TYPE:                                                                             \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        const T v    = ((const T *) x)[i];                                               \
        ((U *) y)[i] = (U) (EXPR);                                                       \
      }                                                                                  \
    break;

/* case TYPE: an integer of BITS < 8 bits; EXPR of v = x[i] as an integer. */
#define SMALL_CASE(TYPE, T, BITS, EXPR)                                                  \
  case TYPE:                                                                             \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        const T v = ((const T *) x)[i];                                                  \
        set_bits (y, i, BITS, (uint32_t) (EXPR));                                        \
      }                                                                                  \
    break;

void
kt_load_f64 (int32_t dtype, const void *x, double *y, int64_t n)
{
  switch (dtype)
    {
      CASE (KT_F16, uint16_t, double, kt_f16_to_f32 (v))
      CASE (KT_BF16, uint16_t, double, kt_bf16_to_f32 (v))
      CASE (KT_F32, float, double, v)
      CASE (KT_F64, double, double, v)
      CASE (KT_I8, int8_t, double, v)
      CASE (KT_I16, int16_t, double, v)
      CASE (KT_I32, int32_t, double, v)
      CASE (KT_I64, int64_t, double, v)
      CASE (KT_BOOL, uint8_t, double, v != 0)
      CASE (KT_U8, uint8_t, double, v)
      CASE (KT_U16, uint16_t, double, v)
      CASE (KT_U32, uint32_t, double, v)
      CASE (KT_U64, uint64_t, double, v)
    default:
      if (kt_is_narrow (dtype))
        load_narrow (dtype, x, y, n);
      else if (small_bits (dtype))
        for (int64_t i = 0; i < n; i++)
          y[i] = (double) (int64_t) small_at (dtype, x, i);
      break;
    }
}

void
kt_load_int (int32_t dtype, const void *x, uint64_t *y, int64_t n)
{
  switch (dtype)
    {
      CASE (KT_I8, int8_t, uint64_t, v)
      CASE (KT_I16, int16_t, uint64_t, v)
      CASE (KT_I32, int32_t, uint64_t, v)
      CASE (KT_I64, int64_t, uint64_t, v)
      CASE (KT_BOOL, uint8_t, uint64_t, v != 0)
      CASE (KT_U8, uint8_t, uint64_t, v)
      CASE (KT_U16, uint16_t, uint64_t, v)
      CASE (KT_U32, uint32_t, uint64_t, v)
      CASE (KT_U64, uint64_t, uint64_t, v)
    default:
      for (int64_t i = 0; i < n && small_bits (dtype); i++)
        y[i] = small_at (dtype, x, i);
      break;
    }
}

#define BELOW_63 0x1.fffffffffffffp62 /* the largest double below 2^63 */

/* V cut to LOW .. HIGH, which both are doubles; NaN as 0. */
static inline double
cut (double v, double low, double high)
{
  v = v > low ? v : v <= low ? low : 0;
  return v < high ? v : high;
}

void
kt_store_f64 (int32_t dtype, const double *x, void *y, int64_t n)
{
  switch (dtype)
    {
      CASE (KT_F16, double, uint16_t, kt_f64_to_f16 (v))
      CASE (KT_BF16, double, uint16_t, kt_f64_to_bf16 (v))
      CASE (KT_F32, double, float, v)
      CASE (KT_F64, double, double, v)
      CASE (KT_I8, double, int8_t, cut (v, INT8_MIN, INT8_MAX))
      CASE (KT_I16, double, int16_t, cut (v, INT16_MIN, INT16_MAX))
      CASE (KT_I32, double, int32_t, cut (v, INT32_MIN, INT32_MAX))
      CASE (KT_I64, double, int64_t,
            v >= 0x1p63 ? INT64_MAX : (int64_t) cut (v, -0x1p63, BELOW_63))
      CASE (KT_BOOL, double, uint8_t, v != 0)
      CASE (KT_U8, double, uint8_t, cut (v, 0, UINT8_MAX))
      CASE (KT_U16, double, uint16_t, cut (v, 0, UINT16_MAX))
      CASE (KT_U32, double, uint32_t, cut (v, 0, UINT32_MAX))
      CASE (KT_U64, double, uint64_t,
            v >= 0x1p64 ? UINT64_MAX : (uint64_t) cut (v, 0, 2 * BELOW_63))
    case KT_U4:
      SMALL_CASE (KT_I4, double, 4, (int64_t) cut (v, -0x1p63, BELOW_63))
    case KT_U2:
      SMALL_CASE (KT_I2, double, 2, (int64_t) cut (v, -0x1p63, BELOW_63))
    default:
      if (kt_is_narrow (dtype))
        kt_store_narrow (dtype, x, y, n, (kt_narrowing){ .saturate = true });
      break;
    }
}

static void
store_signed (int32_t dtype, const uint64_t *x, void *y, int64_t n)
{
  switch (dtype)
    {
      CASE (KT_F16, uint64_t, uint16_t, kt_f64_to_f16 ((double) (int64_t) v))
      CASE (KT_BF16, uint64_t, uint16_t, kt_f64_to_bf16 ((double) (int64_t) v))
      CASE (KT_F32, uint64_t, float, (int64_t) v)
      CASE (KT_F64, uint64_t, double, (int64_t) v)
    default:
      break;
    }
}

void
kt_store_int (int32_t dtype, kt_family from, const uint64_t *x, void *y, int64_t n)
{
  if (from == KT_SIGNED && kt_family_of (dtype) == KT_FLOATING)
    {
      store_signed (dtype, x, y, n);
      return;
    }
  switch (dtype)
    {
      CASE (KT_F16, uint64_t, uint16_t, kt_f64_to_f16 ((double) v))
      CASE (KT_BF16, uint64_t, uint16_t, kt_f64_to_bf16 ((double) v))
      CASE (KT_F32, uint64_t, float, v)
      CASE (KT_F64, uint64_t, double, v)
      CASE (KT_BOOL, uint64_t, uint8_t, v != 0)
    case KT_U8:
      CASE (KT_I8, uint64_t, uint8_t, v)
    case KT_U16:
      CASE (KT_I16, uint64_t, uint16_t, v)
    case KT_U32:
      CASE (KT_I32, uint64_t, uint32_t, v)
    case KT_U64:
      CASE (KT_I64, uint64_t, uint64_t, v)
    case KT_U4:
      SMALL_CASE (KT_I4, uint64_t, 4, v)
    case KT_U2:
      SMALL_CASE (KT_I2, uint64_t, 2, v)
    default:
      break;
    }
}
