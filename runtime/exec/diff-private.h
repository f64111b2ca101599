/* SPDX-License-Identifier: Apache-2.0
 * The parts of kette_graph_diff:
 *
 *   diff-match.c    pairs the values and nodes of two graphs
 *   diff-node.c     what differs between paired graphs: inputs, outputs, nodes, names
 *   diff-number.c   how far apart the numbers of two tensors are
 *   diff-report.c   the lists, as text or JSON
 *   diff.c          the walk over all graphs of two models
 */
#pragma once
#include "exec/diff.h"
#include "graph/graph-private.h"

/* Two graphs and what of one is what of the other. */
typedef struct
{
  KetteGraph *a, *b;
  size_t parent;             /* the pair around it, or SIZE_MAX */
  KetteValue **to_b, **to_a; /* by index of the value; NULL: no partner */
  KetteNode **node_b, **node_a;
  gboolean alike; /* all nodes have partners that read the same values */
} KettePair;

typedef enum
{
  KETTE_DIFF_MODEL,
  KETTE_DIFF_INPUTS,
  KETTE_DIFF_OUTPUTS,
  KETTE_DIFF_NODES,
  KETTE_DIFF_PARAMETERS,
  KETTE_DIFF_FUNCTIONS,
  KETTE_DIFF_TRAINING,
  KETTE_DIFF_NAMES,
  KETTE_DIFF_META,
  KETTE_DIFF_SECTIONS
} KetteDiffSection;

/* How far two tensors of one type are apart. */
typedef struct
{
  double max_abs, max_rel; /* of numbers that differ */
  double norm;             /* |b - a| / |a|, Euclidean; -1: no number or a is 0 */
  size_t differing, count; /* beyond the tolerance; all */
} KetteDistance;

typedef struct
{
  const char *where; /* "" or the graph around it */
  const char *name, *new_name;
  const KetteTensor *a, *b; /* NULL: not there */
  KetteDistance distance;
} KetteParameterDiff;

typedef struct
{
  KetteDiffOptions options;
  GString *lists[KETTE_DIFF_SECTIONS];
  size_t counts[KETTE_DIFF_SECTIONS];
  size_t n_nodes, n_added, n_removed, n_changed, n_renamed; /* nodes */
  KetteParameterDiff *parameters;
  size_t n_parameters, parameters_capacity;
  size_t n_compared;   /* parameters that were looked at */
  double largest;      /* difference within the tolerance */
  KetteRegion *region; /* of small texts */
} KetteDiff;

/* diff-match.c */
gboolean _kette_pair_init (KettePair *pair, KetteGraph *a, KetteGraph *b,
                           const KettePair *parent, GError **error);
void _kette_pair_clear (KettePair *pair);

/* diff-node.c */
gboolean _kette_diff_graphs (KetteDiff *d, const KettePair *pair, GError **error);

/* diff-attr.c: appends what differs between the attributes of paired nodes; FALSE: nothing. */
gboolean _kette_diff_attributes (KetteDiff *d, const KetteNode *a, const KetteNode *b,
                                 GString *out);
/* A float tensor that a node Constant holds, or NULL: it is a parameter in all but form. */
const kt_tensor *_kette_diff_constant (const KetteNode *node);

/* diff-number.c: tensors of equal type and shape. */
void _kette_distance (KetteDistance *out, const KetteTensor *a, const KetteTensor *b,
                      double rtol, double atol, double *largest);
/* A tensor over the memory of a view, for reading. */
void _kette_tensor_shell (KetteTensor *out, const kt_tensor *view);

/* diff-report.c */
void _kette_diff_tell (KetteDiff *d, KetteDiffSection section, char change,
                       const char *where, const char *format, ...) G_GNUC_PRINTF (5, 6);
char *_kette_diff_finish (KetteDiff *d, const KetteGraph *a, const KetteGraph *b,
                          gboolean *equal);
