/* SPDX-License-Identifier: Apache-2.0
 *
 * product-shape.c: arithmetic of products that needs no device.
 */
#include "product.h"

CuAddend
cu_addend_of (const Product *p, bool biases)
{
  if (!p->has_c)
    return CU_NO_C;
  if (p->beta == 0) /* a NaN in C stays one; libraries do not look at it */
    return CU_SPREAD;
  if (p->c_col == 1 && p->c_row == 0 && p->beta == 1 && biases && p->k > 0)
    return CU_BIAS;
  /* A C of one column is a row of Y's as well if Y has but one. */
  if (p->k > 0 && p->n_dims == 0 && (p->c_col == 1 || p->n == 1)
      && (p->c_row == p->n || p->m == 1))
    return CU_WHOLE;
  return CU_SPREAD;
}

CuBatch
cu_batch_of (const Product *p)
{
  const int32_t last = p->n_dims - 1;
  CuBatch b          = { .count = 1, .calls = 1 };

  if (last < 0)
    return b;
  b.count  = p->dims[last];
  b.a_step = p->a_step[last];
  b.b_step = p->b_step[last];
  for (int32_t d = 0; d < last; d++)
    b.calls *= p->dims[d];
  return b;
}

void
cu_batch_at (const Product *p, int64_t call, int64_t *a, int64_t *b)
{
  *a = *b = 0;
  for (int32_t d = p->n_dims - 2; d >= 0; d--)
    {
      *a += call % p->dims[d] * p->a_step[d];
      *b += call % p->dims[d] * p->b_step[d];
      call /= p->dims[d];
    }
}

bool
cu_product_is_empty (const Product *p)
{
  const CuBatch b = cu_batch_of (p);

  return p->m == 0 || p->n == 0 || b.count == 0 || b.calls == 0;
}
