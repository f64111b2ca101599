/* SPDX-License-Identifier: Apache-2.0
 * What a node reads: its inputs, then what its subgraphs take from the graph it is in.
 */
#pragma once
#include "graph/graph-private.h"

typedef struct
{
  const KetteNode *node;
  int32_t input, attr;
  size_t value; /* of the subgraph of attr */
} KetteReads;

/* The next value, as often as it is read; NULL: no more. */
static inline KetteValue *
_kette_reads_next (KetteReads *r)
{
  const KetteNode *node = r->node;

  while (r->input < node->n_in)
    {
      KetteValue *value = node->in[r->input++];
      if (value)
        return value;
    }
  for (; node->subgraphs && r->attr < node->n_attrs; r->attr++, r->value = 0)
    {
      const KetteGraph *sub = node->subgraphs[r->attr];

      while (sub && r->value < sub->n_values)
        {
          KetteValue *outer = sub->values[r->value++]->outer;
          if (outer && outer->graph == node->graph)
            return outer;
        }
    }
  return NULL;
}
