/* SPDX-License-Identifier: Apache-2.0
 *
 * ReduceMean: the mean over `axes`; that of integers is truncated.  Source: ONNX
 * ReduceMean-18.
 */
#include "sum.h"

#define MEAN(a, n) ((double) (a) / (double) (n))
#define MEAN_INT(a, n) ((n) ? (a) / (n) : 0)
#define MEAN_UNSIGNED(a, n) ((n) ? (a) / (uint64_t) (n) : 0)
#define PLUS_32(a, b) ((int32_t) ((uint32_t) (a) + (uint32_t) (b)))
#define PLUS_64(a, b) ((int64_t) ((uint64_t) (a) + (uint64_t) (b)))
#define WHOLE(SUFFIX, T, PLUS, END)                                                      \
  KT_REDUCE_WHOLE (reduce_mean, SUFFIX, T, T, 0, KT_ITSELF, PLUS, END)

KT_REDUCE_FLOATS (reduce_mean, float, 0, KT_ITSELF, KT_PLUS, MEAN)
WHOLE (i32, int32_t, PLUS_32, MEAN_INT)
WHOLE (i64, int64_t, PLUS_64, MEAN_INT)
WHOLE (u32, uint32_t, KT_PLUS, MEAN_UNSIGNED)
WHOLE (u64, uint64_t, KT_PLUS, MEAN_UNSIGNED)

static const kt_reduce_loops reduce_mean_loops[] = {
  KT_REDUCE_FLOAT_ROWS (reduce_mean, float),
  KT_REDUCE_ROW (reduce_mean, i32, KT_I32, int32_t),
  KT_REDUCE_ROW (reduce_mean, i64, KT_I64, int64_t),
  KT_REDUCE_ROW (reduce_mean, u32, KT_U32, uint32_t),
  KT_REDUCE_ROW (reduce_mean, u64, KT_U64, uint64_t),
  { 0 },
};

KT_REDUCE_KERNEL (reduce_mean, NULL, true)

/* The number of elements of V, in the element type of x. */
static kt_value
size_of (const kt_host *host, kt_graph *g, kt_value v, int32_t dtype)
{
  const kt_attr to    = { .name = "to", .kind = KT_A_INT, .i = dtype };
  const kt_value size = kt_node (host, g, "Size", &v, 1, NULL, 0);

  return kt_node (host, g, "Cast", &size, 1, &to, 1);
}

/* dE/dx = dE/dy / n, repeated along the axes; n: elements of x per element of y. */
static kt_status
reduce_mean_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), dy = host->g_seed (g, 0);
  kt_type tx, ty;
  int64_t in = KT_DIM (0), out = KT_DIM (0);
  kt_value n;

  (void) user;
  KT_TRY (host->g_type (g, x, &tx));
  KT_TRY (host->g_type (g, dy, &ty));
  if (tx.ndim >= 0 && ty.ndim >= 0)
    {
      KT_TRY (kt_product (host, g, tx.dims, tx.ndim, &in));
      KT_TRY (kt_product (host, g, ty.dims, ty.ndim, &out));
    }
  if (kt_dim_known (in) && kt_dim_known (out) && out > 0)
    {
      const int64_t reduced = in / out;
      n                     = kt_scalar_like (host, g, x, (double) reduced);
    }
  else
    n = kt_div (host, g, size_of (host, g, x, tx.dtype), size_of (host, g, dy, tx.dtype));

  const kt_value share = kt_reduce_keep (host, g, kt_div (host, g, dy, n));
  return host->g_set (g, 0, kt_expand (host, g, share, kt_shape_of (host, g, x)));
}

const kt_operator kette_op_reduce_mean = {
  .op     = { KT_OP ("ReduceMean", 18), .flags = KT_OP_PURE, .infer = kt_reduce_infer,
              .gradient = reduce_mean_gradient },
  .kernel = reduce_mean_kernel,
  .old    = KT_OLD_REDUCE ("ReduceMean", 17),
};
