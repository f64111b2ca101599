/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceSumSquare: the sum of squares over `axes`; those of float are summed in double.
 * Source: ONNX ReduceSumSquare-18.
 */
#include "sum.h"

#define SQUARE(x) ((x) * (x))
#define SQUARE_DOUBLE(x) ((double) (x) * (double) (x))

KT_REDUCE_FLOATS (reduce_sum_square, double, 0, SQUARE_DOUBLE, KT_PLUS, KT_SUM_END)
KT_REDUCE_WHOLE (reduce_sum_square, u32, uint32_t, uint32_t, 0, SQUARE, KT_PLUS,
                 KT_SUM_END)
KT_REDUCE_WHOLE (reduce_sum_square, u64, uint64_t, uint64_t, 0, SQUARE, KT_PLUS,
                 KT_SUM_END)

static const kt_reduce_loops reduce_sum_square_loops[] = {
  KT_REDUCE_FLOAT_ROWS (reduce_sum_square, double),
  KT_REDUCE_ROW (reduce_sum_square, u32, KT_I32, uint32_t),
  KT_REDUCE_ROW (reduce_sum_square, u32, KT_U32, uint32_t),
  KT_REDUCE_ROW (reduce_sum_square, u64, KT_I64, uint64_t),
  KT_REDUCE_ROW (reduce_sum_square, u64, KT_U64, uint64_t),
  { 0 },
};

KT_REDUCE_KERNEL (reduce_sum_square, NULL, false)

/* dE/dx = 2 x dE/dy, with dE/dy repeated along the axes. */
static kt_status
reduce_sum_square_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x  = host->g_in (g, 0);
  const kt_value dy = kt_reduce_keep (host, g, host->g_seed (g, 0));

  (void) user;
  return host->g_set (
      g, 0, kt_mul (host, g, kt_mul (host, g, x, kt_scalar_like (host, g, x, 2)), dy));
}

/* ReduceSum (x * x). */
static kt_status
reduce_sum_square_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0);

  (void) user;
  return host->g_set (g, 0,
                      kt_reduce_node (host, g, "ReduceSum", kt_mul (host, g, x, x)));
}

const kt_operator kette_op_reduce_sum_square = {
  .op = { KT_OP ("ReduceSumSquare", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
          .gradient = reduce_sum_square_gradient, .body = reduce_sum_square_body,
          .formula = "\\sum $0^2" },
  .kernel = reduce_sum_square_kernel,
  .old    = KT_OLD_REDUCE ("ReduceSumSquare", 17),
};
