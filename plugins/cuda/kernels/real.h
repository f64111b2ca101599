/* SPDX-License-Identifier: Apache-2.0
 *
 * real.h: elements of any type as doubles and back, as ops/convert.h has it.
 */
#pragma once
#include "gpu.h"

KT_HD bool
kt_is_signed (int32_t dtype)
{
  return dtype == KT_I8 || dtype == KT_I16 || dtype == KT_I32 || dtype == KT_I64;
}

KT_HD double
kt_load_number (const void *x, int64_t i, int32_t dtype)
{
  if (kt_is_real (dtype))
    return kt_load_real (x, i, dtype);

  const uint64_t v = kt_load_whole (x, i, dtype);
  return kt_is_signed (dtype) ? (double) (int64_t) v : (double) v;
}

/* V truncated, at the ends of the type with BITS bits; NaN is 0. */
KT_HD uint64_t
kt_truncated (double v, int bits, bool is_signed)
{
  const double above  = is_signed ? kt_from_bits_f64 ((uint64_t) (1023 + bits - 1) << 52)
                                  : kt_from_bits_f64 ((uint64_t) (1023 + bits) << 52);
  const uint64_t most = is_signed
                            ? ((uint64_t) 1 << (bits - 1)) - 1
                            : (bits == 64 ? UINT64_MAX : ((uint64_t) 1 << bits) - 1);

  if (v != v)
    return 0;
  if (v >= above)
    return most;
  if (is_signed)
    return v <= -above ? (uint64_t) 0 - ((uint64_t) 1 << (bits - 1))
                       : (uint64_t) (int64_t) v;
  return v <= 0 ? 0 : (uint64_t) v;
}

KT_HD void
kt_store_real (void *y, int64_t i, int32_t dtype, double v)
{
  switch (dtype)
    {
    case KT_F32:
      ((float *) y)[i] = (float) v;
      break;
    case KT_F64:
      ((double *) y)[i] = v;
      break;
    case KT_F16:
      ((uint16_t *) y)[i] = kt_f64_to_f16 (v);
      break;
    case KT_BF16:
      ((uint16_t *) y)[i] = kt_f64_to_bf16 (v);
      break;
    case KT_BOOL:
      ((uint8_t *) y)[i] = v != 0;
      break;
    case KT_I8:
    case KT_U8:
      kt_store_whole (y, i, dtype, kt_truncated (v, 8, dtype == KT_I8));
      break;
    case KT_I16:
    case KT_U16:
      kt_store_whole (y, i, dtype, kt_truncated (v, 16, dtype == KT_I16));
      break;
    case KT_I32:
    case KT_U32:
      kt_store_whole (y, i, dtype, kt_truncated (v, 32, dtype == KT_I32));
      break;
    default:
      kt_store_whole (y, i, dtype, kt_truncated (v, 64, dtype == KT_I64));
    }
}
