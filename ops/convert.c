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
      return KT_FLOATING;
    case KT_I8:
    case KT_I16:
    case KT_I32:
    case KT_I64:
      return KT_SIGNED;
    case KT_BOOL:
    case KT_U8:
    case KT_U16:
    case KT_U32:
    case KT_U64:
      return KT_UNSIGNED;
    default:
      return KT_NO_NUMBER;
    }
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
    default:
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
    default:
      break;
    }
}
