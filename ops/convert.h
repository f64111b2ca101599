/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.h: numbers of any element type as doubles or 64-bit integers, and back, in
 * blocks. Floats become integers by truncation, saturating, NaN as 0 (those of 4 and 2 bits
 * wrap); integers wrap; everything but 0 becomes true. Floats of 16, 8 and 4 bits round to
 * nearest even. Elements of less than a byte lie several in one, the first lowest: blocks
 * begin at a byte.
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

/* Is it a float of 8 or 4 bits? */
bool kt_is_narrow (int32_t dtype);

/* N elements of X, of a type of any family, as doubles. */
void kt_load_f64 (int32_t dtype, const void *x, double *y, int64_t n);
/* N elements of X, of an integer type, sign extended. */
void kt_load_int (int32_t dtype, const void *x, uint64_t *y, int64_t n);
void kt_store_f64 (int32_t dtype, const double *x, void *y, int64_t n);

/* What a float of 8 or 4 bits becomes where the type ends: its largest number, or infinity
 * or NaN; how powers of 2 (float8e8m0) are rounded. */
typedef struct kt_narrowing
{
  bool saturate;
  enum
  {
    KT_ROUND_UP,
    KT_ROUND_DOWN,
    KT_ROUND_NEAREST
  } round;
} kt_narrowing;

void kt_store_narrow (int32_t dtype, const double *x, void *y, int64_t n,
                      kt_narrowing how);
/* FROM is the family of the integers X: KT_SIGNED or KT_UNSIGNED. */
void kt_store_int (int32_t dtype, kt_family from, const uint64_t *x, void *y, int64_t n);
