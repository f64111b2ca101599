/* SPDX-License-Identifier: Apache-2.0
 *
 * gemm.c: ONNX's Gemm as a product of CBLAS. The host has checked that the shapes fit.
 */
#include "product.h"

static double
number (const kt_host *host, const void *ctx, const char *name, double absent)
{
  kt_attr a;

  if (host->attr (ctx, name, &a) != KT_OK)
    return absent;
  return a.kind == KT_A_FLOAT ? a.f : a.kind == KT_A_INT ? (double) a.i : absent;
}

kt_status
gemm_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const bool turn_a = number (host, prep, "transA", 0) != 0;
  const bool turn_b = number (host, prep, "transB", 0) != 0;
  kt_type a, b, c;

  (void) user;
  if (host->type (prep, 0, 0, &a) != KT_OK || host->type (prep, 0, 1, &b) != KT_OK
      || host->type (prep, 0, 2, &c) != KT_OK || a.ndim != 2 || b.ndim != 2 || c.ndim > 2)
    return fail (host, prep, KT_E_SHAPE, "operands of Gemm are matrices");

  const kt_status status = host->keep (prep, sizeof (Product), state);
  if (status != KT_OK)
    return status;

  Product *const p = *state;
  *p               = (Product){ .m      = a.dims[turn_a],
                                .k      = a.dims[!turn_a],
                                .n      = b.dims[!turn_b],
                                .lda    = a.dims[1],
                                .ldb    = b.dims[1],
                                .turn_a = turn_a,
                                .turn_b = turn_b,
                                .has_c  = c.kind != 0,
                                .wide   = a.dtype == KT_F64,
                                .alpha  = number (host, prep, "alpha", 1),
                                .beta   = number (host, prep, "beta", 1) };
  if (p->has_c && c.ndim > 0)
    p->c_col = c.dims[c.ndim - 1] == 1 ? 0 : 1;
  if (p->has_c && c.ndim == 2)
    p->c_row = c.dims[0] == 1 ? 0 : c.dims[1];
  return product_prepare (host, prep, p);
}
