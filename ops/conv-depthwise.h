/* SPDX-License-Identifier: Apache-2.0
 *
 * conv-depthwise.h: convolutions with one channel of X per group, and their gradients, row by
 * row: a matrix product would have one row of weights.
 */
#pragma once
#include "conv.h"

/* Is C of this kind? */
bool kt_conv_is_depthwise (const kt_conv *c);
kt_status kt_depthwise_prepare (const kt_host *host, kt_prep *prep, const kt_conv *c,
                                void **state);
kt_status kt_depthwise_run (const kt_host *host, kt_run *run, void *state);
