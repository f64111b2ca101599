/* SPDX-License-Identifier: Apache-2.0
 *
 * Ceil: the smallest whole number that is not below x, element by element.
 * Source: ONNX Ceil-13.
 */
#include "elementwise.h"

KETTE_MAP (ceil, x, kt_ceil (x))

const kt_operator kette_op_ceil = {
  .op = { KT_OP ("Ceil", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_NO_GRADIENT,
          .infer = kt_infer_same, .formula = "\\lceil $0 \\rceil" },
  .kernel = ceil_kernel,
};
