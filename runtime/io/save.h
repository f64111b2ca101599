/* SPDX-License-Identifier: Apache-2.0
 * From KetteModel and KetteGraph back to messages. What came from a file and is unchanged is
 * the file's own message; the rest is made in a region that lives until the bytes are
 * written. Numbers are pointed to, not copied.
 */
#pragma once
#include "io/build.h"
#include "io/io-private.h"

#define KETTE_DATA_LEAST 4096 /* smaller tensors stay in the model; also the alignment */

typedef struct
{
  KetteRegion *region;
  KetteModel *model;
  const KetteMessage *message; /* the file's, or NULL */
  gboolean new_initializer;    /* one was made that is no input: needs IR 4 */
  gboolean outside;            /* large data go into a file of their own */
  GError *doubt; /* memory ran out where the file was compared with what is now */
} KetteSaver;

/* Takes ERROR, for which something could not be compared. Only `memory` is kept: what cannot
 * be read differs, but what fits into no memory may be the same. */
static inline void
_kette_saver_doubt (KetteSaver *s, GError *error)
{
  if (!s->doubt && g_error_matches (error, KETTE_ERROR, KETTE_ERROR_MEMORY))
    s->doubt = error;
  else
    g_clear_error (&error);
}

/* proto-tensor.c */
Onnx__TensorProto *_kette_tensor_to_proto (KetteRegion *region, const KetteTensor *tensor,
                                           const char *name, GError **error);
/* Like OLD (may be NULL) but with this name and content; OLD itself when it says that. */
Onnx__TensorProto *_kette_saver_tensor (KetteSaver *s, const Onnx__TensorProto *old,
                                        const KetteTensor *tensor, const char *name,
                                        GError **error);
/* Gives PROTO the content of TENSOR in place of its own. */
gboolean _kette_saver_content (KetteSaver *s, Onnx__TensorProto *proto,
                               const KetteTensor *tensor, GError **error);
/* Does the sparse tensor OLD say what VALUE holds? */
gboolean _kette_saver_same_sparse (KetteSaver *s, const Onnx__SparseTensorProto *old,
                                   const KetteValue *value);
/* The file's sparse tensor under another name. */
Onnx__SparseTensorProto *_kette_saver_sparse (KetteSaver *s, const KetteSparse *sparse,
                                              const char *name, GError **error);

/* proto-type.c: NULL without an error for a type that is not known. */
Onnx__TypeProto *_kette_type_to_proto (KetteSaver *s, const kt_type *type,
                                       GError **error);
Onnx__ValueInfoProto *_kette_saver_info (KetteSaver *s, const Onnx__ValueInfoProto *old,
                                         const KetteValue *value, GError **error);

/* proto-node.c: with the attribute's subgraphs left empty; they are filled by the caller. */
Onnx__NodeProto *_kette_saver_node (KetteSaver *s, const KetteNode *node, GError **error);
Onnx__AttributeProto *_kette_saver_attr (KetteSaver *s, const kt_attr *attr,
                                         GError **error);
/* The name under which a value is known in the file. */
const char *_kette_saver_name (const KetteValue *value);

/* proto-graph.c: a graph with all its subgraphs. */
Onnx__GraphProto *_kette_saver_graph (KetteSaver *s, KetteGraph *graph, GError **error);
/* proto-function.c */
Onnx__FunctionProto *_kette_saver_function (KetteSaver *s, const KetteFunction *function,
                                            GError **error);
Onnx__TrainingInfoProto *_kette_saver_training (KetteSaver *s,
                                                const KetteTraining *training,
                                                GError **error);
Onnx__StringStringEntryProto *_kette_saver_entry (KetteSaver *s, const char *key,
                                                  const char *value, GError **error);

/* checksum.c */
#define KETTE_SHA256_ENTRY 82
size_t _kette_sha256_entry (const char *hex, uint8_t out[KETTE_SHA256_ENTRY]);
