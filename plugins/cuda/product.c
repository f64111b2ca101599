/* SPDX-License-Identifier: Apache-2.0
 *
 * product.c: MatMul and Gemm: on cuBLASLt where that can be opened and has the type, else by
 * tiles of our own.
 */
#include "product.h"
#include "kernels/kernels.h"

typedef struct
{
  int32_t dtype;
  int32_t c_in; /* the input that is C: Gemm's, or that of an Add behind the product */
  int32_t round, reserved; /* KT_ROUND_*, of the factors */
  size_t size;
  CuLt *lt;
} More;

/* What the reading of shapes calls (../openblas/matmul.c, gemm.c). */
kt_status
fail (const kt_host *host, const void *ctx, kt_status code, const char *text)
{
  return host->fail (ctx, code, text, strlen (text));
}

/* An Add of one row right behind the product becomes its C. */
static kt_status
absorb_row (const kt_host *host, kt_prep *prep, Product *p, More *more)
{
  const kt_type y = kt_out_type (host, prep, 0);
  int32_t n_in, n_out, version;
  kt_follower next;
  kt_type row;

  more->c_in = 2;
  if (p->has_c || p->k == 0 || cu_product_is_empty (p) || y.ndim < 1
      || y.dims[y.ndim - 1] != p->n)
    return KT_OK;
  KT_TRY (host->arity (prep, &n_in, &n_out, &version));
  KT_TRY (host->follower (prep, 0, &next));
  if (!next.op || strcmp (next.domain, "") != 0 || strcmp (next.op, "Add") != 0
      || next.n_in != 2)
    return KT_OK;
  KT_TRY (host->follower_type (prep, 0, 1 - next.operand, &row));
  if (row.kind != KT_TENSOR || row.ndim < 1 || row.ndim > y.ndim
      || row.dims[row.ndim - 1] != p->n || kt_count (row.dims, row.ndim) != p->n)
    return KT_OK;
  p->has_c   = true;
  p->c_row   = 0;
  p->c_col   = 1;
  p->beta    = 1;
  more->c_in = n_in;
  return host->absorb (prep, 1);
}

kt_status
product_prepare (const kt_host *host, kt_prep *prep, Product *p)
{
  void *kept;
  kt_status status = host->keep (prep, sizeof (More), &kept);
  More *more       = kept;

  if (status != KT_OK)
    return status;
  p->more     = more;
  more->dtype = kt_in_type (host, prep, 0).dtype;
  more->size  = kt_size_of (more->dtype);
  KT_TRY (absorb_row (host, prep, p, more));
  if (p->k == 0 || cu_product_is_empty (p))
    return KT_OK;
  if (more->dtype == KT_F32 && KT_HAS (kt_host, host, rounds)
      && (more->round = host->precision (prep)))
    KT_TRY (host->rounds (prep, more->round));
  return cu_lt_prepare (host, prep, p, more->dtype, more->round, &more->lt);
}

static CuStart
start_of (const Product *p, const More *more, const kt_run *run)
{
  const CuBatch batch = cu_batch_of (p);
  const bool has_c    = cu_addend_of (p, false) != CU_NO_C;

  return (CuStart){ .c     = has_c ? run->in[more->c_in].data : NULL,
                    .y     = run->out[0].data,
                    .count = batch.count * batch.calls * p->m * p->n,
                    .n     = p->n,
                    .rows  = p->m,
                    .c_row = p->c_row,
                    .c_col = p->c_col,
                    .beta  = p->beta,
                    .dtype = more->dtype };
}

static void
run_tiles (const Product *p, const More *more, const kt_run *run, bool add, void *stream)
{
  const CuBatch batch = cu_batch_of (p);
  CuTiles t           = { .m      = p->m,
                          .n      = p->n,
                          .k      = p->k,
                          .a_row  = p->turn_a ? 1 : p->lda,
                          .a_col  = p->turn_a ? p->lda : 1,
                          .b_row  = p->turn_b ? 1 : p->ldb,
                          .b_col  = p->turn_b ? p->ldb : 1,
                          .a_step = batch.a_step,
                          .b_step = batch.b_step,
                          .count  = batch.count,
                          .alpha  = p->alpha,
                          .dtype  = more->dtype,
                          .add    = add,
                          .round  = more->round };

  for (int64_t call = 0; call < batch.calls; call++)
    {
      int64_t a, b;
      cu_batch_at (p, call, &a, &b);
      t.a = (const char *) run->in[0].data + (size_t) a * more->size;
      t.b = (const char *) run->in[1].data + (size_t) b * more->size;
      t.y = (char *) run->out[0].data
            + (size_t) (call * batch.count * p->m * p->n) * more->size;
      cu_tiles_launch (&t, stream);
    }
}

kt_status
product_run (const kt_host *host, kt_run *run, void *state)
{
  const Product *p      = state;
  const More *more      = p->more;
  void *const stream    = kt_gpu_stream (host, run);
  const CuAddend addend = more->lt ? cu_lt_addend (more->lt) : cu_addend_of (p, false);
  const bool start      = p->k == 0 || addend == CU_SPREAD || (addend && !more->lt);

  if (cu_product_is_empty (p))
    return KT_OK;
  if (start)
    {
      const CuStart s = start_of (p, more, run);
      cu_start_launch (&s, stream);
    }
  if (p->k > 0 && more->lt)
    return cu_lt_run (host, run, more->lt, p, p->has_c ? run->in[more->c_in].data : NULL);
  if (p->k > 0)
    run_tiles (p, more, run, start, stream);
  return kt_gpu_launched (host, run, "a matrix product");
}

/* Factors of integers that are no integers are the CPU's to explain. */
static int32_t
gemm_suits (const kt_host *host, const void *ctx, void *user)
{
  const int32_t dtype = kt_in_type (host, ctx, 0).dtype;
  const double alpha  = kt_attr_float (host, ctx, "alpha", 1),
               beta   = kt_attr_float (host, ctx, "beta", 1);

  (void) user;
  if (dtype == KT_F32 || dtype == KT_F64 || dtype == KT_F16 || dtype == KT_BF16)
    return 1;
  return alpha >= -0x1p62 && alpha <= 0x1p62 && alpha == (double) (int64_t) alpha
         && beta >= -0x1p62 && beta <= 0x1p62 && beta == (double) (int64_t) beta;
}

#define PRODUCT(NAME, SINCE, PREPARE, SUITS)                                             \
  {                                                                                      \
    .struct_size = sizeof (kt_kernel), .domain = "", .name = NAME, .device = "cuda",     \
    .types = "T=f32|f64|f16|bf16|i32|i64|u32|u64", .since = SINCE, .priority = 0,        \
    .flags   = KT_K_CAPTURABLE | KT_K_DETERMINISTIC | KT_K_REENTRANT | KT_K_EPILOGUE,    \
    .prepare = PREPARE, .run = product_run, .suits = SUITS                               \
  }

const kt_kernel cu_product_kernels[] = {
  PRODUCT ("MatMul", 1, matmul_prepare, NULL),
  PRODUCT ("Gemm", 7, gemm_prepare, gemm_suits),
  { 0 },
};
