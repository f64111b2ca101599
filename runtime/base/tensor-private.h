/* SPDX-License-Identifier: Apache-2.0
 * A tensor's fields, for the library's own use.
 */
#pragma once
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/tensor.h"

struct _KetteTensor
{
  gint ref;
  int dtype, rank;
  size_t count, bytes; /* elements; bytes (of a string tensor: of its kt_str array) */
  void *data;          /* may be unaligned when it lies in a mapped file            */
  void (*release) (gpointer owner); /* gives back owner; NULL: nothing to give back */
  gpointer owner;
  gboolean mapped; /* data lie in a read-only map of a file: pages can be dropped */
  gpointer copies; /* on devices: exec/resident.c; NULL: none */
  int64_t dims[KETTE_MAX_RANK];
};

/* Makes the host's memory of a tensor with copies up to date; set by those who make copies. */
extern gboolean (*_kette_tensor_newest) (KetteTensor *tensor, GError **error);

/* Uninitialised memory. */
KetteTensor *_kette_tensor_new_raw (int dtype, const int64_t *dims, int rank,
                                    GError **error);
/* A tensor over memory of somebody else: DATA stays valid until release (owner). BYTES are
 * checked against the shape (`internal`). On failure owner is not released. */
KetteTensor *_kette_tensor_new_view (int dtype, const int64_t *dims, int rank, void *data,
                                     void (*release) (gpointer), gpointer owner,
                                     GError **error);
/* A string tensor of kt_str whose bytes are copied. */
KetteTensor *_kette_tensor_new_strings (const kt_str *strings, const int64_t *dims,
                                        int rank, GError **error);
KetteTensor *_kette_tensor_copy (const KetteTensor *self, GError **error);
/* Copies the data (no strings) to OUT. Pages of a mapped file are dropped behind the copy, so
 * that weights are not held twice. */
void _kette_tensor_read (const KetteTensor *self, void *out);
/* The DLPack view: shape points into the tensor. */
void _kette_tensor_view (const KetteTensor *self, kt_tensor *out);
/* From a DLPack view on the CPU (compact), copied. */
KetteTensor *_kette_tensor_from_view (const kt_tensor *view, int dtype, GError **error);
/* Element I as a double or int64 (any numeric or bool type; not string, complex). */
double _kette_tensor_get_double (const KetteTensor *self, size_t i);
gint64 _kette_tensor_get_int (const KetteTensor *self, size_t i);
void _kette_tensor_set_double (KetteTensor *self, size_t i, double v);
/* Equal type, shape and bytes. */
gboolean _kette_tensor_equal (const KetteTensor *a, const KetteTensor *b);
