/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceMin: the smallest element over `axes`; NaN wins.  Source: ONNX ReduceMin-20.
 */
#include "extreme.h"

#define WINNER(a, b) ((b) < (a) ? (b) : (a))
#define WINNER_FLOAT(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))

KT_EXTREME_LOOPS (reduce_min, WINNER_FLOAT, WINNER, INFINITY, MAX, UINT64_MAX)

const kt_operator kette_op_reduce_min = {
  .op     = { KT_OP ("ReduceMin", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
              .gradient = kt_extreme_gradient, .formula = "\\min $0" },
  .kernel = reduce_min_kernel,
  .old    = KT_OLD_REDUCE ("ReduceMin", 17),
};
