/* SPDX-License-Identifier: Apache-2.0
 *
 * matmul.c: ONNX's MatMul as products of CBLAS. The host has checked that the shapes fit.
 */
#include "product.h"

/* The dims of an operand as a matrix: all but the last two, rows, columns. */
typedef struct
{
  const int64_t *batch;
  int32_t n_batch;
  int64_t rows, cols;
} Matrix;

static Matrix
matrix_of (const kt_type *t, bool right)
{
  const int32_t n = t->ndim;
  Matrix m        = { t->dims, n > 2 ? n - 2 : 0, 1, 1 };

  if (n > 1)
    m.rows = t->dims[n - 2], m.cols = t->dims[n - 1];
  else if (right)
    m.rows = t->dims[0];
  else
    m.cols = t->dims[0];
  return m;
}

/* Appends a dim of the batch, or merges it with the one before it. */
static void
add_dim (Product *p, int64_t dim, int64_t a_step, int64_t b_step)
{
  const int32_t last = p->n_dims - 1;

  if (dim == 1)
    return;
  if (last >= 0 && p->a_step[last] == a_step * dim && p->b_step[last] == b_step * dim)
    {
      p->dims[last] *= dim;
      p->a_step[last] = a_step;
      p->b_step[last] = b_step;
      return;
    }
  p->dims[p->n_dims]     = dim;
  p->a_step[p->n_dims]   = a_step;
  p->b_step[p->n_dims++] = b_step;
}

static void
set_batch (Product *p, const Matrix *a, const Matrix *b)
{
  const int32_t n = a->n_batch > b->n_batch ? a->n_batch : b->n_batch;
  int64_t dims[MAX_RANK], a_step[MAX_RANK], b_step[MAX_RANK];
  int64_t a_size = a->rows * a->cols, b_size = b->rows * b->cols;

  for (int32_t d = n - 1; d >= 0; d--)
    {
      const int32_t i = d - (n - a->n_batch), j = d - (n - b->n_batch);
      const int64_t x = i < 0 ? 1 : a->batch[i], y = j < 0 ? 1 : b->batch[j];
      dims[d]   = x == 1 ? y : x;
      a_step[d] = x == 1 ? 0 : a_size;
      b_step[d] = y == 1 ? 0 : b_size;
      a_size *= x;
      b_size *= y;
    }
  for (int32_t d = 0; d < n; d++)
    add_dim (p, dims[d], a_step[d], b_step[d]);
  /* One matrix b for a batch of a: one product with more rows. */
  if (p->n_dims == 1 && p->b_step[0] == 0 && p->a_step[0] == a->rows * a->cols)
    {
      p->m *= p->dims[0];
      p->n_dims = 0;
    }
}

kt_status
matmul_prepare (const kt_host *host, kt_prep *prep, void *user, void **state)
{
  kt_type a, b;

  (void) user;
  if (host->type (prep, 0, 0, &a) != KT_OK || host->type (prep, 0, 1, &b) != KT_OK
      || a.ndim < 1 || b.ndim < 1 || a.ndim > MAX_RANK || b.ndim > MAX_RANK)
    return fail (host, prep, KT_E_SHAPE, "operands of MatMul have ranks from 1 to 32");

  const kt_status status = host->keep (prep, sizeof (Product), state);
  if (status != KT_OK)
    return status;

  const Matrix x = matrix_of (&a, false), y = matrix_of (&b, true);
  Product *const p = *state;
  *p               = (Product){ .m     = x.rows,
                                .n     = y.cols,
                                .k     = x.cols,
                                .lda   = x.cols,
                                .ldb   = y.cols,
                                .wide  = a.dtype == KT_F64,
                                .alpha = 1 };
  set_batch (p, &x, &y);
  return product_prepare (host, prep, p);
}
