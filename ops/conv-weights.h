/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-weights.h: dW and dB of a convolution, from the large side in input 0 and the small one
 * in input 1 to output 0 and, if it is there, output 1.
 */
#pragma once
#include "conv.h"

kt_status kt_conv_weights_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c,
                                   void **state);
kt_status kt_conv_weights_run (const kt_host *host, kt_run *run, void *state);
