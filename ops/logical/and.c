/* SPDX-License-Identifier: Apache-2.0
 *
 * And: y = a and b, element by element, with broadcasting.  Source: ONNX And-7.
 */
#include "elementwise.h"

KETTE_ZIP_PLAIN_LOOP (and, bool, uint8_t, uint8_t, uint8_t, a, b, (a != 0) & (b != 0))

static const kt_zip_loops and_loops = { .loop = { KT_ROW (KT_BOOL, KT_BOOL, and_bool) } };
KT_ZIP_KERNEL (and, NULL)

const kt_operator kette_op_and = {
  .op = { KT_OP ("And", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_ZERO_GRADIENT,
          .infer = kt_infer_compare, .formula = "$0 \\land $1" },
  .kernel = and_kernel,
  .old    = KT_OLD_BROADCAST ("And"),
};
