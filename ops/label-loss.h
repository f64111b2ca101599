/* SPDX-License-Identifier: Apache-2.0
 *
 * label-loss.h: the kernel of NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
 */
#pragma once
#include "labels.h"

/* user: NULL if the scores are logarithms of probabilities, else they pass a log-softmax. */
kt_status kt_label_loss_prepare (const kt_host *host, kt_prep *prep, void *user,
                                 void **state);
kt_status kt_label_loss_run (const kt_host *host, kt_run *run, void *state);
