/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceMax: the largest element over `axes`; NaN wins.  Source: ONNX ReduceMax-20.
 */
#include "extreme.h"

#define WINNER(a, b) ((b) > (a) ? (b) : (a))
#define WINNER_FLOAT(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))

KT_EXTREME_LOOPS (reduce_max, WINNER_FLOAT, WINNER, -INFINITY, MIN, 0)

const kt_operator kette_op_reduce_max = {
  .op     = { KT_OP ("ReduceMax", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
              .gradient = kt_extreme_gradient, .formula = "\\max $0" },
  .kernel = reduce_max_kernel,
  .old    = KT_OLD_REDUCE ("ReduceMax", 17),
};
