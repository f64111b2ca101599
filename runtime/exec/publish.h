/* SPDX-License-Identifier: Apache-2.0
 * Graphs that passes changed and that are to be saved.
 */
#pragma once
#include "graph/graph-private.h"

/* Constants that passes made are written as initializers. */
void _kette_graph_mark_constants (KetteGraph *graph);
/* Nodes that passes made get names of their own; what the file named stays. */
gboolean _kette_graph_name_nodes (KetteGraph *graph, GError **error);
