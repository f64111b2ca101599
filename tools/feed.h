/* SPDX-License-Identifier: Apache-2.0
 * Inputs of a graph from NAME=FILE words.
 */
#pragma once
#include "verbs.h"

/* One tensor per input of GRAPH, in order, behind them one per input with a default, NULL
 * where that is kept; free with kette_tool_free_tensors. WORDS: NULL or
 * NAME=FILE..., a bare FILE where the graph has one input. FIRST: only so many rows of each,
 * 0: all. NULL with *status set on failure. */
KetteTensor **kette_tool_feed (KetteGraph *graph, char *const *words, int first,
                               int *status);
void kette_tool_free_tensors (KetteTensor **tensors, guint n);
