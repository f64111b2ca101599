/* SPDX-License-Identifier: Apache-2.0
 *
 * Not: y = not x, element by element.  Source: ONNX Not-1.
 */
#include "elementwise.h"

KETTE_MAP_PLAIN_LOOP (not, bool, uint8_t, uint8_t, uint8_t, x, x == 0)

static const kt_map_loops not_loops = { .loop = { KT_ROW (KT_BOOL, KT_BOOL, not_bool) } };
KT_MAP_KERNEL (not, NULL)

const kt_operator kette_op_not = {
  .op = { KT_OP ("Not", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_ZERO_GRADIENT,
          .infer = kt_infer_same, .formula = "\\lnot $0" },
  .kernel = not_kernel,
};
