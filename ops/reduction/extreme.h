/* SPDX-License-Identifier: Apache-2.0
 *
 * extreme.h: what ReduceMax and ReduceMin share. NaN is carried on. START_*: the result of
 * nothing.
 */
#pragma once
#include "reduce.h"

#define KT_EXTREME_END(a, n) (a)
#define KT_EXTREME_WHOLE(NAME, SUFFIX, T, START, JOIN)                                   \
  KT_REDUCE_WHOLE (NAME, SUFFIX, T, T, START, KT_ITSELF, JOIN, KT_EXTREME_END)

/* JOIN_FLOAT, JOIN: of two. SIDE: the part of the type's limits that nothing gives, as in
 * INT8_##SIDE; U: the same of the unsigned types, converted. */
#define KT_EXTREME_LOOPS(NAME, JOIN_FLOAT, JOIN, INF, SIDE, U)                           \
  KT_REDUCE_FLOATS (NAME, float, INF, KT_ITSELF, JOIN_FLOAT, KT_EXTREME_END)             \
  KT_EXTREME_WHOLE (NAME, i8, int8_t, INT8_##SIDE, JOIN)                                 \
  KT_EXTREME_WHOLE (NAME, i32, int32_t, INT32_##SIDE, JOIN)                              \
  KT_EXTREME_WHOLE (NAME, i64, int64_t, INT64_##SIDE, JOIN)                              \
  KT_EXTREME_WHOLE (NAME, u8, uint8_t, (uint8_t) U, JOIN)                                \
  KT_EXTREME_WHOLE (NAME, u32, uint32_t, (uint32_t) U, JOIN)                             \
  KT_EXTREME_WHOLE (NAME, u64, uint64_t, (uint64_t) U, JOIN)                             \
  KT_EXTREME_WHOLE (NAME, b8, uint8_t, (uint8_t) U & 1, JOIN)                            \
  static const kt_reduce_loops NAME##_loops[]                                            \
      = { KT_REDUCE_FLOAT_ROWS (NAME, float),                                            \
          KT_REDUCE_ROW (NAME, i8, KT_I8, int8_t),                                       \
          KT_REDUCE_ROW (NAME, i32, KT_I32, int32_t),                                    \
          KT_REDUCE_ROW (NAME, i64, KT_I64, int64_t),                                    \
          KT_REDUCE_ROW (NAME, u8, KT_U8, uint8_t),                                      \
          KT_REDUCE_ROW (NAME, u32, KT_U32, uint32_t),                                   \
          KT_REDUCE_ROW (NAME, u64, KT_U64, uint64_t),                                   \
          KT_REDUCE_ROW (NAME, b8, KT_BOOL, uint8_t),                                    \
          { 0 } };                                                                       \
  KT_REDUCE_KERNEL (NAME, NULL, false)

/* dE/dx = dE/dy, shared among the elements that equal y. */
static inline kt_status
kt_extreme_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), axes = host->g_in (g, 1);
  const kt_value y  = kt_reduce_keep (host, g, host->g_out (g, 0));
  const kt_value dy = kt_reduce_keep (host, g, host->g_seed (g, 0));
  kt_type t;

  (void) user;
  KT_TRY (host->g_type (g, x, &t));

  const kt_attr to    = { .name = "to", .kind = KT_A_INT, .i = t.dtype };
  const kt_attr noop  = { .name = "noop_with_empty_axes",
                          .kind = KT_A_INT,
                          .i    = kt_attr_int (host, g, "noop_with_empty_axes", 0) };
  const kt_value same = kt_equal (host, g, x, y);
  const kt_value hits = kt_node (host, g, "Cast", &same, 1, &to, 1);
  const kt_value in[] = { hits, axes };
  const kt_value n    = kt_node (host, g, "ReduceSum", in, axes ? 2 : 1, &noop, 1);

  return host->g_set (g, 0, kt_mul (host, g, hits, kt_div (host, g, dy, n)));
}
