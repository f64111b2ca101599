/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceSumSquare: the sum of squares over `axes`; those of float are summed in double.
 * Source: ONNX ReduceSumSquare-18.
 */
#include "sum.h"

#define SQUARE(x) ((x) * (x))
#define SQUARE_F32(x) ((double) (x) * (double) (x))
#define SQUARE_F16(x) SQUARE_F32 (kt_f16_to_f32 (x))
#define SQUARE_BF16(x) SQUARE_F32 (kt_bf16_to_f32 (x))
#define PLUS(a, b) ((a) + (b))
#define END(a, n) (a)
#define END_F16(a, n) kt_f64_to_f16 (a)
#define END_BF16(a, n) kt_f64_to_bf16 (a)
#define LOOPS(SUFFIX, T, A, U, MAP, LAST)                                                \
  KT_REDUCE_LOOPS (reduce_sum_square, SUFFIX, T, A, U, 0, MAP, PLUS, LAST)

LOOPS (f32, float, double, float, SQUARE_F32, END)
LOOPS (f64, double, double, double, SQUARE, END)
LOOPS (f16, uint16_t, double, uint16_t, SQUARE_F16, END_F16)
LOOPS (bf16, uint16_t, double, uint16_t, SQUARE_BF16, END_BF16)
LOOPS (u32, uint32_t, uint32_t, uint32_t, SQUARE, END)
LOOPS (u64, uint64_t, uint64_t, uint64_t, SQUARE, END)

static const kt_reduce_loops reduce_sum_square_loops[] = {
  KT_REDUCE_ROW (reduce_sum_square, f32, KT_F32, double),
  KT_REDUCE_ROW (reduce_sum_square, f64, KT_F64, double),
  KT_REDUCE_ROW (reduce_sum_square, f16, KT_F16, double),
  KT_REDUCE_ROW (reduce_sum_square, bf16, KT_BF16, double),
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
  const kt_attr attrs[] = {
    { .name = "keepdims", .kind = KT_A_INT, .i = kt_attr_int (host, g, "keepdims", 1) },
    { .name = "noop_with_empty_axes",
      .kind = KT_A_INT,
      .i    = kt_attr_int (host, g, "noop_with_empty_axes", 0) },
  };
  const kt_value x = host->g_in (g, 0), axes = host->g_in (g, 1);
  const kt_value in[] = { kt_mul (host, g, x, x), axes };

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "ReduceSum", in, axes ? 2 : 1, attrs, 2));
}

const kt_operator kette_op_reduce_sum_square = {
  .op = { KT_OP ("ReduceSumSquare", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
          .gradient = reduce_sum_square_gradient, .body = reduce_sum_square_body,
          .formula = "\\sum $0^2" },
  .kernel = reduce_sum_square_kernel,
  .old    = KT_OLD_REDUCE ("ReduceSumSquare", 17),
};
