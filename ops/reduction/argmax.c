/* SPDX-License-Identifier: Apache-2.0
 *
 * ArgMax: where along `axis` the largest element is; of equals the first, or the last with
 * select_last_index.  Source: ONNX ArgMax-13.
 */
#include "arg.h"

#define LARGER(a, b) ((a) > (b))
#define LARGER_FLOAT(a, b) ((a) > (b) || ((a) != (a) && (b) == (b)))

KT_ARG_LOOPS (argmax, LARGER_FLOAT, LARGER)

const kt_operator kette_op_argmax = {
  .op     = { KT_OP ("ArgMax", 1), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = kt_arg_infer },
  .kernel = argmax_kernel,
};
