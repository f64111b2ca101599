/* SPDX-License-Identifier: Apache-2.0
 *
 * Identity: y = x, of any type; a view.  Source: ONNX Identity-25.
 */
#include "same.h"

static const kt_kernel identity_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .layout = "*>*", .n_alias = 1,
          .alias = &(const kt_alias){ .in = 0, .out = 0, .must = 1 },
          .run   = kt_same_run },
        { 0 } };

const kt_operator kette_op_identity = {
  .op     = { KT_OP ("Identity", 1), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = kt_same_infer, .gradient = kt_same_gradient, .formula = "$0" },
  .kernel = identity_kernel,
};
