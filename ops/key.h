/* SPDX-License-Identifier: Apache-2.0
 *
 * key.h: unsigned integers in the order of elements, for C and CUDA: NaN is the largest, both
 * zeros are one.
 */
#pragma once
#include "vmath.h"

/* The order of floats: below 0 all bits turn round, above 0 the sign. */
KT_INLINE uint64_t
kt_key_f32 (float x)
{
  const uint32_t u = kt_bits_f32 (x + 0.0f);

  return x != x ? UINT64_MAX : u >> 31 ? (uint32_t) ~u : u | (uint32_t) 1 << 31;
}

KT_INLINE uint64_t
kt_key_f64 (double x)
{
  const uint64_t u = kt_bits_f64 (x + 0.0);

  return x != x ? UINT64_MAX : u >> 63 ? ~u : u | (uint64_t) 1 << 63;
}

KT_INLINE uint64_t
kt_key_i64 (int64_t x)
{
  return (uint64_t) x ^ (uint64_t) 1 << 63;
}
