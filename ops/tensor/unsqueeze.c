/* SPDX-License-Identifier: Apache-2.0
 *
 * Unsqueeze: puts dims of 1 at `axes`, counted in the output.  Source: ONNX Unsqueeze-13.
 */
#include "shape.h"

KT_VIEW_KERNEL (unsqueeze_kernel)

static kt_status
unsqueeze_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t n, dims[KT_MAX_RANK];
  kt_axes axes;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_n_axes_of (host, infer, 1, &n));
  if (x.ndim < 0 || n < 0)
    return kt_set_unknown (host, infer, 0, x.dtype, -1);
  if (n > KT_MAX_RANK - x.ndim)
    return kt_fail (host, infer, KT_E_LIMIT, "%lld axes and rank %d exceed rank %d",
                    (long long) n, (int) x.ndim, KT_MAX_RANK);

  const int32_t ndim = x.ndim + (int32_t) n;
  KT_TRY (kt_axes_of (host, infer, 1, ndim, &axes));
  if (axes.state != KT_AXES_KNOWN)
    return kt_set_unknown (host, infer, 0, x.dtype, ndim);
  for (int32_t d = 0, from = 0; d < ndim; d++)
    dims[d] = axes.set >> d & 1 ? 1 : x.dims[from++];
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, dims, ndim));
  return kt_pass_ints (host, infer);
}

const kt_operator kette_op_unsqueeze = {
  .op     = { KT_OP ("Unsqueeze", 13), .flags = KT_OP_PURE, .infer = unsqueeze_infer,
              .gradient = kt_view_gradient },
  .kernel = unsqueeze_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Unsqueeze", 1, 12), .flags = KT_OP_PURE,
                               .body = kt_old_axes, .user = (void *) "Unsqueeze" },
                             { 0 } },
};
