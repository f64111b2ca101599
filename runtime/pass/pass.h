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

/* Names of values and nodes that training copies from the main graph into the algorithm begin
 * with it, a slash behind (or "_2/", "_3/", ... where the model has such names itself). */
#define KETTE_TRAINING_PREFIX "train"
/* The value of MAIN that VALUE of an algorithm is such a copy of; NULL: it is none. */
KetteValue *_kette_training_original (const KetteGraph *main, const KetteValue *value);
/* The same graph as _kette_pass_training gives, for outputs VALUES (of the main graph or of the
 * algorithm) alone, and with the originals in the place of such copies. */
KetteGraph *_kette_pass_evaluation (KetteGraph *graph, size_t i,
                                    KetteValue *const *values, size_t n, GError **error);

/* Passes that go on: a node that fails is told to FAULTS (NULL: the first fault ends the pass),
 * what it makes is unknown from then on, and what follows from that is no fault. TRUE even
 * then. A tolerant graph may hold nodes that nobody provides. */
gboolean _kette_pass_canonical_all (KetteGraph *graph, KetteFaults *faults,
                                    GError **error);
gboolean _kette_pass_inline_all (KetteGraph *graph, KetteInline mode, KetteFaults *faults,
                                 GError **error);
gboolean _kette_pass_infer_all (KetteGraph *graph, KetteFaults *faults, GError **error);

/* examine.c: judges a graph with its subgraphs, functions and training steps, as TOLERANCE
 * says, and returns a copy with types as far as they can be found. FAULTS may hold some then;
 * a step that has any is the last one, but for best effort. NULL: *ERROR is why not even that
 * can be had. */
KetteGraph *_kette_pass_examine (KetteGraph *graph, int tolerance, KetteFaults *faults,
                                 GError **error);

/* reach.c: the graphs of a model that come into play when GRAPH does: itself, subgraphs,
 * training steps, the bodies of functions that are called; an enclosing one before an inner
 * one. With ALL the functions that nobody calls, too. */
typedef struct
{
  KetteGraph **graphs;
  size_t n, capacity;
  size_t n_own; /* the first ones: GRAPH and its subgraphs */
} KetteReach;
gboolean _kette_reach_init (KetteReach *reach, KetteGraph *graph, gboolean all,
                            GError **error);
void _kette_reach_clear (KetteReach *reach);
/* The operators in use, the most frequent first; freed with _kette_free. */
typedef struct
{
  const char *domain, *op;
  size_t n, n_own;  /* nodes; of them in GRAPH and its subgraphs */
  gboolean missing; /* nobody here provides it */
} KetteTally;
/* "com.example:Foo", in quotes where it holds more than words may. */
const char *_kette_tally_name (const KetteTally *row, KetteQuoted *out);
gboolean _kette_pass_tally (KetteGraph *graph, KetteTally **rows, size_t *n,
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
