/* SPDX-License-Identifier: Apache-2.0
 *
 * Less: y = a < b, element by element, with broadcasting; false where one is NaN.
 * Source: ONNX Less-13.
 */
#include "arithmetic.h"

KETTE_COMPARE (less, a, b, a < b)

const kt_operator kette_op_less = {
  .op
  = { KT_OP ("Less", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_ZERO_GRADIENT,
      .infer = kt_infer_compare, .formula = "$0 < $1" },
  .kernel = less_kernel,
  .old    = KT_OLD_BROADCAST ("Less"),
};
