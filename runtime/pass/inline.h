/* SPDX-License-Identifier: Apache-2.0
 * Expanding nodes, for the passes among themselves.
 */
#pragma once
#include "pass/pass.h"

/* Inputs that an earlier expansion replaced are exchanged for their replacements. */
void _kette_node_follow (KetteNode *node);
/* The values that replace the outputs of NODE, which was expanded, take their names. */
gboolean _kette_outputs_inherit (const KetteNode *node, GError **error);
/* The first half of the pass inline: expands and leaves replacements to be applied. MARKS:
 * NULL, or by node index: 0 for those that stay as they are. */
gboolean _kette_expand_nodes (KetteGraph *graph, KetteInline mode, const uint8_t *marks,
                              KetteFaults *faults, gboolean *changed, GError **error);
/* expand-gradient.c: marks, by node index, what FROM depends on. */
gboolean _kette_mark_ancestors (const KetteGraph *graph, const KetteValue *from,
                                uint8_t *marks, GError **error);

/* check.c, for passes that go on behind a fault. Takes *FAULT: TRUE: it is on the list, or the
 * graph asks for as much as can be had; FALSE: it is *ERROR now. */
gboolean _kette_pass_go_on (const KetteGraph *graph, KetteFaults *faults, GError **fault,
                            GError **error);
/* The same for NODE, whose outputs become unknown; nodes from N_BEFORE on, which its expansion
 * left, are killed. EXCUSED: it is no fault of its own and is not told. */
gboolean _kette_pass_forgive (KetteNode *node, size_t n_before, gboolean excused,
                              KetteFaults *faults, GError **fault, GError **error);
/* It has a fault: nothing is known of what NODE makes (VAGUE: why). */
void _kette_node_give_up (KetteNode *node);
/* Does it read something of which too little is known because of another node? */
gboolean _kette_node_is_vague (const KetteNode *node);
