/* SPDX-License-Identifier: Apache-2.0
 *
 * Max: the largest of one or more inputs, element by element, with broadcasting; NaN where one
 * of them is.  Source: ONNX Max-13.
 */
#include "arithmetic.h"
#include "fold.h"

KETTE_ZIP_LOOP (max, f32, float, float, float, a, b, kt_max (a, b))
KETTE_ZIP_LOOP (max, f64, double, double, double, a, b, kt_max (a, b))
KT_FOR_INTEGERS (KT_ZIP_PLAIN, max, a, b, a > b ? a : b)

static const kt_fold_loops max_loops
    = { .loop = { KT_FOLD_FLOAT_ROWS (max), KT_FOLD_INTEGER_ROWS (max) } };
KT_FOLD_KERNEL (max, KT_NUMBER_TYPES)

const kt_operator kette_op_max = {
  .op     = { KT_OP ("Max", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = kt_extreme_gradient },
  .kernel = max_kernel,
};
