/* SPDX-License-Identifier: Apache-2.0
 *
 * kette.Copy: y = x, in the memory of another device. Plans insert it where a value is read on
 * a device other than the one that made it; which these are is the plan's business, the
 * attributes "from" and "to" only name them. Elsewhere it is a copy within memory.
 */
#include "same.h"

static const kt_kernel copy_kernel[]
    = { { KT_KERNEL, .flags = KT_CPU_FLAGS, .layout = "*>*", .run = kt_same_run },
        { 0 } };

const kt_operator kette_op_copy = {
  .op     = { KT_OP ("Copy", 1), .flags = KT_OP_PURE, .infer = kt_same_infer,
              .gradient = kt_same_gradient, .formula = "$0" },
  .kernel = copy_kernel,
};
