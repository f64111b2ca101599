/* SPDX-License-Identifier: Apache-2.0
 *
 * MatMul: y = a b on the last two dims, with broadcasting of the others; a 1-D operand gets a
 * dim of 1 that is removed again.  Source: ONNX MatMul-13.
 */
#include "broadcast.h"
#include "emit.h"
#include "gemm.h"

/* The dims of an operand as a matrix: all but the last two, rows, columns. */
typedef struct
{
  kt_type batch;
  int64_t rows, cols;
} Matrix;

static Matrix
matrix_of (const kt_type *t, bool right)
{
  const int32_t n = t->ndim;
  Matrix m        = { *t, 1, 1 };

  m.batch.ndim = n > 2 ? n - 2 : 0;
  if (n > 1)
    m.rows = t->dims[n - 2], m.cols = t->dims[n - 1];
  else if (right)
    m.rows = t->dims[0];
  else
    m.cols = t->dims[0];
  return m;
}

static kt_status
matmul_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type a = kt_in_type (host, infer, 0), b = kt_in_type (host, infer, 1);
  int64_t dims[KT_MAX_RANK];
  int32_t ndim = 0;

  (void) user;
  if (a.kind != KT_TENSOR || b.kind != KT_TENSOR)
    return KT_OK;
  if (a.ndim == 0 || b.ndim == 0)
    return kt_fail (host, infer, KT_E_SHAPE, "operand %s is a scalar",
                    a.ndim ? "B" : "A");
  if (a.ndim < 0 || b.ndim < 0)
    return kt_set_out (host, infer, 0, a.dtype, NULL, -1);

  const Matrix x = matrix_of (&a, false), y = matrix_of (&b, true);
  if (kt_dim_known (x.cols) && kt_dim_known (y.rows) && x.cols != y.rows)
    return kt_gemm_mismatch (host, infer, &a, &b, x.cols, y.rows);
  KT_TRY (kt_broadcast (host, infer, dims, &ndim, &x.batch));
  KT_TRY (kt_broadcast (host, infer, dims, &ndim, &y.batch));
  if (a.ndim > 1)
    dims[ndim++] = x.rows;
  if (b.ndim > 1)
    dims[ndim++] = y.cols;
  return kt_set_out (host, infer, 0, a.dtype, dims, ndim);
}

/* Appends a dim of the batch, or merges it with the one before it. */
static void
add_dim (kt_gemm *g, int64_t dim, int64_t a_step, int64_t b_step)
{
  const int32_t last = g->n_dims - 1;

  if (dim == 1)
    return;
  if (last >= 0 && g->a_step[last] == a_step * dim && g->b_step[last] == b_step * dim)
    {
      g->dims[last] *= dim;
      g->a_step[last] = a_step;
      g->b_step[last] = b_step;
      return;
    }
  g->dims[g->n_dims]     = dim;
  g->a_step[g->n_dims]   = a_step;
  g->b_step[g->n_dims++] = b_step;
}

/* The batch of two operands whose batches broadcast to DIMS, outermost dim first. */
static void
set_batch (kt_gemm *g, const Matrix *a, const Matrix *b, const int64_t *dims,
           int32_t ndim)
{
  int64_t a_step[KT_MAX_RANK], b_step[KT_MAX_RANK], a_size = a->rows * a->cols,
                                                    b_size = b->rows * b->cols;

  for (int32_t d = ndim - 1; d >= 0; d--)
    {
      const int32_t i = d - (ndim - a->batch.ndim), j = d - (ndim - b->batch.ndim);
      const int64_t x = i < 0 ? 1 : a->batch.dims[i], y = j < 0 ? 1 : b->batch.dims[j];
      a_step[d] = x == 1 ? 0 : a_size;
      b_step[d] = y == 1 ? 0 : b_size;
      a_size *= x;
      b_size *= y;
    }
  for (int32_t d = 0; d < ndim; d++)
    add_dim (g, dims[d], a_step[d], b_step[d]);
  /* One matrix b for a batch of a: one product with more rows. */
  if (g->n_dims == 1 && g->b_step[0] == 0 && g->a_step[0] == a->rows * a->cols)
    {
      g->m *= g->dims[0];
      g->n_dims = 0;
    }
}

static kt_status
matmul_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  const kt_type a = kt_in_type (host, prep, 0), b = kt_in_type (host, prep, 1);
  const Matrix x = matrix_of (&a, false), y = matrix_of (&b, true);
  int64_t dims[KT_MAX_RANK];
  int32_t ndim = 0;

  KT_TRY (host->keep (prep, sizeof (kt_gemm), state));
  KT_TRY (kt_broadcast (host, prep, dims, &ndim, &x.batch));
  KT_TRY (kt_broadcast (host, prep, dims, &ndim, &y.batch));

  kt_gemm *const g = *state;
  *g               = (kt_gemm){ .m     = x.rows,
                                .n     = y.cols,
                                .k     = x.cols,
                                .a_row = x.cols,
                                .a_col = 1,
                                .b_row = y.cols,
                                .b_col = 1,
                                .alpha = 1 };
  set_batch (g, &x, &y, dims, ndim);
  return kt_gemm_prepare (host, prep, g, a.dtype, user != NULL);
}

/* V with its last two dims exchanged. */
static kt_value
turned (const kt_host *host, kt_graph *g, kt_value v, int32_t ndim)
{
  int64_t perm[KT_MAX_RANK];

  for (int32_t d = 0; d < ndim; d++)
    perm[d] = d < ndim - 2 ? d : 2 * ndim - 3 - d;

  const kt_attr attr
      = { .name = "perm", .kind = KT_A_INTS, .v = perm, .n = (size_t) ndim };
  return kt_node (host, g, "Transpose", &v, 1, &attr, 1);
}

static kt_value
unsqueezed (const kt_host *host, kt_graph *g, kt_value v, int64_t axis)
{
  return kt_node (host, g, "Unsqueeze",
                  (const kt_value[]){ v, kt_ints (host, g, &axis, 1) }, 2, NULL, 0);
}

/* a^T b of two matrices. */
static kt_value
product_turned (const kt_host *host, kt_graph *g, kt_value a, kt_value b, bool turn_a)
{
  const kt_attr turn = { .name = turn_a ? "transA" : "transB", .kind = KT_A_INT, .i = 1 };

  return kt_node (host, g, "Gemm", (const kt_value[]){ a, b }, 2, &turn, 1);
}

/* b is a matrix, a a matrix or a batch of matrices: the batch is so many more rows. */
static kt_status
one_matrix_gradient (const kt_host *host, kt_graph *g, kt_value dy, int32_t ndim)
{
  const kt_value a = host->g_in (g, 0), b = host->g_in (g, 1);
  const kt_attr axis = { .name = "axis", .kind = KT_A_INT, .i = ndim - 1 };

  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (g, 0,
                         ndim == 2 ? product_turned (host, g, dy, b, false)
                                   : kt_matmul (host, g, dy, turned (host, g, b, 2))));
  if (!host->g_wanted (g, 1))
    return KT_OK;
  return host->g_set (
      g, 1,
      ndim == 2 ? product_turned (host, g, a, dy, true)
                : product_turned (host, g, kt_node (host, g, "Flatten", &a, 1, &axis, 1),
                                  kt_node (host, g, "Flatten", &dy, 1, &axis, 1), true));
}

/* dE/da = dE/dy b^T and dE/db = a^T dE/dy, summed back over the broadcast dims; 1-D operands
 * as matrices of one row or column. */
static kt_status
matmul_gradient (const kt_host *host, kt_graph *g, void *user)
{
  kt_value a = host->g_in (g, 0), b = host->g_in (g, 1), dy = host->g_seed (g, 0);
  kt_type x = { 0 }, y = { 0 };

  (void) user;
  host->g_type (g, a, &x);
  host->g_type (g, b, &y);
  if (x.ndim < 1 || y.ndim < 1)
    return kt_fail (host, g, KT_E_UNSUPPORTED,
                    "the gradient of a product of tensors of unknown rank");
  if (x.ndim > 1 && y.ndim == 2)
    return one_matrix_gradient (host, g, dy, x.ndim);

  if (x.ndim == 1 && y.ndim == 1)
    {
      if (host->g_wanted (g, 0))
        KT_TRY (host->g_set (g, 0, kt_mul (host, g, dy, b)));
      return host->g_wanted (g, 1) ? host->g_set (g, 1, kt_mul (host, g, dy, a)) : KT_OK;
    }
  if (x.ndim == 1)
    a = unsqueezed (host, g, a, 0), dy = unsqueezed (host, g, dy, -2);
  if (y.ndim == 1)
    b = unsqueezed (host, g, b, 1), dy = unsqueezed (host, g, dy, -1);
  if (host->g_wanted (g, 0))
    KT_TRY (host->g_set (
        g, 0,
        kt_sum_to (host, g,
                   kt_matmul (host, g, dy, turned (host, g, b, y.ndim == 1 ? 2 : y.ndim)),
                   host->g_in (g, 0))));
  if (!host->g_wanted (g, 1))
    return KT_OK;

  kt_value db = kt_matmul (host, g, turned (host, g, a, x.ndim == 1 ? 2 : x.ndim), dy);
  if (y.ndim == 1)
    {
      const int64_t last = -1;
      db                 = kt_node (host, g, "Squeeze",
                                    (const kt_value[]){ db, kt_ints (host, g, &last, 1) }, 2, NULL, 0);
    }
  return host->g_set (g, 1, kt_sum_to (host, g, db, host->g_in (g, 1)));
}

static const kt_kernel matmul_kernel[]
    = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS | KT_K_EPILOGUE,
          .priority = KT_GEMM_BEST, .user = (void *) "best", .prepare = matmul_prepare,
          .run = kt_gemm_run },
        { KT_KERNEL, .types = "T=f32|f64|f16|bf16|i32|i64|u32|u64",
          .flags = KT_CPU_FLAGS | KT_K_EPILOGUE, .prepare = matmul_prepare,
          .run = kt_gemm_run },
        { 0 } };

const kt_operator kette_op_matmul = {
  .op = { KT_OP ("MatMul", 1), .flags = KT_OP_PURE | KT_OP_MATMUL, .infer = matmul_infer,
          .gradient = matmul_gradient, .formula = "$0 $1" },
  .kernel = matmul_kernel,
};
