/* SPDX-License-Identifier: Apache-2.0
 * Public: what differs between two models.
 */
#pragma once
#include "graph/graph.h"

G_BEGIN_DECLS

/**
 * KetteDiffFlags:
 * @KETTE_DIFF_STRUCTURE: do not look at the numbers in parameters
 * @KETTE_DIFF_METADATA: compare metadata, producer, versions of the model and texts, too
 * @KETTE_DIFF_IGNORE_NAMES: other names of parameters, inner values and nodes are no difference
 * @KETTE_DIFF_JSON: a JSON object instead of a readable text
 *
 * How kette_graph_diff() compares and reports.
 */
typedef enum
{
  KETTE_DIFF_STRUCTURE    = 1,
  KETTE_DIFF_METADATA     = 2,
  KETTE_DIFF_IGNORE_NAMES = 4,
  KETTE_DIFF_JSON         = 8
} KetteDiffFlags;

/**
 * KetteDiffOptions:
 * @size: sizeof (KetteDiffOptions)
 * @flags: how
 * @most: differences that are listed of each kind; 0: 20
 * @rtol: relative tolerance for numbers
 * @atol: absolute tolerance for numbers
 *
 * Two numbers a and b are equal where |a - b| <= atol + rtol max (|a|, |b|); NaN equals NaN.
 */
typedef struct
{
  gsize size;
  KetteDiffFlags flags;
  guint most;
  double rtol, atol;
} KetteDiffOptions;

/**
 * kette_graph_diff:
 * @a: a graph
 * @b: another one
 * @options: (nullable): how; %NULL: everything but metadata, exactly
 * @equal: (out) (optional): whether nothing differs
 * @error: return location
 *
 * Compares versions, inputs, outputs, nodes with their attributes and subgraphs, functions,
 * training steps and parameters. A node of @a is paired with the one of @b that makes a value
 * of the same name, or else has the same place among its neighbours: what only has another
 * name is told as renamed.
 *
 * Returns: (transfer full) (nullable): the differences as text
 */
KETTE_EXPORT char *kette_graph_diff (KetteGraph *a, KetteGraph *b,
                                     const KetteDiffOptions *options, gboolean *equal,
                                     GError **error);

G_END_DECLS
