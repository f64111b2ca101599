/* SPDX-License-Identifier: Apache-2.0
 * Expanding nodes, for the passes among themselves.
 */
#pragma once
#include "pass/pass.h"

/* Inputs that an earlier expansion replaced are exchanged for their replacements. */
void _kette_node_follow (KetteNode *node);
/* The value that replaces OLD takes its name. */
gboolean _kette_value_inherit (KetteValue *old, GError **error);
/* The first half of the pass inline: expands and leaves replacements to be applied. MARKS:
 * NULL, or by node index: 0 for those that stay as they are. */
gboolean _kette_expand_nodes (KetteGraph *graph, KetteInline mode, const uint8_t *marks,
                              gboolean *changed, GError **error);
/* expand-gradient.c: marks, by node index, what FROM depends on. */
gboolean _kette_mark_ancestors (const KetteGraph *graph, const KetteValue *from,
                                uint8_t *marks, GError **error);
