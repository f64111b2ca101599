/* SPDX-License-Identifier: Apache-2.0
 * What the readers and writers of tensor files share.
 */
#pragma once
#include "io/build.h"
#include "io/io-private.h"

/* build-tensor.c: elements and bytes of a shape. Dims are multiplied over those other than 0:
 * too large is `tensor`, or `limit` where there are no elements. */
gboolean _kette_tensor_size (int dtype, const int64_t *dims, int rank, const char *where,
                             size_t *count, size_t *bytes, GError **error);
/* Elements and bytes of a shape whose dims are 0 or more, against the HAVE bytes that the
 * file holds for them (`format` when they differ). */
gboolean _kette_file_size (int dtype, const int64_t *dims, int rank, size_t have,
                           size_t *count, size_t *bytes, GError **error);
/* KetteWriteFuncs; USER is the tensor. */
gboolean _kette_npy_write (KetteWriter *writer, gpointer user, GError **error);
gboolean _kette_tensor_pb_write (KetteWriter *writer, gpointer user, GError **error);
