/* SPDX-License-Identifier: Apache-2.0
 * The types of the inputs that a caller feeds.
 */
#include "graph/graph-private.h"

const gint64 *
kette_graph_get_input_type (KetteGraph *self, guint i, int *dtype, int *rank)
{
  const char *name        = kette_graph_get_input_name (self, i);
  const KetteValue *input = name ? _kette_graph_find (self, name) : NULL;
  const gboolean known    = input && input->type.kind == KT_TENSOR;

  *dtype = known ? input->type.dtype : 0;
  *rank  = known ? input->type.ndim : -1;
  return known ? (const gint64 *) input->type.dims : NULL;
}
