/* SPDX-License-Identifier: Apache-2.0
 *
 * Upsample: what became Resize.  Source: ONNX Upsample-9; the scales are an attribute in version
 * 7, two of them for pictures in version 1.
 */
#include "emit.h"
#include "resize.h"

static kt_status
upsample_body (const kt_host *host, kt_graph *g, void *user)
{
  float scales[KT_MAX_RANK] = { 1, 1 };
  int32_t n_in, n_out, version;
  int64_t n = 4;
  kt_value constant;

  (void) user;
  KT_TRY (host->arity (g, &n_in, &n_out, &version));
  if (version >= 9)
    return kt_resize_from_corner (host, g, host->g_in (g, 1));
  if (version >= 7)
    {
      kt_attr a;
      KT_TRY (host->attr (g, "scales", &a));
      n = a.kind == KT_A_FLOATS ? (int64_t) a.n : 0;
      if (n > KT_MAX_RANK)
        return kt_fail (host, g, KT_E_SHAPE, "scales has %lld elements", (long long) n);
      if (n)
        memcpy (scales, a.v, (size_t) n * sizeof *scales);
    }
  else
    {
      scales[2] = (float) kt_attr_float (host, g, "height_scale", 1);
      scales[3] = (float) kt_attr_float (host, g, "width_scale", 1);
    }
  const kt_tensor t = { .data        = scales,
                        .device_type = KT_CPU,
                        .ndim        = 1,
                        .code        = 2,
                        .bits        = 32,
                        .lanes       = 1,
                        .shape       = &n };
  KT_TRY (host->g_constant (g, &t, &constant));
  return kt_resize_from_corner (host, g, constant);
}

const kt_operator kette_op_upsample = {
  .op  = { KT_OP ("Upsample", 10), .flags = KT_OP_PURE, .body = upsample_body },
  .old = (const kt_op[]){ { KT_OLD ("Upsample", 1, 9), .flags = KT_OP_PURE,
                            .body = upsample_body },
                          { 0 } },
};
