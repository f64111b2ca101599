/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceL2: the square root of the sum of squares over `axes`, summed in double; that of
 * integers is truncated, and bounded by the type.  Source: ONNX ReduceL2-18.
 */
#include "sum.h"

#define SQUARE(x) ((double) (x) * (double) (x))
#define ROOT(a, n) __builtin_sqrt (a)
/* The bounds as doubles: 2^63 and 2^64 are no numbers of their types any more. */
#define STORE_I32(v) ((v) < 0x7fffffffp0 ? (int32_t) (v) : INT32_MAX)
#define STORE_I64(v) ((v) < 0x1p63 ? (int64_t) (v) : INT64_MAX)
#define STORE_U32(v) ((v) < 0xffffffffp0 ? (uint32_t) (v) : UINT32_MAX)
#define STORE_U64(v) ((v) < 0x1p64 ? (uint64_t) (v) : UINT64_MAX)
#define WHOLE(SUFFIX, T, STORE)                                                          \
  KT_REDUCE_LOOPS (reduce_l2, SUFFIX, T, double, KT_ITSELF, STORE, 0, SQUARE, KT_PLUS,   \
                   ROOT)

KT_REDUCE_FLOATS (reduce_l2, double, 0, SQUARE, KT_PLUS, ROOT)
WHOLE (i32, int32_t, STORE_I32)
WHOLE (i64, int64_t, STORE_I64)
WHOLE (u32, uint32_t, STORE_U32)
WHOLE (u64, uint64_t, STORE_U64)

static const kt_reduce_loops reduce_l2_loops[] = {
  KT_REDUCE_FLOAT_ROWS (reduce_l2, double),
  KT_REDUCE_ROW (reduce_l2, i32, KT_I32, double),
  KT_REDUCE_ROW (reduce_l2, i64, KT_I64, double),
  KT_REDUCE_ROW (reduce_l2, u32, KT_U32, double),
  KT_REDUCE_ROW (reduce_l2, u64, KT_U64, double),
  { 0 },
};

KT_REDUCE_KERNEL (reduce_l2, NULL, false)

/* dE/dx = x / y dE/dy, 0 where y = 0; dE/dy and y repeated along the axes. */
static kt_status
reduce_l2_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), y = host->g_out (g, 0), dy = host->g_seed (g, 0),
                 zero = kt_scalar_like (host, g, x, 0);
  const kt_value share
      = kt_where (host, g, kt_equal (host, g, y, zero), zero, kt_div (host, g, dy, y));

  (void) user;
  return host->g_set (g, 0, kt_mul (host, g, x, kt_reduce_keep (host, g, share)));
}

/* Sqrt (ReduceSumSquare (x)), computed in float where x is one of 16 bits, else in double. */
static kt_status
reduce_l2_body (const kt_host *host, kt_graph *g, void *user)
{
  const int32_t dtype = kt_in_type (host, g, 0).dtype;
  const int32_t wide  = dtype == KT_F16 || dtype == KT_BF16 ? KT_F32 : KT_F64;
  const kt_attr up    = { .name = "to", .kind = KT_A_INT, .i = wide },
                down  = { .name = "to", .kind = KT_A_INT, .i = dtype };
  const kt_value x    = host->g_in (g, 0);
  const kt_value in   = kt_node (host, g, "Cast", &x, 1, &up, 1);
  const kt_value y
      = kt_sqrt_of (host, g, kt_reduce_node (host, g, "ReduceSumSquare", in));

  (void) user;
  return host->g_set (g, 0, kt_node (host, g, "Cast", &y, 1, &down, 1));
}

const kt_operator kette_op_reduce_l2 = {
  .op     = { KT_OP ("ReduceL2", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
              .gradient = reduce_l2_gradient, .body = reduce_l2_body,
              .formula = "\\sqrt{\\sum $0^2}" },
  .kernel = reduce_l2_kernel,
  .old    = KT_OLD_REDUCE ("ReduceL2", 17),
};
