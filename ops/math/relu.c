/* SPDX-License-Identifier: Apache-2.0
 *
 * Relu: y = max (x, 0), element by element; NaN stays NaN.  Source: ONNX Relu-14.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_MAP_LOOP (relu, f32, float, float, float, x, x < 0 ? 0 : x)
KETTE_MAP_LOOP (relu, f64, double, double, double, x, x < 0 ? 0 : x)
KT_MAP_PLAIN (relu, i8, int8_t, uint32_t, x, x < 0 ? 0 : x)
KT_MAP_PLAIN (relu, i16, int16_t, uint32_t, x, x < 0 ? 0 : x)
KT_MAP_PLAIN (relu, i32, int32_t, uint32_t, x, x < 0 ? 0 : x)
KT_MAP_PLAIN (relu, i64, int64_t, uint64_t, x, x < 0 ? 0 : x)

static const kt_map_loops relu_loops
    = { .loop = { KT_FLOAT_ROWS (relu), KT_SIGNED_ROWS (relu) } };
KT_MAP_KERNEL (relu, "T=f32|f64|f16|bf16|i8|i16|i32|i64")

/* dE/dx = dE/dy where y > 0, else 0: kette.ReluGrad. */
static kt_status
relu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value in[] = { host->g_seed (g, 0), host->g_out (g, 0) };

  (void) user;
  return host->g_set (g, 0, kt_own (host, g, "ReluGrad", in, 2, NULL, 0));
}

static kt_status
relu_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x    = host->g_in (g, 0);
  const kt_value in[] = { x, kt_scalar_like (host, g, x, 0) };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "Max", in, 2, NULL, 0));
}

const kt_operator kette_op_relu = {
  .op
  = { KT_OP ("Relu", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE, .infer = kt_infer_same,
      .gradient = relu_gradient, .body = relu_body, .formula = "\\max(0, $0)" },
  .kernel = relu_kernel,
};
