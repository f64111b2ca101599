/* SPDX-License-Identifier: Apache-2.0
 *
 * dnn.h: convolutions on cuDNN.
 */
#ifndef KETTE_CUDA_DNN_H
#define KETTE_CUDA_DNN_H

#include "windows.h"
#include <stdbool.h>

typedef struct CuDnnConv CuDnnConv;

/* Can cuDNN compute P at all: paddings alike on both sides, nothing cut off? Plain arithmetic. */
bool cu_dnn_fits (const CuConv *p);
/* *OUT NULL: cuDNN cannot be had, or does not take P. */
kt_status cu_dnn_prepare (const kt_host *host, kt_prep *prep, const CuConv *p,
                          CuDnnConv **out);
kt_status cu_dnn_run (const kt_host *host, kt_run *run, CuDnnConv *d, const CuConv *p);
void cu_dnn_free (CuDnnConv *d);

#endif /* KETTE_CUDA_DNN_H */
