/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceL1: the sum of absolute values over `axes`; integers wrap.
 * Source: ONNX ReduceL1-18.
 */
#include "sum.h"

#define SIZE(x) kt_abs (x)
#define SIZE_32(x) ((x) < 0 ? 0 - (uint32_t) (x) : (uint32_t) (x))
#define SIZE_64(x) ((x) < 0 ? 0 - (uint64_t) (x) : (uint64_t) (x))
#define WHOLE(SUFFIX, T, A, MAP)                                                         \
  KT_REDUCE_WHOLE (reduce_l1, SUFFIX, T, A, 0, MAP, KT_PLUS, KT_SUM_END)

KT_REDUCE_FLOATS (reduce_l1, float, 0, SIZE, KT_PLUS, KT_SUM_END)
WHOLE (i32, int32_t, uint32_t, SIZE_32)
WHOLE (i64, int64_t, uint64_t, SIZE_64)
WHOLE (u32, uint32_t, uint32_t, KT_ITSELF)
WHOLE (u64, uint64_t, uint64_t, KT_ITSELF)

static const kt_reduce_loops reduce_l1_loops[] = {
  KT_REDUCE_FLOAT_ROWS (reduce_l1, float),
  KT_REDUCE_ROW (reduce_l1, i32, KT_I32, uint32_t),
  KT_REDUCE_ROW (reduce_l1, i64, KT_I64, uint64_t),
  KT_REDUCE_ROW (reduce_l1, u32, KT_U32, uint32_t),
  KT_REDUCE_ROW (reduce_l1, u64, KT_U64, uint64_t),
  { 0 },
};

KT_REDUCE_KERNEL (reduce_l1, NULL, false)

/* dE/dx = sign (x) dE/dy, with dE/dy repeated along the axes. */
static kt_status
reduce_l1_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), sign = kt_node (host, g, "Sign", &x, 1, NULL, 0);
  const kt_value dy = kt_reduce_keep (host, g, host->g_seed (g, 0));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, sign, dy));
}

/* ReduceSum (|x|). */
static kt_status
reduce_l1_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), size = kt_node (host, g, "Abs", &x, 1, NULL, 0);

  (void) user;
  return host->g_set (g, 0, kt_reduce_node (host, g, "ReduceSum", size));
}

const kt_operator kette_op_reduce_l1 = {
  .op
  = { KT_OP ("ReduceL1", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
      .gradient = reduce_l1_gradient, .body = reduce_l1_body, .formula = "\\sum |$0|" },
  .kernel = reduce_l1_kernel,
  .old    = KT_OLD_REDUCE ("ReduceL1", 17),
};
