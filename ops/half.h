/* SPDX-License-Identifier: Apache-2.0
 *
 * half.h: the 16-bit floats. Rounding is to nearest, ties to even, once, from double; so a
 * result that was computed in float is rounded once, too.
 */
#pragma once
#include "vmath.h"
#ifndef __cplusplus
#include "operator.h"
#endif

KT_INLINE float
kt_f16_to_f32 (uint16_t h)
{
  const uint32_t sign = (uint32_t) (h & 0x8000) << 16, m = h & 0x7fff;
  const float tiny = (float) (int32_t) m * 0x1p-24f;
  const uint32_t u = (m << 13) + (m >= 0x7c00 ? 224u << 23 : 112u << 23);

  return kt_from_bits_f32 ((m < 0x400 ? kt_bits_f32 (tiny) : u) | sign);
}

KT_INLINE float
kt_bf16_to_f32 (uint16_t h)
{
  return kt_from_bits_f32 ((uint32_t) h << 16);
}

/* X as sign, exponent and DIGITS binary digits after the point, in 16 bits; the least normal
 * exponent is LEAST. Below it, the sum with a power of two rounds at the right digit. */
KT_INLINE uint16_t
kt_f64_to_16 (double x, int digits, int least)
{
  const uint64_t a    = kt_bits_f64 (x) & 0x7fffffffffffffff;
  const uint16_t sign = (uint16_t) (kt_bits_f64 (x) >> 48 & 0x8000);
  const uint16_t inf  = (uint16_t) (0x7fff >> digits << digits);
  const int shift     = 52 - digits;
  const uint64_t unit = (uint64_t) (1023 + 52 + least - digits) << 52;
  uint16_t y;

  if (a > 0x7ff0000000000000)
    y = (uint16_t) (inf | 1u << (digits - 1));
  else if (a >= (uint64_t) (1023 + 2 - least) << 52)
    y = inf; /* 2^(2 - least) is beyond the largest number */
  else if (a < (uint64_t) (1023 + least) << 52)
    y = (uint16_t) (kt_bits_f64 (kt_from_bits_f64 (a) + kt_from_bits_f64 (unit)) - unit);
  else
    {
      const uint64_t round = ((uint64_t) 1 << (shift - 1)) - 1 + (a >> shift & 1);
      y = (uint16_t) ((a - ((uint64_t) (1022 + least) << 52) + round) >> shift);
    }
  return y | sign;
}

KT_INLINE uint16_t
kt_f64_to_f16 (double x)
{
  return kt_f64_to_16 (x, 10, -14);
}

KT_INLINE uint16_t
kt_f64_to_bf16 (double x)
{
  return kt_f64_to_16 (x, 7, -126);
}

/* The same from float, without branches: loops over it become vector code. */
KT_INLINE uint16_t
kt_f32_to_f16 (float x)
{
  const uint32_t u = kt_bits_f32 (x), a = u & 0x7fffffff;
  const uint32_t normal = (a - (112u << 23) + 0xfff + (a >> 13 & 1)) >> 13;
  /* 1/2 has the last digit of the denormal numbers. */
  const uint32_t tiny = kt_bits_f32 (kt_from_bits_f32 (a) + 0.5f) - kt_bits_f32 (0.5f);
  const uint32_t huge = a > 0x7f800000 ? 0x7e00 : 0x7c00;
  const uint32_t y    = a < 0x38800000 ? tiny : a < 0x477ff000 ? normal : huge;

  return (uint16_t) (y | (u >> 16 & 0x8000));
}

KT_INLINE uint16_t
kt_f32_to_bf16 (float x)
{
  const uint32_t u = kt_bits_f32 (x);
  const uint32_t y = (u + 0x7fff + (u >> 16 & 1)) >> 16;

  return (uint16_t) ((u & 0x7fffffff) > 0x7f800000 ? 0x7fc0 | (u >> 16 & 0x8000) : y);
}

#ifndef __cplusplus
/* N elements of the type HALF, KT_F16 or KT_BF16, to float and back; half.c. */
void kt_widen (int32_t half, const uint16_t *x, float *y, int64_t n);
void kt_narrow (int32_t half, const float *x, uint16_t *y, int64_t n);
#endif
