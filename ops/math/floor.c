/* SPDX-License-Identifier: Apache-2.0
 *
 * Floor: the largest whole number that is not above x, element by element.
 * Source: ONNX Floor-13.
 */
#include "elementwise.h"

KETTE_MAP (floor, x, kt_floor (x))

const kt_operator kette_op_floor = {
  .op = { KT_OP ("Floor", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_NO_GRADIENT,
          .infer = kt_infer_same, .formula = "\\lfloor $0 \\rfloor" },
  .kernel = floor_kernel,
};
