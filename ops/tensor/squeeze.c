/* SPDX-License-Identifier: Apache-2.0
 *
 * Squeeze: drops the dims of 1 that `axes` names, or all of them.  Source: ONNX Squeeze-13.
 */
#include "shape.h"

KT_VIEW_KERNEL (squeeze_kernel)

static kt_status
squeeze_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t dims[KT_MAX_RANK];
  int32_t n = 0;
  kt_axes axes;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  if (x.ndim < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  KT_TRY (kt_axes_of (host, infer, 1, x.ndim, &axes));
  if (axes.n > x.ndim)
    return kt_fail (host, infer, KT_E_VALUE, "%lld axes for rank %d", (long long) axes.n,
                    (int) x.ndim);
  if (axes.state == KT_AXES_UNKNOWN)
    return kt_set_unknown (host, infer, 0, x.dtype,
                           axes.n < 0 ? -1 : x.ndim - (int32_t) axes.n);
  for (int32_t d = 0; d < x.ndim; d++)
    {
      const bool named = axes.set >> d & 1;
      if (axes.state == KT_AXES_ABSENT && !kt_dim_known (x.dims[d]))
        return kt_set_unknown (host, infer, 0, x.dtype, -1);
      if (named && kt_dim_known (x.dims[d]) && x.dims[d] != 1)
        return kt_fail (host, infer, KT_E_SHAPE,
                        "dim %d is %lld, must be 1 to be dropped", (int) d,
                        (long long) x.dims[d]);
      if (axes.state == KT_AXES_ABSENT ? x.dims[d] != 1 : !named)
        dims[n++] = x.dims[d];
    }
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, dims, n));
  return kt_pass_ints (host, infer);
}

const kt_operator kette_op_squeeze = {
  .op     = { KT_OP ("Squeeze", 13), .flags = KT_OP_PURE, .infer = squeeze_infer,
              .gradient = kt_view_gradient },
  .kernel = squeeze_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Squeeze", 1, 12), .flags = KT_OP_PURE,
                               .body = kt_old_axes, .user = (void *) "Squeeze" },
                             { 0 } },
};
