/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.h: numbers of any element type as doubles or 64-bit integers, and back, in
 * blocks. Floats become integers by truncation, saturating, NaN as 0; integers wrap;
 * everything but 0 becomes true. f16 and bf16 round to nearest even.
 */
#pragma once
#include "operator.h"

typedef enum
{
  KT_NO_NUMBER, /* strings, complex and other types that are not served */
  KT_FLOATING,
  KT_SIGNED,
  KT_UNSIGNED /* and bool */
} kt_family;

kt_family kt_family_of (int32_t dtype);

/* N elements of X, of a type of any family, as doubles. */
void kt_load_f64 (int32_t dtype, const void *x, double *y, int64_t n);
/* N elements of X, of an integer type, sign extended. */
void kt_load_int (int32_t dtype, const void *x, uint64_t *y, int64_t n);
void kt_store_f64 (int32_t dtype, const double *x, void *y, int64_t n);
/* FROM is the family of the integers X: KT_SIGNED or KT_UNSIGNED. */
void kt_store_int (int32_t dtype, kt_family from, const uint64_t *x, void *y, int64_t n);
