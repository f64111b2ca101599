/* SPDX-License-Identifier: Apache-2.0
 *
 * PRelu: y = x where x >= 0, else slope x, element by element; the slope broadcasts to x.
 * Integers wrap.  Source: ONNX PRelu-16.
 */
#include "arithmetic.h"
#include "emit.h"

KETTE_ZIP_LOOP (prelu, f32, float, float, float, x, slope, x < 0 ? slope * x : x)
KETTE_ZIP_LOOP (prelu, f64, double, double, double, x, slope, x < 0 ? slope * x : x)
KETTE_ZIP_PLAIN_LOOP (prelu, i32, int32_t, int32_t, int32_t, x, slope,
                      x < 0 ? (uint32_t) slope * (uint32_t) x : (uint32_t) x)
KETTE_ZIP_PLAIN_LOOP (prelu, i64, int64_t, int64_t, int64_t, x, slope,
                      x < 0 ? (uint64_t) slope * (uint64_t) x : (uint64_t) x)
KETTE_ZIP_PLAIN_LOOP (prelu, u32, uint32_t, uint32_t, uint32_t, x, slope,
                      ((void) slope, x))
KETTE_ZIP_PLAIN_LOOP (prelu, u64, uint64_t, uint64_t, uint64_t, x, slope,
                      ((void) slope, x))

static const kt_zip_loops prelu_loops
    = { .loop = { KT_FLOAT_ROWS (prelu), KT_ROW (KT_I32, KT_I32, prelu_i32),
                  KT_ROW (KT_I64, KT_I64, prelu_i64), KT_ROW (KT_U32, KT_U32, prelu_u32),
                  KT_ROW (KT_U64, KT_U64, prelu_u64) } };
KT_ZIP_KERNEL (prelu, "T=f32|f64|f16|bf16|i32|i64|u32|u64")

/* The output has the shape of x: the slope must not widen it. */
static kt_status
prelu_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0), slope = kt_in_type (host, infer, 1);
  int64_t dims[KT_MAX_RANK];
  int32_t ndim = x.ndim;

  (void) user;
  if (x.kind != KT_TENSOR || x.ndim < 0 || slope.kind != KT_TENSOR || slope.ndim < 0)
    return x.kind ? host->out_type (infer, 0, &x) : KT_OK;
  if (slope.ndim > x.ndim)
    return kt_fail (host, infer, KT_E_SHAPE, "the slope has rank %d, x has %d",
                    (int) slope.ndim, (int) x.ndim);
  memcpy (dims, x.dims, (size_t) ndim * sizeof *dims);
  KT_TRY (kt_broadcast (host, infer, dims, &ndim, &slope));
  for (int32_t d = 0; d < ndim; d++)
    if (x.dims[d] == 1 && dims[d] != 1 && kt_dim_known (dims[d]))
      return kt_fail (host, infer, KT_E_SHAPE,
                      "the slope has %lld elements along axis %d of x, where x has 1",
                      (long long) dims[d], (int) d);
    else if (x.dims[d] == 1)
      dims[d] = 1;
  return kt_set_out (host, infer, 0, x.dtype, dims, ndim);
}

/* dE/dx = dE/dy where x >= 0, else slope dE/dy; dE/dslope = x dE/dy where x < 0, else 0,
 * summed back over broadcast dims. */
static kt_status
prelu_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), slope = host->g_in (g, 1),
                 dy = host->g_seed (g, 0), zero = kt_scalar_like (host, g, dy, 0);
  const kt_value left = kt_less (host, g, x, zero);

  (void) user;
  if (host->g_wanted (g, 0))
    KT_TRY (
        host->g_set (g, 0, kt_where (host, g, left, kt_mul (host, g, slope, dy), dy)));
  if (!host->g_wanted (g, 1))
    return KT_OK;
  const kt_value v = kt_where (host, g, left, kt_mul (host, g, x, dy), zero);
  return host->g_set (g, 1, kt_sum_to (host, g, v, slope));
}

static kt_status
prelu_body (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value x = host->g_in (g, 0), slope = host->g_in (g, 1);
  const int32_t dtype = kt_in_type (host, g, 0).dtype;

  (void) user;
  if (dtype == KT_U32 || dtype == KT_U64)
    return host->g_set (g, 0, kt_identity (host, g, x));
  return host->g_set (g, 0,
                      kt_where (host, g,
                                kt_less (host, g, x, kt_scalar_like (host, g, x, 0)),
                                kt_mul (host, g, slope, x), x));
}

/* Versions 1-6: a slope of rank 1 runs along axis 1 of x. */
static kt_status
prelu_old (const kt_host *host, kt_graph *g, void *user)
{
  const kt_type x = kt_in_type (host, g, 0), slope = kt_in_type (host, g, 1);
  kt_value in[] = { host->g_in (g, 0), host->g_in (g, 1) };
  int64_t dims[KT_MAX_RANK];
  int32_t n = 0;

  (void) user;
  if (x.kind != KT_TENSOR || x.ndim < 0 || slope.kind != KT_TENSOR || slope.ndim < 0)
    return kt_fail (host, g, KT_E_UNSUPPORTED, "PRelu-6 needs inputs of known rank");
  while (n < x.ndim - 2 && n < KT_MAX_RANK)
    {
      dims[n] = n + 1;
      n++;
    }
  if (slope.ndim == 1 && n > 0)
    {
      const kt_value with[] = { in[1], kt_ints (host, g, dims, n) };
      in[1]                 = kt_node (host, g, "Unsqueeze", with, 2, NULL, 0);
    }
  return host->g_set (g, 0, kt_node (host, g, "PRelu", in, 2, NULL, 0));
}

const kt_operator kette_op_prelu = {
  .op     = { KT_OP ("PRelu", 7), .flags = KT_OP_PURE | KT_OP_ELEMENTWISE,
              .infer = prelu_infer, .gradient = prelu_gradient, .body = prelu_body },
  .kernel = prelu_kernel,
  .old
  = (const kt_op[]){ { KT_OLD ("PRelu", 1, 6), .flags = KT_OP_PURE, .body = prelu_old },
                     { 0 } },
};
