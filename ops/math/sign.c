/* SPDX-License-Identifier: Apache-2.0
 *
 * Sign: y = 1 where x > 0, -1 where x < 0, 0 where x = 0, NaN where x is; element by
 * element.  Source: ONNX Sign-13.
 */
#include "arithmetic.h"

#define SIGN(NAME, SUFFIX, T, W) KT_MAP_PLAIN (NAME, SUFFIX, T, W, x, (x > 0) - (x < 0))
#define SIGN_UNSIGNED(NAME, SUFFIX, T, W) KT_MAP_PLAIN (NAME, SUFFIX, T, W, x, x > 0)

KETTE_MAP_LOOP (sign, f32, float, float, float, x, x > 0 ? 1.0f : x < 0 ? -1.0f : x)
KETTE_MAP_LOOP (sign, f64, double, double, double, x, x > 0 ? 1.0 : x < 0 ? -1.0 : x)
SIGN (sign, i8, int8_t, uint32_t)
SIGN (sign, i16, int16_t, uint32_t)
SIGN (sign, i32, int32_t, uint32_t)
SIGN (sign, i64, int64_t, uint64_t)
SIGN_UNSIGNED (sign, u8, uint8_t, uint32_t)
SIGN_UNSIGNED (sign, u16, uint16_t, uint32_t)
SIGN_UNSIGNED (sign, u32, uint32_t, uint32_t)
SIGN_UNSIGNED (sign, u64, uint64_t, uint64_t)

static const kt_map_loops sign_loops = { .loop = { KT_NUMBER_ROWS (sign) } };
KT_MAP_KERNEL (sign, KT_NUMBER_TYPES)

const kt_operator kette_op_sign = {
  .op = { KT_OP ("Sign", 9), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_NO_GRADIENT,
          .infer = kt_infer_same, .formula = "\\mathrm{sign}($0)" },
  .kernel = sign_kernel,
};
