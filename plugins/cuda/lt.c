/* SPDX-License-Identifier: Apache-2.0
 *
 * lt.c: products on cuBLASLt. Its matrices are column-major, so what it computes is the
 * transpose of the result, B' A': the second operand stands first, and an element per column
 * of the result is what it calls a bias. Which algorithm is taken is asked of the library once,
 * in prepare, without measuring: the same shape gets the same one every time.
 *
 * Its epilogues serve the bias alone. RELU makes 0 of NaN, which ONNX's Relu keeps, and there
 * are none for Sigmoid and Tanh.
 */
#include "library.h"
#include "product.h"
#include <string.h>

#define MOST_WORKSPACE ((size_t) 32 * 1024 * 1024) /* of a product */
#define MOST_CALLS 256 /* of one node; more: the batch is odd, our own code it is */

struct CuLt
{
  cublasLtHandle_t handle;
  cublasLtMatmulDescOpaque_t desc;
  cublasLtMatrixLayoutOpaque_t first, second, result;
  cublasLtMatmulAlgo_t algo[2]; /* for operands aligned to 16 bytes; to their elements */
  bool has[2], wide;            /* wide: the factors are double */
  size_t workspace, size;
  CuAddend addend;
};

typedef struct
{
  cudaDataType_t type, scale;
  cublasComputeType_t compute;
  size_t size;
} Types;

static bool
types_of (int32_t dtype, int32_t precision, Types *t)
{
  switch (dtype)
    {
    case KT_F32:
      *t = (Types){ CUDA_R_32F, CUDA_R_32F,
                    precision == KT_ROUND_TF32   ? CUBLAS_COMPUTE_32F_FAST_TF32
                    : precision == KT_ROUND_BF16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                 : CUBLAS_COMPUTE_32F,
                    4 };
      return true;
    case KT_F64:
      *t = (Types){ CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F, 8 };
      return true;
    case KT_F16:
      *t = (Types){ CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F, 2 };
      return true;
    case KT_BF16:
      *t = (Types){ CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F, 2 };
      return true;
    default:
      return false;
    }
}

static bool
layout_init (cublasLtMatrixLayoutOpaque_t *l, cudaDataType_t type, int64_t rows,
             int64_t cols, int64_t ld, int64_t count, int64_t step)
{
  const int32_t n = (int32_t) count;

  return lt.MatrixLayoutInit_internal (l, sizeof *l, type, (uint64_t) rows,
                                       (uint64_t) cols, ld)
             == CUBLAS_STATUS_SUCCESS
         && (count == 1
             || (lt.MatrixLayoutSetAttribute (l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &n,
                                              sizeof n)
                     == CUBLAS_STATUS_SUCCESS
                 && lt.MatrixLayoutSetAttribute (
                        l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                        sizeof step)
                        == CUBLAS_STATUS_SUCCESS));
}

static bool
desc_init (CuLt *l, const Types *t, const Product *p)
{
  static const uintptr_t some   = 256; /* the row is known later; it is aligned */
  const cublasOperation_t turn  = CUBLAS_OP_T;
  const cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;

  return lt.MatmulDescInit_internal (&l->desc, sizeof l->desc, t->compute, t->scale)
             == CUBLAS_STATUS_SUCCESS
         && (!p->turn_b
             || lt.MatmulDescSetAttribute (&l->desc, CUBLASLT_MATMUL_DESC_TRANSA, &turn,
                                           sizeof turn)
                    == CUBLAS_STATUS_SUCCESS)
         && (!p->turn_a
             || lt.MatmulDescSetAttribute (&l->desc, CUBLASLT_MATMUL_DESC_TRANSB, &turn,
                                           sizeof turn)
                    == CUBLAS_STATUS_SUCCESS)
         && (l->addend != CU_BIAS
             || (lt.MatmulDescSetAttribute (&l->desc, CUBLASLT_MATMUL_DESC_EPILOGUE,
                                            &bias, sizeof bias)
                     == CUBLAS_STATUS_SUCCESS
                 && lt.MatmulDescSetAttribute (
                        &l->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &some, sizeof some)
                        == CUBLAS_STATUS_SUCCESS));
}

/* The library's first choice for operands that are aligned to ALIGNED bytes. */
static bool
ask (CuLt *l, uint32_t aligned, cublasLtMatmulAlgo_t *algo)
{
  static const cublasLtMatmulPreferenceAttributes_t attributes[]
      = { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
  const size_t most = MOST_WORKSPACE;
  cublasLtMatmulPreferenceOpaque_t wish;
  cublasLtMatmulHeuristicResult_t found;
  int n = 0;

  if (lt.MatmulPreferenceInit_internal (&wish, sizeof wish) != CUBLAS_STATUS_SUCCESS
      || lt.MatmulPreferenceSetAttribute (&wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                          &most, sizeof most)
             != CUBLAS_STATUS_SUCCESS)
    return false;
  for (int i = 0; i < 4; i++)
    if (lt.MatmulPreferenceSetAttribute (&wish, attributes[i], &aligned, sizeof aligned)
        != CUBLAS_STATUS_SUCCESS)
      return false;
  if (lt.MatmulAlgoGetHeuristic (l->handle, &l->desc, &l->first, &l->second, &l->result,
                                 &l->result, &wish, 1, &found, &n)
          != CUBLAS_STATUS_SUCCESS
      || n < 1 || found.state != CUBLAS_STATUS_SUCCESS)
    return false;
  *algo        = found.algo;
  l->workspace = found.workspaceSize > l->workspace ? found.workspaceSize : l->workspace;
  return true;
}

static bool
describe (CuLt *l, const Product *p, const Types *t, const CuBatch *b)
{
  return desc_init (l, t, p)
         && layout_init (&l->first, t->type, p->turn_b ? p->k : p->n,
                         p->turn_b ? p->n : p->k, p->ldb, b->count, b->b_step)
         && layout_init (&l->second, t->type, p->turn_a ? p->m : p->k,
                         p->turn_a ? p->k : p->m, p->lda, b->count, b->a_step)
         && layout_init (&l->result, t->type, p->n, p->m, p->n, b->count, p->m * p->n);
}

/* Asks for algorithms; a product that does not get one with a bias gets it without. The memory of
 * values is aligned to more than 16 bytes. */
static bool
choose (CuLt *l, const Product *p, const Types *t)
{
  const CuBatch b = cu_batch_of (p);

  for (int round = 0; round < 2; round++)
    {
      l->addend    = cu_addend_of (p, round == 0);
      l->workspace = 0;
      if (!describe (l, p, t, &b))
        return false;
      l->has[0] = ask (l, 16, &l->algo[0]);
      l->has[1] = ask (l, (uint32_t) t->size, &l->algo[1]);
      /* Calls behind the first begin where the batch has them, aligned or not. */
      if (l->has[1] || (l->has[0] && b.calls == 1))
        return true;
    }
  return false;
}

kt_status
cu_lt_prepare (const kt_host *host, kt_prep *prep, const Product *p, int32_t dtype,
               int32_t precision, CuLt **out)
{
  const CuBatch b = cu_batch_of (p);
  CuDevice *d     = cu_device (host, prep);
  CuLt *l;
  void *kept;
  Types t;

  *out = NULL;
  if (!d || !types_of (dtype, precision, &t) || b.calls > MOST_CALLS
      || b.count > INT32_MAX || p->m > INT32_MAX || p->n > INT32_MAX || p->k > INT32_MAX
      || !lt_handle (d))
    return KT_OK;

  kt_status status = host->keep (prep, sizeof *l, &kept);
  if (status != KT_OK)
    return status;
  l         = kept;
  l->handle = lt_handle (d);
  l->wide   = dtype == KT_F64;
  l->size   = t.size;
  if (!choose (l, p, &t))
    return KT_OK;
  if (l->workspace)
    status = host->want_workspace (prep, l->workspace, 0);
  if (status == KT_OK)
    *out = l;
  return status;
}

CuAddend
cu_lt_addend (const CuLt *l)
{
  return l->addend;
}

static const char *
text_of (cublasStatus_t status)
{
  switch (status)
    {
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "no memory";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the launch failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "not supported";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an operand is not as was announced";
    default:
      return "it failed";
    }
}

kt_status
cu_lt_run (const kt_host *host, kt_run *run, CuLt *l, const Product *p, const void *c)
{
  const cudaStream_t stream       = cu_stream (host, run);
  const CuBatch b                 = cu_batch_of (p);
  const float alpha               = (float) p->alpha;
  const float beta                = l->addend == CU_WHOLE    ? (float) p->beta
                                    : l->addend == CU_SPREAD ? 1
                                                             : 0;
  const double wide_beta          = l->addend == CU_WHOLE    ? p->beta
                                    : l->addend == CU_SPREAD ? 1
                                                             : 0;
  const size_t product            = (size_t) (b.count * p->m * p->n) * l->size;
  cublasLtMatmulDescOpaque_t desc = l->desc;
  void *const workspace           = l->workspace ? host->workspace (run, -1, NULL) : NULL;
  const uintptr_t row             = l->addend == CU_BIAS ? (uintptr_t) c : 0;

  if (l->addend == CU_BIAS
      && lt.MatmulDescSetAttribute (&desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &c,
                                    sizeof c)
             != CUBLAS_STATUS_SUCCESS)
    return cu_fail (host, run, KT_E_DEVICE, "cuBLASLt takes no bias");
  for (int64_t call = 0; call < b.calls; call++)
    {
      int64_t at_a, at_b;
      cu_batch_at (p, call, &at_a, &at_b);
      const char *const a    = (const char *) run->in[0].data + (size_t) at_a * l->size;
      const char *const bb   = (const char *) run->in[1].data + (size_t) at_b * l->size;
      char *const y          = (char *) run->out[0].data + (size_t) call * product;
      const void *const from = l->addend == CU_WHOLE ? c : y;
      const bool aligned
          = (((uintptr_t) a | (uintptr_t) bb | (uintptr_t) y | (uintptr_t) from | row)
             & 15)
            == 0;
      const int which             = l->has[0] && (aligned || !l->has[1]) ? 0 : 1;
      const cublasStatus_t status = lt.Matmul (
          l->handle, &desc, l->wide ? (const void *) &p->alpha : &alpha, bb, &l->first, a,
          &l->second, l->wide ? (const void *) &wide_beta : &beta, from, &l->result, y,
          &l->result, &l->algo[which], workspace, l->workspace, stream);
      if (status != CUBLAS_STATUS_SUCCESS)
        return cu_fail (host, run, KT_E_DEVICE, "cuBLASLt: %s (%d)", text_of (status),
                        (int) status);
    }
  return KT_OK;
}
