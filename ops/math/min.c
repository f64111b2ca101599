/* SPDX-License-Identifier: Apache-2.0
 *
 * Min: the smallest of one or more inputs, element by element, with broadcasting; NaN where one
 * of them is.  Source: ONNX Min-13.
 */
#include "arithmetic.h"
#include "fold.h"

KETTE_ZIP_LOOP (min, f32, float, float, float, a, b, kt_min (a, b))
KETTE_ZIP_LOOP (min, f64, double, double, double, a, b, kt_min (a, b))
KT_FOR_INTEGERS (KT_ZIP_PLAIN, min, a, b, a < b ? a : b)

static const kt_fold_loops min_loops
    = { .loop = { KT_FOLD_FLOAT_ROWS (min), KT_FOLD_INTEGER_ROWS (min) } };
KT_FOLD_KERNEL (min, KT_NUMBER_TYPES)

const kt_operator kette_op_min = {
  .op     = { KT_OP ("Min", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_infer_broadcast, .gradient = kt_extreme_gradient },
  .kernel = min_kernel,
};
