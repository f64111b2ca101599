/* SPDX-License-Identifier: Apache-2.0
 *
 * labels.h: losses of scores (N, C, d1, ..) against labels (N, d1, ..) with numbers of classes
 * 0 .. C-1: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss and gradients. A sample is one
 * label with its C scores, which lie `inner` elements apart.
 */
#pragma once
#include "operator.h"

typedef enum
{
  KT_EACH,
  KT_SUM,
  KT_MEAN
} kt_reduced;

typedef struct kt_labels
{
  int64_t count, classes, inner; /* samples; C; d1 * d2 * .. */
  int64_t ignore;
  kt_reduced reduction;
  bool has_ignore, has_weights;
  bool wide, wide_labels; /* double; int64 */
} kt_labels;

/* Scores, labels and weights are inputs FIRST, FIRST + 1 and FIRST + 2 (optional): do they fit
 * each other? The attribute reduction is looked at, too. */
kt_status kt_labels_check (const kt_host *host, const void *ctx, int32_t first);
/* All of it, where shapes are known. */
kt_status kt_labels_read (const kt_host *host, const void *ctx, int32_t first,
                          kt_labels *l);
/* The shape of labels where reduction is "none", else a scalar; of input FIRST's type. */
kt_status kt_labels_set_loss (const kt_host *host, kt_infer *infer, int32_t first);

/* Label I; -1 if it is ignored, -2 if it is no class. */
static inline int64_t
kt_label (const kt_labels *l, const void *labels, int64_t i)
{
  const int64_t v
      = l->wide_labels ? ((const int64_t *) labels)[i] : ((const int32_t *) labels)[i];

  if (l->has_ignore && v == l->ignore)
    return -1;
  return v >= 0 && v < l->classes ? v : -2;
}

/* KT_E_VALUE: label number I of input J is no class. */
kt_status kt_labels_refuse (const kt_host *host, const kt_run *run, const kt_labels *l,
                            int32_t j, int64_t i);

/* Emission. HOT (N, C, ..): is this the class of the label? WEIGHT (N, 1, ..): what the sample
 * counts, 0 if it is ignored. */
typedef struct kt_hot
{
  kt_value hot, weight;
} kt_hot;
kt_hot kt_labels_hot (const kt_host *host, kt_graph *g, int32_t first);
/* dE / d(loss of a sample) times its weight, (N, 1, ..); DE is the gradient of the node's loss. */
kt_value kt_labels_seed (const kt_host *host, kt_graph *g, kt_value weight, kt_value de);
/* The loss from the logarithms of the probabilities. */
kt_value kt_labels_loss (const kt_host *host, kt_graph *g, const kt_hot *h,
                         kt_value log_prob);
/* The INTS or other attributes reduction and ignore_index of the node, for a node like it. */
int32_t kt_labels_attrs (const kt_host *host, kt_graph *g, kt_attr attrs[2]);
