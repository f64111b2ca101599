/* SPDX-License-Identifier: Apache-2.0
 * Sparse tensors as files hold them: coordinates and values. They become dense when a session
 * is made, and not before: a few numbers may stand for more than any memory holds.
 */
#pragma once
#include "graph/graph-private.h"

struct _KetteSparse
{
  gint ref;
  int dtype, rank;
  int64_t dims[KETTE_MAX_RANK]; /* of the dense tensor, whose elements are below 2^63 */
  size_t count;                 /* its elements */
  KetteTensor *values;          /* [n]; owned */
  KetteTensor *indices;         /* int64 [n] or [n,rank], ascending, in range; owned */
  KetteTensor *dense;           /* made once, when somebody asked; owned */
  const void *proto;            /* SparseTensorProto of the file */
};

/* The tensors are referenced. What they hold was checked; the indices are aligned. */
KetteSparse *_kette_sparse_new (const int64_t *dims, int rank, size_t count,
                                KetteTensor *values, KetteTensor *indices,
                                const void *proto, GError **error);
KetteSparse *_kette_sparse_ref (KetteSparse *self);
void _kette_sparse_unref (KetteSparse *self);
/* The dense tensor, of which every caller gets a reference. */
KetteTensor *_kette_sparse_dense (KetteSparse *self, GError **error);
/* The element of the dense tensor that entry I is. */
int64_t _kette_sparse_place (const KetteSparse *self, size_t i);

/* Sparse tensors that attributes hold belong to the model. Their views have no data, but tell
 * which one is meant; NULL: VIEW is that of an ordinary tensor. */
gboolean _kette_model_keep_sparse (KetteModel *model, KetteSparse *sparse,
                                   kt_tensor *view, GError **error);
KetteSparse *_kette_model_sparse (const KetteModel *model, const kt_tensor *view);
/* Every sparse tensor of GRAPH and its subgraphs becomes a dense one: initializers and what
 * attributes hold. `memory` where that is too much, naming what. */
gboolean _kette_graph_make_dense (KetteGraph *graph, GError **error);
