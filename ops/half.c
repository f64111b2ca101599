/* SPDX-License-Identifier: Apache-2.0
 *
 * half.c: arrays of 16-bit floats to float and back.
 */
#include "half.h"

#define LOOP(NAME, T, U, CONVERT)                                                        \
  KT_VECTOR static void NAME (const T *x, U *y, int64_t n)                               \
  {                                                                                      \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[i] = CONVERT (x[i]);                                                             \
  }

LOOP (widen_f16, uint16_t, float, kt_f16_to_f32)
LOOP (widen_bf16, uint16_t, float, kt_bf16_to_f32)
LOOP (narrow_f16, float, uint16_t, kt_f32_to_f16)
LOOP (narrow_bf16, float, uint16_t, kt_f32_to_bf16)

void
kt_widen (int32_t half, const uint16_t *x, float *y, int64_t n)
{
  (half == KT_F16 ? widen_f16 : widen_bf16) (x, y, n);
}

void
kt_narrow (int32_t half, const float *x, uint16_t *y, int64_t n)
{
  (half == KT_F16 ? narrow_f16 : narrow_bf16) (x, y, n);
}
