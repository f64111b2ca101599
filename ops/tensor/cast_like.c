/* SPDX-License-Identifier: Apache-2.0
 *
 * CastLike: y = x as the element type of a second input; served by Cast.
 * Source: ONNX CastLike-25.
 */
#include "emit.h"

static kt_status
cast_like_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), like = kt_in_type (host, infer, 1);

  (void) user;
  if (like.kind == 0)
    return KT_OK;
  return kt_set_out (host, infer, 0, like.dtype, x.dims,
                     x.kind == KT_TENSOR ? x.ndim : -1);
}

/* Cast of the version that this one belongs to: attributes were added to both alike. */
static kt_status
cast_like_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0);
  kt_attr attrs[3] = { { .name = "to", .kind = KT_A_INT } };
  int32_t n_in, n_out, version, n = 1;
  kt_type like = { 0 };
  kt_value y   = 0;
  kt_attr a;

  (void) user;
  KT_TRY (host->g_type (g, host->g_in (g, 1), &like));
  if (like.kind != KT_TENSOR)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "the element type of input 1 is not known");
  attrs[0].i = like.dtype;
  KT_TRY (host->arity (g, &n_in, &n_out, &version));
  if (host->attr (g, "saturate", &a) == KT_OK && a.kind == KT_A_INT)
    attrs[n++] = a;
  if (host->attr (g, "round_mode", &a) == KT_OK && a.kind == KT_A_STRING)
    attrs[n++] = a;
  KT_TRY (host->g_node (g, "", "Cast", version > KT_EMIT_OPSET ? version : KT_EMIT_OPSET,
                        &x, 1, &y, 1, attrs, n));
  return host->g_set (g, 0, y);
}

const kt_operator kette_op_cast_like = {
  .op = { KT_OP ("CastLike", 15), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
          .infer = cast_like_infer, .body = cast_like_body },
};
