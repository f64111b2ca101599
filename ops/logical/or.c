/* SPDX-License-Identifier: Apache-2.0
 *
 * Or: y = a or b, element by element, with broadcasting.  Source: ONNX Or-7.
 */
#include "elementwise.h"

KETTE_ZIP_PLAIN_LOOP (or, bool, uint8_t, uint8_t, uint8_t, a, b, (a != 0) | (b != 0))

static const kt_zip_loops or_loops = { .loop = { KT_ROW (KT_BOOL, KT_BOOL, or_bool) } };
KT_ZIP_KERNEL (or, NULL)

const kt_operator kette_op_or = {
  .op = { KT_OP ("Or", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE | KT_OP_ZERO_GRADIENT,
          .infer = kt_infer_compare, .formula = "$0 \\lor $1" },
  .kernel = or_kernel,
  .old    = KT_OLD_BROADCAST ("Or"),
};
