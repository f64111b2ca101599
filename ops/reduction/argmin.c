/* SPDX-License-Identifier: Apache-2.0
 *
 * ArgMin: where along `axis` the smallest element is; of equals the first, or the last with
 * select_last_index.  Source: ONNX ArgMin-13.
 */
#include "arg.h"

#define SMALLER(a, b) ((a) < (b))
#define SMALLER_FLOAT(a, b) ((a) < (b) || ((a) == (a) && (b) != (b)))

KT_ARG_LOOPS (argmin, SMALLER_FLOAT, SMALLER)

const kt_operator kette_op_argmin = {
  .op     = { KT_OP ("ArgMin", 1), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = kt_arg_infer },
  .kernel = argmin_kernel,
};
