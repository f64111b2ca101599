/* SPDX-License-Identifier: Apache-2.0
 *
 * Flatten: x as a matrix; the dims before `axis` make the rows.  Source: ONNX Flatten-13.
 */
#include "shape.h"

KT_VIEW_KERNEL (flatten_kernel)

static kt_status
flatten_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x    = kt_in_type (host, infer, 0);
  const int64_t axis = kt_attr_int (host, infer, "axis", 1);
  int64_t dims[2];

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, 2);
  if (axis < -(int64_t) x.ndim || axis > x.ndim)
    return kt_fail (host, infer, KT_E_ATTR, "axis %lld is not in %d..%d",
                    (long long) axis, (int) -x.ndim, (int) x.ndim);

  const int32_t rows = (int32_t) (axis < 0 ? axis + x.ndim : axis);
  KT_TRY (kt_product (host, infer, x.dims, rows, &dims[0]));
  KT_TRY (kt_product (host, infer, x.dims + rows, x.ndim - rows, &dims[1]));
  return kt_set_out (host, infer, 0, x.dtype, dims, 2);
}

const kt_operator kette_op_flatten = {
  .op     = { KT_OP ("Flatten", 1), .flags = KT_OP_PURE, .infer = flatten_infer,
              .gradient = kt_view_gradient },
  .kernel = flatten_kernel,
};
