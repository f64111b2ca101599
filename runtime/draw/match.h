/* SPDX-License-Identifier: Apache-2.0
 * The nodes and values of a plan, found again at the boxes of a picture.
 */
#pragma once
#include "draw/draw-private.h"
#include "exec/plan.h"

#define KETTE_NO_BOX (-1)

typedef struct
{
  KetteView *view;
  const KettePlan *plan;
  GHashTable *values, *nodes; /* name -> box + 1; 0: several have that name */
  uint32_t *root;             /* by value: of which one it is a copy */
  gint *box_of_root;          /* by value: that it is known as */
  gint *box_of_node;          /* by node */
  guint8 *hidden;             /* by node: a copy that nothing shows yet */
} KetteMatch;

/* VIEW and PLAN of an empty F are set; clear it also on failure. */
gboolean _kette_match_init (KetteMatch *f, GError **error);
void _kette_match_clear (KetteMatch *f);
/* The box of a value that is drawn. */
gint _kette_match_find (const KetteMatch *f, const char *name);
/* Does NODE copy, so that what comes out is what goes in, elsewhere or otherwise arranged? */
gboolean _kette_match_passes_on (const KetteNode *node);
/* Does NODE belong to the backward pass? */
gboolean _kette_match_is_backward (const KetteNode *node);
