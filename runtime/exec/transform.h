/* SPDX-License-Identifier: Apache-2.0
 * Public: checking, describing and differentiating graphs.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * kette_graph_check:
 * @self: a graph
 * @structure: judge only what needs no plugin: operators that nobody provides are accepted
 * @error: return location
 *
 * What a session would check before its first run: operators, versions, attributes, types,
 * shapes, and the bindings of the training steps.
 *
 * Returns: %FALSE with the first fault
 */
KETTE_EXPORT gboolean kette_graph_check (KetteGraph *self, gboolean structure,
                                         GError **error);
/**
 * kette_graph_check_full:
 * @self: a graph
 * @structure: as for kette_graph_check(); what can be inferred around unknown operators is
 *   judged, too
 * @fault: (nullable) (scope call): receives up to 20 faults of the same step, in order
 * @user: for @fault
 * @error: return location
 *
 * As kette_graph_check(), but behind a fault it goes on within the same step: operators and
 * their attributes, then types and shapes, then training steps. What only follows from a fault
 * that was told is not told.
 *
 * Returns: %FALSE with the first fault
 */
KETTE_EXPORT gboolean kette_graph_check_full (KetteGraph *self, gboolean structure,
                                              KetteFaultFunc fault, gpointer user,
                                              GError **error);
/**
 * kette_graph_list_missing:
 * @self: a graph
 * @error: return location
 *
 * The operators that no loaded plugin provides, in the graph, its subgraphs, the functions
 * that it calls and its training steps: `com.example:Foo (3 nodes), Bar (1 node)`.
 *
 * Returns: (transfer full) (nullable): the text, "" where none is missing; %NULL with `memory`
 */
KETTE_EXPORT char *kette_graph_list_missing (KetteGraph *self, GError **error);
/**
 * kette_graph_describe:
 * @self: a graph
 * @json: a JSON object instead of a readable text
 * @error: return location
 *
 * Inputs, outputs, parameters with their counts, operators by number, versions, producer,
 * memory plan (where all shapes are known, with 1 for symbolic dims), training steps.
 *
 * Returns: (transfer full) (nullable): the text
 */
KETTE_EXPORT char *kette_graph_describe (KetteGraph *self, gboolean json, GError **error);

/**
 * KetteGradientFlags:
 * @KETTE_GRADIENT_STANDARD: only operators of ONNX's own domain, opset 18 or later
 * @KETTE_GRADIENT_RAISE_OPSET: rewrite a graph of an older opset to opset 18
 *
 * How kette_graph_add_gradients() writes the backward pass.
 */
typedef enum
{
  KETTE_GRADIENT_STANDARD    = 1,
  KETTE_GRADIENT_RAISE_OPSET = 2
} KetteGradientFlags;

/**
 * kette_graph_add_gradients:
 * @self: a graph; it is changed
 * @of: (nullable): the value to differentiate; %NULL: the only scalar output, else the only
 *   output, whose elements are summed
 * @wrt: (array zero-terminated=1) (nullable): globs of inputs and parameters; %NULL: all
 *   trainable parameters
 * @flags: how
 * @error: return location
 *
 * Adds the nodes of the backward pass and, for each value in @wrt, an output `grad/NAME`
 * with the gradient of the sum of @of's elements.
 *
 * Returns: %FALSE with `unsupported` where an operator has no gradient; @self is as it was
 *   then, except after `memory`, when it is of no use any more
 */
KETTE_EXPORT gboolean kette_graph_add_gradients (KetteGraph *self, const char *of,
                                                 const char *const *wrt,
                                                 KetteGradientFlags flags,
                                                 GError **error);

/**
 * kette_graph_raise_opset:
 * @self: a graph; it is changed
 * @opset: the version of ONNX's operators that the model is to import
 * @error: return location
 *
 * Rewrites the model, with its subgraphs, functions and training steps, for a newer operator
 * set. Nodes whose definition is the same there stay as they are; the others are replaced by
 * nodes that compute the same.
 *
 * Returns: %FALSE with `unsupported`, naming the node, where that cannot be done; @self is
 *   of no use then
 */
KETTE_EXPORT gboolean kette_graph_raise_opset (KetteGraph *self, int opset,
                                               GError **error);
/**
 * kette_graph_strip_training:
 * @self: a graph; it is changed
 * @error: return location
 *
 * Takes away the training steps, what only they use, and what is noted about the state of
 * training. The parameters stay.
 *
 * Returns: %FALSE when memory ran out
 */
KETTE_EXPORT gboolean kette_graph_strip_training (KetteGraph *self, GError **error);

G_END_DECLS
