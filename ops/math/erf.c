/* SPDX-License-Identifier: Apache-2.0
 *
 * Erf: y = 2 / sqrt (pi) times the integral of e^(-t^2) from 0 to x, element by element.
 * Source: ONNX Erf-13.
 */
#include "slope.h"

KETTE_MAP (erf, x, kt_erf (x))

/* Versions 9-12 take integers as well. */
static kt_status
erf_old (const kt_host *host, kt_graph *g, void *user)
{
  const int32_t dtype = kt_in_type (host, g, 0).dtype;
  const kt_attr to[]  = { { .name = "to", .kind = KT_A_INT, .i = KT_F64 },
                          { .name = "to", .kind = KT_A_INT, .i = dtype } };
  kt_value v          = host->g_in (g, 0);

  (void) user;
  if (kt_in_type (host, g, 0).kind == 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "the element type of x is not known");
  if (!kt_is_float (dtype))
    v = kt_node (host, g, "Cast", &v, 1, &to[0], 1);
  v = kt_node (host, g, "Erf", &v, 1, NULL, 0);
  if (!kt_is_float (dtype))
    v = kt_node (host, g, "Cast", &v, 1, &to[1], 1);
  return host->g_set (g, 0, v);
}

/* dE/dx = dE/dy 2 / sqrt (pi) e^(-x^2): kette.ErfGrad. */
const kt_operator kette_op_erf = {
  .op
  = { KT_OP ("Erf", 13), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE, .infer = kt_infer_same,
      .gradient = kt_slope_of_input, .user = (void *) "ErfGrad" },
  .kernel = erf_kernel,
  .old = (const kt_op[]){ { KT_OLD ("Erf", 9, 12), .flags = KT_OP_PURE, .body = erf_old },
                          { 0 } },
};
