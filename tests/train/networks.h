/* SPDX-License-Identifier: Apache-2.0
 * Small networks and data for the tests of training.
 */
#pragma once
#include "graph/graph-private.h"
#include "train/trainer.h"

/* Layers "w0", "b0", "w1", ... of these sizes on input "x": y = ACTIVATION (x w + b) each
 * (ACTIVATION NULL: none behind the last one, Sigmoid between). Weights are small and fixed. */
KetteGraph *network_new (int dtype, const int *sizes, int n_layers,
                         const char *activation);
/* conv C1 3x3, [batch normalisation,] relu, conv C2 3x3, relu, maximum over 2x2, dense HIDDEN,
 * relu, dense 10, on "x" [N,1,28,28]; in f32. */
KetteGraph *network_cnn_new (int c1, int c2, int hidden, gboolean normalised);
/* The same with batch normalisation, and dropout in front of the last layer. */
KetteGraph *network_cnn_dropout_new (int c1, int c2, int hidden);
/* Pictures of ten classes as uint8 [n,784], and labels uint8 [n]: an integer formula, as in
 * reference/make-reference.py. */
void network_samples (size_t n, KetteTensor **x, KetteTensor **labels);
/* N rows of WIDTH numbers between -1 and 1; SALT makes others. */
KetteTensor *network_rows (int dtype, size_t n, size_t width, guint salt);
guint32 network_mix (guint32 v);

KetteTrainer *network_trainer (KetteGraph *graph, const KetteTrainOptions *options,
                               KetteTensor *x, KetteTensor *t);
/* SHA-256 of all initializers of the graph. */
char *network_digest (KetteGraph *graph);
/* The path FILE under the source tree. */
char *network_source (const char *file);
