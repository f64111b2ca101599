/* SPDX-License-Identifier: Apache-2.0
 * Public: reading and writing models and tensors.
 */
#pragma once
#include "base/limits.h"
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
 * KetteLoadFlags:
 * @KETTE_LOAD_ALLOW_LINKS: external data may have several names (hard links), and be reached
 *   through symbolic links that end in an allowed folder
 * @KETTE_LOAD_ALLOW_NEWER: try models of a newer IR version or operator set than is known,
 *   with the newest definitions that are
 * @KETTE_LOAD_NO_CHECKSUM: do not compare external data with their checksums
 *
 * What loading lets pass.
 */
typedef enum
{
  KETTE_LOAD_ALLOW_LINKS = 1,
  KETTE_LOAD_ALLOW_NEWER = 2,
  KETTE_LOAD_NO_CHECKSUM = 4
} KetteLoadFlags;

/**
 * KetteLoadOptions:
 * @size: sizeof (KetteLoadOptions)
 * @limits: (nullable): %NULL: the defaults
 * @flags: what is let pass
 * @data_roots: (nullable) (array zero-terminated=1): folders besides the model's own in which
 *   external data may lie
 * @cancellable: (nullable): stops loading; a #KetteDeadline limits its time
 * @fault: (nullable): with it loading goes on behind a fault within the same step, and tells
 *   up to 20 of them; the error is the first
 * @user: for @fault
 *
 * How a model is loaded. A struct of zeros but for @size means the defaults.
 */
typedef struct
{
  gsize size;
  const KetteLimits *limits;
  KetteLoadFlags flags;
  const char *const *data_roots;
  GCancellable *cancellable;
  KetteFaultFunc fault;
  gpointer user;
} KetteLoadOptions;

/**
 * kette_graph_load_full:
 * @file: path of an ONNX model
 * @options: (nullable): how; %NULL: as kette_graph_load()
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the graph
 */
KETTE_EXPORT KetteGraph *kette_graph_load_full (const char *file,
                                                const KetteLoadOptions *options,
                                                GError **error);
/**
 * kette_graph_load_bytes_full:
 * @bytes: an ONNX model
 * @name: (nullable): the FILE of errors; %NULL: `<memory>`
 * @options: (nullable): how; external data are taken from @data_roots only
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the graph
 */
KETTE_EXPORT KetteGraph *kette_graph_load_bytes_full (GBytes *bytes, const char *name,
                                                      const KetteLoadOptions *options,
                                                      GError **error);
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
 * KetteSaveFlags:
 * @KETTE_SAVE_EXTERNAL_DATA: tensors of 4,096 bytes and more go into a file of their own,
 *   NAME-HASH.data beside the model NAME, to which the model refers
 * @KETTE_SAVE_INTERNAL_DATA: all data go into the model, which then may have 2,000,000,000
 *   bytes
 * @KETTE_SAVE_KEEP_OLD: the file that is replaced stays as NAME.1
 * @KETTE_SAVE_CHECKSUMS: sums of the state and of the file as metadata, for checkpoints
 *
 * How a model is saved. With neither of the first two, data lie outside when the model was
 * loaded with external data, or when they do not fit inside.
 */
typedef enum
{
  KETTE_SAVE_EXTERNAL_DATA = 1,
  KETTE_SAVE_INTERNAL_DATA = 2,
  KETTE_SAVE_KEEP_OLD      = 4,
  KETTE_SAVE_CHECKSUMS     = 8
} KetteSaveFlags;

/**
 * KetteSaveOptions:
 * @size: sizeof (KetteSaveOptions)
 * @flags: how
 * @keep: with %KETTE_SAVE_KEEP_OLD, how many replaced files stay, as NAME.1, NAME.2, ..., at
 *   most 99; 0: one
 */
typedef struct
{
  gsize size;
  KetteSaveFlags flags;
  guint keep;
} KetteSaveOptions;

/**
 * kette_graph_save_full:
 * @self: a graph that was loaded or made from a loaded one
 * @file: path of the file to write
 * @options: (nullable): how; %NULL: as kette_graph_save()
 * @error: return location
 *
 * Writes the model atomically, the data before the model that refers to them. Afterwards
 * older data files of that model, to which neither it nor NAME.1 refers, are removed.
 *
 * Returns: %FALSE with `io` and the system's reason, `limit` when the model is too large,
 *   `path` when @file has a name that no model could refer to
 */
KETTE_EXPORT gboolean kette_graph_save_full (KetteGraph *self, const char *file,
                                             const KetteSaveOptions *options,
                                             GError **error);
/**
 * kette_graph_verify:
 * @self: a graph that was loaded
 * @note: (out) (optional) (transfer none): %NULL, or what is no fault but worth knowing
 * @error: return location
 *
 * Compares the file's bytes, or where another program has saved them since, the tensors that
 * training changes, with the checksums that Kette wrote into the file. A file without any is
 * whole as far as one can tell.
 *
 * Returns: %FALSE with `format`: the file is damaged
 */
KETTE_EXPORT gboolean kette_graph_verify (KetteGraph *self, const char **note,
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
