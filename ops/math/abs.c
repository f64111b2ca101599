/* SPDX-License-Identifier: Apache-2.0
 *
 * Abs: y = |x|, element by element; the least integer stays.  Source: ONNX Abs-13.
 */
#include "arithmetic.h"
#include "emit.h"

#define ABS(NAME, SUFFIX, T, W)                                                          \
  KT_MAP_PLAIN (NAME, SUFFIX, T, W, x, x < 0 ? -(W) x : (W) x)

KETTE_MAP_LOOP (abs, f32, float, float, float, x, kt_abs (x))
KETTE_MAP_LOOP (abs, f64, double, double, double, x, kt_abs (x))
ABS (abs, i8, int8_t, uint32_t)
ABS (abs, i16, int16_t, uint32_t)
ABS (abs, i32, int32_t, uint32_t)
ABS (abs, i64, int64_t, uint64_t)
KT_MAP_PLAIN (abs, u8, uint8_t, uint32_t, x, x)
KT_MAP_PLAIN (abs, u16, uint16_t, uint32_t, x, x)
KT_MAP_PLAIN (abs, u32, uint32_t, uint32_t, x, x)
KT_MAP_PLAIN (abs, u64, uint64_t, uint64_t, x, x)

static const kt_map_loops abs_loops = { .loop = { KT_NUMBER_ROWS (abs) } };
KT_MAP_KERNEL (abs, KT_NUMBER_TYPES)

/* dE/dx = dE/dy * sign x. */
static kt_status
abs_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), sign = kt_node (host, g, "Sign", &x, 1, NULL, 0);

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, host->g_seed (g, 0), sign));
}

const kt_operator kette_op_abs = {
  .op     = { KT_OP ("Abs", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_same, .gradient = abs_gradient, .formula = "|$0|" },
  .kernel = abs_kernel,
};
