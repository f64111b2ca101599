/* SPDX-License-Identifier: Apache-2.0
 *
 * Gemm: y = alpha a' b' + beta c, where a' and b' are the matrices a and b or their
 * transposes and c broadcasts to y's shape.  Source: ONNX Gemm-13.
 */
#include "gemm.h"
#include "emit.h"

/* m, n, k of Y, as far as known. KT_E_SHAPE when operands do not fit each other. */
static kt_status
gemm_dims (const kt_host *host, const void *ctx, int64_t dims[3])
{
  const kt_type a = kt_in_type (host, ctx, 0), b = kt_in_type (host, ctx, 1);
  const int turn_a = kt_attr_int (host, ctx, "transA", 0) != 0;
  const int turn_b = kt_attr_int (host, ctx, "transB", 0) != 0;
  int64_t k_a = KT_DIM (0), k_b = KT_DIM (0);

  dims[0] = dims[1] = KT_DIM (0);
  if ((a.kind && a.ndim >= 0 && a.ndim != 2) || (b.kind && b.ndim >= 0 && b.ndim != 2))
    return kt_fail (host, ctx, KT_E_SHAPE, "the matrix %s has rank %d",
                    a.ndim == 2 || a.ndim < 0 ? "B" : "A",
                    (int) (a.ndim == 2 || a.ndim < 0 ? b.ndim : a.ndim));
  if (a.kind && a.ndim == 2)
    dims[0] = a.dims[turn_a], k_a = a.dims[1 - turn_a];
  if (b.kind && b.ndim == 2)
    dims[1] = b.dims[1 - turn_b], k_b = b.dims[turn_b];
  dims[2] = kt_dim_known (k_a) ? k_a : k_b;
  if (kt_dim_known (k_a) && kt_dim_known (k_b) && k_a != k_b)
    return kt_gemm_mismatch (host, ctx, &a, &b, k_a, k_b);
  return KT_OK;
}

/* Does C broadcast to [m,n]? Steps of C along rows and columns, where all is known. */
static kt_status
gemm_addend (const kt_host *host, const void *ctx, const int64_t dims[2], int64_t step[2])
{
  const kt_type c = kt_in_type (host, ctx, 2);
  char text[160];

  step[0] = step[1] = 0;
  if (c.kind == 0 || c.ndim < 0)
    return KT_OK;
  kt_dims_text (text, sizeof text, &c);
  if (c.ndim > 2)
    return kt_fail (host, ctx, KT_E_SHAPE, "C has the shape %s, more than two dims",
                    text);
  for (int32_t d = 2 - c.ndim; d < 2; d++)
    {
      const int64_t have = c.dims[d - (2 - c.ndim)], want = dims[d];
      if (kt_dim_known (have) && kt_dim_known (want) && have != 1 && have != want)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "C has the shape %s, which does not broadcast to "
                        "the output's: %lld and %lld differ",
                        text, (long long) have, (long long) want);
      step[d] = have == 1 ? 0 : 1;
    }
  if (step[0])
    step[0] = c.dims[1];
  return KT_OK;
}

static kt_status
gemm_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type a = kt_in_type (host, infer, 0);
  int64_t dims[3], step[2];

  (void) user;
  KT_TRY (gemm_dims (host, infer, dims));
  KT_TRY (gemm_addend (host, infer, dims, step));
  return a.kind ? kt_set_out (host, infer, 0, a.dtype, dims, 2) : KT_OK;
}

static kt_status
gemm_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type a   = kt_in_type (host, prep, 0);
  const bool turn_a = kt_attr_int (host, prep, "transA", 0) != 0;
  const bool turn_b = kt_attr_int (host, prep, "transB", 0) != 0;
  int64_t dims[3], step[2];

  KT_TRY (gemm_dims (host, prep, dims));
  KT_TRY (gemm_addend (host, prep, dims, step));
  KT_TRY (host->keep (prep, sizeof (kt_gemm), state));

  kt_gemm *const g = *state;
  *g               = (kt_gemm){ .m     = dims[0],
                                .n     = dims[1],
                                .k     = dims[2],
                                .a_row = turn_a ? 1 : dims[2],
                                .a_col = turn_a ? dims[0] : 1,
                                .b_row = turn_b ? 1 : dims[1],
                                .b_col = turn_b ? dims[2] : 1,
                                .c_row = step[0],
                                .c_col = step[1],
                                .alpha = kt_attr_float (host, prep, "alpha", 1),
                                .beta  = kt_attr_float (host, prep, "beta", 1),
                                .has_c = kt_in_type (host, prep, 2).kind != 0 };
  return kt_gemm_prepare (host, prep, g, a.dtype, user != NULL);
}

static kt_value
emit_gemm (const kt_host *host, kt_graph *g, kt_value a, kt_value b, bool turn_a,
           bool turn_b, double alpha)
{
  const kt_attr attrs[] = { { .name = "transA", .kind = KT_A_INT, .i = turn_a },
                            { .name = "transB", .kind = KT_A_INT, .i = turn_b },
                            { .name = "alpha", .kind = KT_A_FLOAT, .f = alpha } };

  return kt_node (host, g, "Gemm", (const kt_value[]){ a, b }, 2, attrs, 3);
}

/* dE/da' = alpha dE/dy b'^T and dE/db' = alpha a'^T dE/dy, each with the transpositions folded
 * into the new product; dE/dc = beta dE/dy, summed back. */
static kt_status
gemm_gradient (const kt_host *host, kt_graph *g, void *user)
{
  const kt_value a = host->g_in (g, 0), b = host->g_in (g, 1), dy = host->g_seed (g, 0);
  const bool turn_a  = kt_attr_int (host, g, "transA", 0) != 0;
  const bool turn_b  = kt_attr_int (host, g, "transB", 0) != 0;
  const double alpha = kt_attr_float (host, g, "alpha", 1);
  const double beta  = kt_attr_float (host, g, "beta", 1);

  (void) user;
  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (g, 0,
                         turn_a ? emit_gemm (host, g, b, dy, turn_b, true, alpha)
                                : emit_gemm (host, g, dy, b, false, !turn_b, alpha)));
  if (host->g_wanted (g, 1))
    KT_TRY (host->g_set (g, 1,
                         turn_b ? emit_gemm (host, g, dy, a, true, turn_a, alpha)
                                : emit_gemm (host, g, a, dy, !turn_a, false, alpha)));
  if (!host->g_wanted (g, 2))
    return KT_OK;

  const kt_value dc = kt_sum_to (host, g, dy, host->g_in (g, 2));
  return host->g_set (
      g, 2, beta == 1 ? dc : kt_mul (host, g, dc, kt_scalar_like (host, g, dc, beta)));
}

/* Versions 1 and 6: C broadcasts if the attribute broadcast says so; now it always may. */
static kt_status
gemm_old_body (const kt_host *host, kt_graph *g, void *user)
{
  static const char *const names[] = { "alpha", "beta", "transA", "transB" };
  const kt_value in[] = { host->g_in (g, 0), host->g_in (g, 1), host->g_in (g, 2) };
  kt_attr attrs[4];
  int32_t n = 0;

  (void) user;
  for (int32_t i = 0; i < 4; i++)
    {
      KT_TRY (host->attr (g, names[i], &attrs[n]));
      n += attrs[n].kind != 0;
    }
  return host->g_set (g, 0, kt_node (host, g, "Gemm", in, 3, attrs, n));
}

static const kt_kernel gemm_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS | KT_K_EPILOGUE,
          .priority = KT_GEMM_BEST, .user = (void *) "best", .prepare = gemm_prepare,
          .run = kt_gemm_run },
        { KT_KERNEL, .types = "T=f32|f64|f16|bf16|i32|i64|u32|u64",
          .flags = KT_CPU_FLAGS | KT_K_EPILOGUE, .prepare = gemm_prepare,
          .run = kt_gemm_run },
        { 0 } };

const kt_operator kette_op_gemm = {
  .op     = { KT_OP ("Gemm", 7), .flags = KT_OP_PURE | KT_OP_MATMUL, .infer = gemm_infer,
              .gradient = gemm_gradient },
  .kernel = gemm_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Gemm", 1, 6), .flags = KT_OP_PURE,
                               .infer = gemm_infer, .body = gemm_old_body },
                             { 0 } },
};
