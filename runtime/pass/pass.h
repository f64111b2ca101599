/* SPDX-License-Identifier: Apache-2.0
 * The passes: each takes a graph, in place, from one state to the next.
 *
 *   check      operators, versions, arity, attributes resolved against the registry
 *   canonical  superseded versions replaced by their newest form
 *   inline     model functions, and operators without a kernel, replaced by their bodies
 *   infer      element types and shapes of all values
 *   gradient   adds the nodes of dE/dx
 *   fold       nodes with constant inputs replaced by their results
 *
 * Callers give a copy (_kette_graph_clone) where the original must stay as it was.
 */
#pragma once
#include "graph/graph-private.h"
#include "op/registry.h"

gboolean _kette_pass_check (KetteGraph *graph, GError **error);
gboolean _kette_pass_canonical (KetteGraph *graph, GError **error);

typedef enum
{
  KETTE_INLINE_NEEDED, /* what no kernel serves: model functions, operators with a body only */
  KETTE_INLINE_FUNCTIONS, /* as NEEDED, and what has neither gradient nor kernel on a float path */
  KETTE_INLINE_STANDARD, /* everything outside domain ""                                    */
  KETTE_INLINE_BODIES /* every operator that has a body, kernels or not (--no-native)     */
} KetteInline;
gboolean _kette_pass_inline (KetteGraph *graph, KetteInline mode, GError **error);

gboolean _kette_pass_infer (KetteGraph *graph, GError **error);

/* Runs NODES (all inputs constant) and stores each output's content in its data. */
typedef gboolean (*KetteEvaluate) (KetteGraph *graph, KetteNode *const *nodes, size_t n,
                                   GError **error);
/* Values with flag STATE are never folded, nor initializers when KEEP_INITIALIZERS. */
gboolean _kette_pass_fold (KetteGraph *graph, gboolean keep_initializers,
                           KetteEvaluate evaluate, GError **error);

/* Adds the nodes that compute the derivative of the sum of TARGET's elements by each of
 * WRT, times SEED where it is not NULL. grads[i]: the gradient value (named grad/NAME where
 * free), zeros where TARGET does not depend on wrt[i]. Needs inferred types. */
gboolean _kette_pass_gradient (KetteGraph *graph, KetteValue *target, KetteValue *seed,
                               KetteValue *const *wrt, size_t n_wrt, KetteValue **grads,
                               GError **error);
/* Expands every Gradient node of ai.onnx.preview.training. */
gboolean _kette_pass_expand_gradients (KetteGraph *graph, GError **error);

/* The step of training info I as one graph: a copy of the main graph with the algorithm's
 * nodes behind it. Inputs: those of the graph, then those of the algorithm; outputs: those
 * of the algorithm (the loss first). updates[k] (n = info's n_update, freed by the caller
 * with _kette_free): key = the initializer in the new graph, flagged STATE; value = its new
 * content. Gradient nodes are expanded. */
KetteGraph *_kette_pass_training (KetteGraph *graph, size_t i, KetteBinding **updates,
                                  GError **error);

/* check, canonical, inline NEEDED, infer on a copy: what sessions, info and draw start from. */
KetteGraph *_kette_pass_prepare (KetteGraph *graph, GError **error);
/* The float initializers that training changes by default: at parameter places of their
 * consumers (training.md section 7); *params freed with _kette_free. */
gboolean _kette_pass_trainable (KetteGraph *graph, KetteValue ***params, size_t *n,
                                GError **error);
/* Frees a batch dimension that an exporter fixed: dim 0 of every fed input becomes the
 * symbol "N" where all nodes allow it; *freed tells. The error names the node that fixes it. */
gboolean _kette_pass_free_batch (KetteGraph *graph, gboolean *freed, GError **error);
/* Every operator of domain kette that the model uses gets its body as a model function, for
 * runtimes that do not know the domain; before saving. */
gboolean _kette_pass_export_functions (KetteGraph *graph, GError **error);
