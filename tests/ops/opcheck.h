/* SPDX-License-Identifier: Apache-2.0
 * Graphs of one node, for the checks of a case.
 */
#pragma once
#include "case.h"

typedef enum
{
  OPCHECK_CONSTANT      = 1, /* all inputs are constants */
  OPCHECK_CONSTANT_INTS = 2  /* integer inputs are       */
} OpcheckMode;

/* The case's node; inputs x0, x1, ..., outputs y0, y1, ... */
KetteGraph *opcheck_graph (const Case *c, KetteTensor *const *in, OpcheckMode mode,
                           GError **error);
/* Runs it; IN by the case's positions. */
gboolean opcheck_run (KetteGraph *graph, KetteTensor *const *in, int n_in,
                      gboolean no_native, KetteTensor **out, GError **error);
