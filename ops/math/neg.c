/* SPDX-License-Identifier: Apache-2.0
 *
 * Neg: y = -x, element by element; integers wrap.  Source: ONNX Neg-13.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_MAP_LOOP (neg, f32, float, float, float, x, -x)
KETTE_MAP_LOOP (neg, f64, double, double, double, x, -x)
KT_MAP_WRAPPED (neg, i8, int8_t, uint32_t, x, -x)
KT_MAP_WRAPPED (neg, i16, int16_t, uint32_t, x, -x)
KT_MAP_WRAPPED (neg, i32, int32_t, uint32_t, x, -x)
KT_MAP_WRAPPED (neg, i64, int64_t, uint64_t, x, -x)

static const kt_map_loops neg_loops
    = { .loop = { KT_FLOAT_ROWS (neg), KT_SIGNED_ROWS (neg) } };
KT_MAP_KERNEL (neg, "T=f32|f64|f16|bf16|i8|i16|i32|i64")

/* dE/dx = -dE/dy. */
static kt_status
neg_gradient (const kt_host *host, kt_graph *g, void *user)
{
  (void) user;
  return host->g_set (g, 0, kt_neg (host, g, host->g_seed (g, 0)));
}

const kt_operator kette_op_neg = {
  .op     = { KT_OP ("Neg", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = neg_gradient, .formula = "-$0" },
  .kernel = neg_kernel,
};
