/* SPDX-License-Identifier: Apache-2.0
 * A training step of a network of dense layers, written by hand: what Kette's is measured
 * against. The products run on the same micro-kernels, or all of them on OpenBLAS.
 */
#pragma once
#include <stdbool.h>

enum
{
  HAND_MOST_LAYERS = 8
};

typedef struct
{
  int n_layers, batch, samples;
  int dims[HAND_MOST_LAYERS + 1];
  bool turned;    /* weights are [out, in], not [in, out]           */
  bool sigmoid;   /* sigmoid everywhere and half-sse; else relu, and softmax with
                     cross-entropy behind the last layer            */
  bool blas_only; /* no micro-kernels                               */
  float rate;
  const float *x;    /* [samples, dims[0]] */
  const float *t;    /* one-hot [samples, dims[n_layers]] */
  const int *labels; /* or the label of each sample       */
  float *w[HAND_MOST_LAYERS], *b[HAND_MOST_LAYERS];
  struct hand_state *state;
  int at; /* the next batch */
} hand_net;

bool hand_prepare (hand_net *net);
void hand_step (void *net);
