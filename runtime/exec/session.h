/* SPDX-License-Identifier: Apache-2.0
 * Public: sessions run graphs.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * KetteSession:
 *
 * A graph made ready to run: checked, simplified, planned. Plans are made per combination
 * of input shapes and kept. Runs of one session from several threads are fine.
 */
typedef struct _KetteSession KetteSession;
#define KETTE_TYPE_SESSION (kette_session_get_type ())
KETTE_EXPORT GType kette_session_get_type (void);

/**
 * kette_session_new:
 * @graph: a graph
 * @error: return location
 *
 * Returns: (transfer full) (nullable): a session for the graph's outputs
 */
KETTE_EXPORT KetteSession *kette_session_new (KetteGraph *graph, GError **error);
/**
 * KetteSessionFlags:
 * @KETTE_SESSION_NO_NATIVE: operators that have a body run as their body, kernels or not
 * @KETTE_SESSION_FOLD_DEFAULTS: inputs with a default are constants and cannot be fed
 * @KETTE_SESSION_FEED_DEFAULTS: inputs with a default can be fed whatever the file's version;
 *   without it, in models of IR version 3 and older they are constants, because those versions
 *   list every weight as an input
 * @KETTE_SESSION_NO_FUSION: each node runs on its own; the results are the same bits
 * @KETTE_SESSION_TF32: products and convolutions of float32 round their factors to tf32 (11
 *   significant bits) on devices that have it; sums and results stay float32
 * @KETTE_SESSION_BF16: likewise to bfloat16 (8 bits), or to tf32 where that is the nearest that a
 *   device has
 *
 * How a session is made.
 */
typedef enum
{
  KETTE_SESSION_NO_NATIVE     = 1,
  KETTE_SESSION_FOLD_DEFAULTS = 2,
  KETTE_SESSION_FEED_DEFAULTS = 4,
  KETTE_SESSION_NO_FUSION     = 8,
  KETTE_SESSION_TF32          = 16,
  KETTE_SESSION_BF16          = 32
} KetteSessionFlags;
/**
 * kette_session_flags_for_precision:
 * @name: (nullable): "f32", "tf32" or "bf16"; %NULL: "f32"
 * @flags: (out): 0, %KETTE_SESSION_TF32 or %KETTE_SESSION_BF16
 * @error: return location
 *
 * Returns: %FALSE with `value` if there is no such precision
 */
KETTE_EXPORT gboolean kette_session_flags_for_precision (const char *name,
                                                         KetteSessionFlags *flags,
                                                         GError **error);
/**
 * kette_session_new_with_flags:
 * @graph: a graph
 * @flags: how
 * @error: return location
 *
 * Returns: (transfer full) (nullable): a session for the graph's outputs
 */
KETTE_EXPORT KetteSession *kette_session_new_with_flags (KetteGraph *graph,
                                                         KetteSessionFlags flags,
                                                         GError **error);
/**
 * kette_session_new_on:
 * @graph: a graph
 * @flags: how
 * @device: (nullable): where nodes are executed: "cpu", "cuda", "guard:1"; "auto": where it
 *   costs least; %NULL: "cpu"
 * @place: (nullable) (array zero-terminated=1): exceptions, "PATTERN=DEVICE", the first that
 *   fits counts; the glob is compared with a node's name and with its operator
 * @error: return location
 *
 * Nodes that a device has no kernel for are executed on the CPU, which computes float32 exactly
 * whatever @flags say of precision; kette_session_explain() tells of each node.
 *
 * Returns: (transfer full) (nullable): a session for the graph's outputs; `device` if there is
 *   no such device, or if @flags ask for a precision that none of the devices named has
 */
KETTE_EXPORT KetteSession *kette_session_new_on (KetteGraph *graph,
                                                 KetteSessionFlags flags,
                                                 const char *device,
                                                 const char *const *place,
                                                 GError **error);
KETTE_EXPORT KetteSession *kette_session_ref (KetteSession *self);
KETTE_EXPORT void kette_session_unref (KetteSession *self);
/**
 * kette_session_run:
 * @self: a session
 * @inputs: (array): one tensor per input of the graph, in order; %NULL for an input with a default
 * @outputs: (out caller-allocates) (array): one tensor per output, in order, each (transfer full)
 * @cancellable: (nullable): stops the run, between two steps or within one; a #KetteDeadline
 *   also after a time
 * @error: return location
 *
 * Returns: %FALSE with an error that names the node
 */
KETTE_EXPORT gboolean kette_session_run (KetteSession *self, KetteTensor *const *inputs,
                                         KetteTensor **outputs, GCancellable *cancellable,
                                         GError **error);
/**
 * kette_session_run_with_defaults:
 * @self: a session
 * @inputs: (array): one tensor per input of the graph, in order
 * @defaults: (array) (nullable): one per input that has a default
 *   (kette_graph_get_n_defaults()), in order; %NULL entries keep it
 * @outputs: (out caller-allocates) (array): one tensor per output, in order, each (transfer full)
 * @cancellable: (nullable): stops the run between two steps
 * @error: return location
 *
 * Returns: %FALSE with an error that names the input or the node
 */
KETTE_EXPORT gboolean kette_session_run_with_defaults (
    KetteSession *self, KetteTensor *const *inputs, KetteTensor *const *defaults,
    KetteTensor **outputs, GCancellable *cancellable, GError **error);
/**
 * kette_session_explain:
 * @self: a session
 * @inputs: (array): as for kette_session_run()
 * @defaults: (array) (nullable): as for kette_session_run_with_defaults()
 * @error: return location
 *
 * What a run with these inputs would do: a line per step; with devices also where and why, each
 * copy with its bytes, and what is on the CPU though another device was asked for.
 *
 * Returns: (transfer full) (nullable): readable text
 */
KETTE_EXPORT char *kette_session_explain (KetteSession *self, KetteTensor *const *inputs,
                                          KetteTensor *const *defaults, GError **error);
/**
 * kette_session_find_idle_places:
 * @self: a session that has run
 *
 * The rules of @place (kette_session_new_on()) that fitted no node the last time: names that
 * were misspelt, most likely.
 *
 * Returns: (transfer full): a sentence that names them; "" if there are none
 */
KETTE_EXPORT char *kette_session_find_idle_places (KetteSession *self);
/**
 * kette_graph_explain:
 * @self: a graph
 * @flags: how
 * @device: (nullable): as kette_session_new_on() has it
 * @place: (nullable) (array zero-terminated=1): likewise
 * @error: return location
 *
 * The same for inputs whose open dims are 1.
 *
 * Returns: (transfer full) (nullable): readable text
 */
KETTE_EXPORT char *kette_graph_explain (KetteGraph *self, KetteSessionFlags flags,
                                        const char *device, const char *const *place,
                                        GError **error);
/**
 * kette_set_threads:
 * @threads: threads for kernels, the caller included; 0: all that the process may use
 */
KETTE_EXPORT void kette_set_threads (int threads);
/**
 * kette_set_spin:
 * @microseconds: how long threads without work look for some before they sleep (30); 0: they
 *   sleep at once, which leaves processors to others and makes short loops slower
 */
KETTE_EXPORT void kette_set_spin (int microseconds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (KetteSession, kette_session_unref)
G_END_DECLS
