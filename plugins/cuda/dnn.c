/* SPDX-License-Identifier: Apache-2.0
 *
 * dnn.c: convolutions on cuDNN, through its functions for convolutions rather than its graphs:
 * they say of each algorithm whether it gives the same bits every time, and need no engine to be
 * compiled while a node is prepared. Algorithms are asked for in prepare, not measured: the
 * first that is deterministic and content with its memory is taken.
 */
#include "dnn.h"
#include "kernels/kernels.h"

#ifdef KETTE_CUDNN
#include "library.h"
#include <stdlib.h>

#define MOST_WORKSPACE ((size_t) 512 * 1024 * 1024)
#define MOST_ALGORITHMS 16

struct CuDnnConv
{
  cudnnHandle_t handle;
  cudnnTensorDescriptor_t large, small, bias, *biased; /* biased: the result */
  cudnnFilterDescriptor_t weights;
  cudnnConvolutionDescriptor_t conv;
  int algorithm;
  size_t workspace;
  bool wide;
};

/* A handle has one stream at a time. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static cudnnDataType_t
type_of (int32_t dtype)
{
  return dtype == KT_F64    ? CUDNN_DATA_DOUBLE
         : dtype == KT_F16  ? CUDNN_DATA_HALF
         : dtype == KT_BF16 ? CUDNN_DATA_BFLOAT16
                            : CUDNN_DATA_FLOAT;
}

/* f32 is exact where nobody asked for less: cuDNN's default takes tf32. */
static cudnnMathType_t
math_of (const CuConv *p)
{
  if (p->dtype == KT_F16 || p->dtype == KT_BF16)
    return CUDNN_TENSOR_OP_MATH;
  return p->round ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH;
}

/* Two spatial dims where the first of three is 1, else three. */
static int
first_dim (const CuGeometry *g)
{
  return g->large[0] == 1 && g->small[0] == 1 && g->kernel[0] == 1 && g->begin[0] == 0
         && g->stride[0] == 1;
}

static bool
tensor (cudnnTensorDescriptor_t *out, int32_t dtype, int64_t batch, int64_t channels,
        const int64_t *dims, int first)
{
  const int n = 2 + CU_DIMS - first;
  int shape[5], stride[5];

  shape[0] = (int) batch;
  shape[1] = (int) channels;
  for (int d = first; d < CU_DIMS; d++)
    shape[2 + d - first] = dims ? (int) dims[d] : 1;
  int64_t step = 1;
  for (int d = n - 1; d >= 0; d--)
    {
      if (step > INT32_MAX)
        return false;
      stride[d] = (int) step;
      step *= shape[d];
    }
  return dnn.CreateTensorDescriptor (out) == CUDNN_STATUS_SUCCESS
         && dnn.SetTensorNdDescriptor (*out, type_of (dtype), n, shape, stride)
                == CUDNN_STATUS_SUCCESS;
}

static bool
describe (CuDnnConv *d, const CuConv *p)
{
  const CuGeometry *g = &p->g;
  const int first = first_dim (g), n = CU_DIMS - first;
  const int filter[5] = { (int) (p->group * p->m), (int) p->c, g->kernel[first],
                          g->kernel[first ? 2 : 1], g->kernel[2] };
  const cudnnDataType_t compute
      = p->dtype == KT_F64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;

  return tensor (&d->large, p->dtype, p->batch, p->group * p->c, g->large, first)
         && tensor (&d->small, p->dtype, p->batch, p->group * p->m, g->small, first)
         && tensor (&d->bias, p->dtype, 1, p->group * (p->role == 0 ? p->c : p->m), NULL,
                    first)
         && dnn.CreateFilterDescriptor (&d->weights) == CUDNN_STATUS_SUCCESS
         && dnn.SetFilterNdDescriptor (d->weights, type_of (p->dtype), CUDNN_TENSOR_NCHW,
                                       2 + n, filter)
                == CUDNN_STATUS_SUCCESS
         && dnn.CreateConvolutionDescriptor (&d->conv) == CUDNN_STATUS_SUCCESS
         && dnn.SetConvolutionNdDescriptor (d->conv, n, g->begin + first,
                                            g->stride + first, g->dilation + first,
                                            CUDNN_CROSS_CORRELATION, compute)
                == CUDNN_STATUS_SUCCESS
         && dnn.SetConvolutionGroupCount (d->conv, (int) p->group) == CUDNN_STATUS_SUCCESS
         && dnn.SetConvolutionMathType (d->conv, math_of (p)) == CUDNN_STATUS_SUCCESS;
}

/* The first good one of what cuDNN proposes, which is best first. */
#define CHOOSE(KIND, ...)                                                                \
  {                                                                                      \
    cudnnConvolution##KIND##AlgoPerf_t found[MOST_ALGORITHMS];                           \
    int n = 0;                                                                           \
    if (__VA_ARGS__ != CUDNN_STATUS_SUCCESS)                                             \
      return false;                                                                      \
    for (int i = 0; i < n; i++)                                                          \
      if (found[i].status == CUDNN_STATUS_SUCCESS                                        \
          && found[i].determinism == CUDNN_DETERMINISTIC                                 \
          && found[i].memory <= MOST_WORKSPACE                                           \
          && (!exact || found[i].mathType == CUDNN_FMA_MATH))                            \
        {                                                                                \
          d->algorithm = (int) found[i].algo;                                            \
          d->workspace = found[i].memory;                                                \
          return dnn.SetConvolutionMathType (d->conv, found[i].mathType)                 \
                 == CUDNN_STATUS_SUCCESS;                                                \
        }                                                                                \
    return false;                                                                        \
  }

static bool
choose (CuDnnConv *d, const CuConv *p)
{
  const bool exact = p->dtype == KT_F32 && !p->round;

  if (p->role == KT_CONV_ROLE_SMALL)
    CHOOSE (Fwd, dnn.GetConvolutionForwardAlgorithm_v7 (d->handle, d->large, d->weights,
                                                        d->conv, d->small,
                                                        MOST_ALGORITHMS, &n, found))
  if (p->role == KT_CONV_ROLE_LARGE)
    CHOOSE (BwdData, dnn.GetConvolutionBackwardDataAlgorithm_v7 (
                         d->handle, d->weights, d->small, d->conv, d->large,
                         MOST_ALGORITHMS, &n, found))
  CHOOSE (BwdFilter, dnn.GetConvolutionBackwardFilterAlgorithm_v7 (
                         d->handle, d->large, d->small, d->conv, d->weights,
                         MOST_ALGORITHMS, &n, found))
}

kt_status
cu_dnn_prepare (const kt_host *host, kt_prep *prep, const CuConv *p, CuDnnConv **out)
{
  CuDevice *device     = cu_device (host, prep);
  cudnnHandle_t handle = device && cu_dnn_fits (p) ? dnn_handle (device) : NULL;
  CuDnnConv *d;

  *out = NULL;
  if (!handle)
    return KT_OK;
  if (!(d = calloc (1, sizeof *d)))
    return cu_fail (host, prep, KT_E_NOMEM, "no memory");
  d->handle = handle;
  d->wide   = p->dtype == KT_F64;
  pthread_mutex_lock (&lock);
  const bool good = describe (d, p) && choose (d, p);
  pthread_mutex_unlock (&lock);
  if (!good)
    {
      cu_dnn_free (d);
      return KT_OK;
    }
  d->biased = p->role == KT_CONV_ROLE_LARGE ? &d->large : &d->small;
  if (d->workspace)
    {
      const kt_status status = host->want_workspace (prep, d->workspace, 0);
      if (status != KT_OK)
        {
          cu_dnn_free (d);
          return status;
        }
    }
  *out = d;
  return KT_OK;
}

static cudnnStatus_t
convolve (const CuDnnConv *d, const CuConv *p, void *memory, const void *one,
          const void *zero)
{
  if (p->role == KT_CONV_ROLE_SMALL)
    return dnn.ConvolutionForward (d->handle, one, d->large, p->large, d->weights,
                                   p->weights, d->conv,
                                   (cudnnConvolutionFwdAlgo_t) d->algorithm, memory,
                                   d->workspace, zero, d->small, p->out);
  if (p->role == KT_CONV_ROLE_LARGE)
    return dnn.ConvolutionBackwardData (d->handle, one, d->weights, p->weights, d->small,
                                        p->small, d->conv,
                                        (cudnnConvolutionBwdDataAlgo_t) d->algorithm,
                                        memory, d->workspace, zero, d->large, p->out);
  return dnn.ConvolutionBackwardFilter (d->handle, one, d->large, p->large, d->small,
                                        p->small, d->conv,
                                        (cudnnConvolutionBwdFilterAlgo_t) d->algorithm,
                                        memory, d->workspace, zero, d->weights, p->out);
}

kt_status
cu_dnn_run (const kt_host *host, kt_run *run, CuDnnConv *d, const CuConv *p)
{
  static const float one_f = 1, zero_f = 0;
  static const double one_d = 1, zero_d = 0;
  const void *one     = d->wide ? (const void *) &one_d : &one_f;
  const void *zero    = d->wide ? (const void *) &zero_d : &zero_f;
  cudaStream_t stream = cu_stream (host, run);
  void *const memory  = d->workspace ? host->workspace (run, -1, NULL) : NULL;
  cudnnStatus_t status;

  pthread_mutex_lock (&lock);
  status = dnn.SetStream (d->handle, stream);
  if (status == CUDNN_STATUS_SUCCESS)
    status = convolve (d, p, memory, one, zero);
  if (status == CUDNN_STATUS_SUCCESS && p->bias)
    status = dnn.AddTensor (d->handle, one, d->bias, p->bias, one, *d->biased, p->out);
  pthread_mutex_unlock (&lock);
  return status == CUDNN_STATUS_SUCCESS
             ? cu_launched (host, run, "a convolution")
             : cu_fail (host, run, KT_E_DEVICE, "cuDNN: %s", dnn.GetErrorString (status));
}

void
cu_dnn_free (CuDnnConv *d)
{
  if (!d)
    return;
  if (d->large)
    dnn.DestroyTensorDescriptor (d->large);
  if (d->small)
    dnn.DestroyTensorDescriptor (d->small);
  if (d->bias)
    dnn.DestroyTensorDescriptor (d->bias);
  if (d->weights)
    dnn.DestroyFilterDescriptor (d->weights);
  if (d->conv)
    dnn.DestroyConvolutionDescriptor (d->conv);
  free (d);
}

#else /* compiled without cuDNN's headers */

kt_status
cu_dnn_prepare (const kt_host *host, kt_prep *prep, const CuConv *p, CuDnnConv **out)
{
  (void) host, (void) prep, (void) p;
  *out = NULL;
  return KT_OK;
}

kt_status
cu_dnn_run (const kt_host *host, kt_run *run, CuDnnConv *d, const CuConv *p)
{
  (void) d, (void) p;
  return kt_fail (host, run, KT_E_INTERNAL, "compiled without cuDNN");
}

void
cu_dnn_free (CuDnnConv *d)
{
  (void) d;
}
#endif
