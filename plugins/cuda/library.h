/* SPDX-License-Identifier: Apache-2.0
 *
 * library.h: cuBLASLt and cuDNN, which are opened when a node could use them: machines with a
 * driver alone have neither.
 */
#ifndef KETTE_CUDA_LIBRARY_H
#define KETTE_CUDA_LIBRARY_H

#include "device.h"
#include <cublasLt.h>
#ifdef KETTE_CUDNN
#include <cudnn.h>
#endif

#define LT_CALLS(X)                                                                      \
  X (Create)                                                                             \
  X (Destroy)                                                                            \
  X (GetVersion)                                                                         \
  X (Matmul)                                                                             \
  X (MatmulAlgoGetHeuristic)                                                             \
  X (MatmulDescInit_internal)                                                            \
  X (MatmulDescSetAttribute)                                                             \
  X (MatmulPreferenceInit_internal)                                                      \
  X (MatmulPreferenceSetAttribute)                                                       \
  X (MatrixLayoutInit_internal)                                                          \
  X (MatrixLayoutSetAttribute)

typedef struct
{
#define LT_FIELD(NAME) __typeof__ (&cublasLt##NAME) NAME;
  LT_CALLS (LT_FIELD)
#undef LT_FIELD
} Lt;
extern Lt lt;

/* D's handle; NULL: the library cannot be opened. prepare only. */
cublasLtHandle_t lt_handle (CuDevice *d);

#ifdef KETTE_CUDNN
#define DNN_CALLS(X)                                                                     \
  X (AddTensor)                                                                          \
  X (ConvolutionBackwardBias)                                                            \
  X (ConvolutionBackwardData)                                                            \
  X (ConvolutionBackwardFilter)                                                          \
  X (ConvolutionForward)                                                                 \
  X (Create)                                                                             \
  X (CreateConvolutionDescriptor)                                                        \
  X (CreateFilterDescriptor)                                                             \
  X (CreateTensorDescriptor)                                                             \
  X (Destroy)                                                                            \
  X (DestroyConvolutionDescriptor)                                                       \
  X (DestroyFilterDescriptor)                                                            \
  X (DestroyTensorDescriptor)                                                            \
  X (GetConvolutionBackwardDataAlgorithm_v7)                                             \
  X (GetConvolutionBackwardFilterAlgorithm_v7)                                           \
  X (GetConvolutionForwardAlgorithm_v7)                                                  \
  X (GetErrorString)                                                                     \
  X (GetVersion)                                                                         \
  X (SetConvolutionGroupCount)                                                           \
  X (SetConvolutionMathType)                                                             \
  X (SetConvolutionNdDescriptor)                                                         \
  X (SetFilterNdDescriptor)                                                              \
  X (SetStream)                                                                          \
  X (SetTensorNdDescriptor)

typedef struct
{
#define DNN_FIELD(NAME) __typeof__ (&cudnn##NAME) NAME;
  DNN_CALLS (DNN_FIELD)
#undef DNN_FIELD
} Dnn;
extern Dnn dnn;

/* D's handle for this thread; NULL: the library cannot be opened. prepare, run. */
cudnnHandle_t dnn_handle (CuDevice *d);
#endif

#endif /* KETTE_CUDA_LIBRARY_H */
