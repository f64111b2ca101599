/* SPDX-License-Identifier: Apache-2.0
 * Reading and writing files: the library's own interface.
 */
#pragma once
#include "graph/graph-private.h"
#include "io/io.h"

/* writer.c: one writer for all files. The callback hands pieces to _kette_writer_add; the
 * file appears under its name when everything is written and synced, or not at all. */
typedef struct _KetteWriter KetteWriter;
gboolean _kette_writer_add (KetteWriter *self, const void *data,
                            size_t n); /* sticky error */
typedef gboolean (*KetteWriteFunc) (KetteWriter *writer, gpointer user, GError **error);
#define KETTE_MOST_KEPT 99
/* KEEP: so many old files stay, as FILE.1 (the newest of them), FILE.2, ... */
gboolean _kette_write_file (const char *file, unsigned keep, KetteWriteFunc func,
                            gpointer user, GError **error);

/* read.c: a whole file as read-only bytes, mapped when large; never a FIFO or directory. */
GBytes *_kette_read_file (const char *file, GError **error);

/* save.c */
/* The model as bytes (tests, digests). */
GBytes *_kette_graph_to_bytes (KetteGraph *graph, GError **error);
/* checksum.c: SHA-256 entry of a file written with checksums: TRUE: absent or right;
 * FALSE: damaged (`format`). *present tells which. */
gboolean _kette_check_sha256 (GBytes *bytes, gboolean *present, GError **error);
uint32_t _kette_crc32c (uint32_t crc, const void *data, size_t n);

/* tensor formats; each takes the whole file's bytes */
KetteTensor *_kette_npy_parse (GBytes *bytes, GError **error);
KetteTensor *_kette_idx_parse (GBytes *in, GError **error);          /* gz or plain */
KetteTensor *_kette_tensor_pb_parse (GBytes *bytes, GError **error); /* TensorProto  */
