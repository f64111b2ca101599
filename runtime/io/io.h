/* SPDX-License-Identifier: Apache-2.0
 * Public: reading and writing models and tensors.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * kette_graph_load:
 * @file: path of an ONNX model
 * @error: return location
 *
 * Reads and checks a model file. The bytes are untrusted: whatever they are, the result is a
 * graph or an error.
 *
 * Returns: (transfer full) (nullable): the graph
 */
KETTE_EXPORT KetteGraph *kette_graph_load (const char *file, GError **error);
/**
 * kette_graph_load_bytes:
 * @bytes: an ONNX model
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the graph; errors name the file `<memory>`
 */
KETTE_EXPORT KetteGraph *kette_graph_load_bytes (GBytes *bytes, GError **error);
/**
 * kette_graph_save:
 * @self: a graph that was loaded or made from a loaded one
 * @file: path of the file to write
 * @error: return location
 *
 * Writes the model atomically: afterwards the old or the new file is there, whole.
 *
 * Returns: %FALSE with `io` and the system's reason
 */
KETTE_EXPORT gboolean kette_graph_save (KetteGraph *self, const char *file,
                                        GError **error);
/**
 * kette_tensor_load:
 * @file: path of an .npy file, an ONNX TensorProto (.pb), or an IDX file (.gz or not)
 * @error: return location
 *
 * The kind is told by the content, not by the name.
 *
 * Returns: (transfer full) (nullable): the tensor
 */
KETTE_EXPORT KetteTensor *kette_tensor_load (const char *file, GError **error);
/**
 * kette_tensor_save:
 * @self: a tensor
 * @file: path; ".pb" writes a TensorProto, everything else NPY version 1
 * @error: return location
 *
 * Returns: %FALSE with `io` and the system's reason
 */
KETTE_EXPORT gboolean kette_tensor_save (KetteTensor *self, const char *file,
                                         GError **error);

G_END_DECLS
