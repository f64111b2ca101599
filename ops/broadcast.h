/* SPDX-License-Identifier: Apache-2.0
 *
 * broadcast.h: ONNX's (NumPy's) broadcasting: the shape rule, and the walk of a kernel over
 * operands of different shapes.
 *
 * A kt_spread cuts the output into items: runs of at most `chunk` elements along which each
 * operand either advances element by element (step 1) or stays where it is (step 0). Items
 * depend on the shapes only, so that results do not depend on the number of threads.
 */
#pragma once
#include "operator.h"

/* Shape rules: inputs 0 .. n-1 broadcast together; the output has input 0's element type, or
 * BOOL. kt_broadcast merges shape B into DIMS; KT_E_SHAPE names the dims that differ. */
kt_status kt_infer_broadcast (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_infer_compare (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_infer_broadcast_as (const kt_host *host, kt_infer *infer, int32_t dtype);
kt_status kt_broadcast (const kt_host *host, const void *ctx, int64_t dims[KT_MAX_RANK],
                        int32_t *ndim, const kt_type *b);

/* One operand along the outer dims. */
typedef struct kt_course
{
  int64_t step, size;          /* along a run: 0 or 1 elements; bytes of an element */
  int64_t stride[KT_MAX_RANK]; /* bytes, per outer dim */
} kt_course;

typedef struct kt_spread
{
  int32_t n, ndim;           /* operands; outer dims that are left after merging */
  int64_t dims[KT_MAX_RANK]; /* outer dims, outermost first */
  int64_t inner, chunk, n_chunks, n_items, grain;
  int64_t out_size; /* bytes of an element of the output */
  kt_course *in;
} kt_spread;

/* For all inputs of the node and its output 0; memory from host->keep. */
kt_status kt_spread_prepare (const kt_host *host, kt_prep *prep, kt_spread *s);

/* A place in the walk over items. */
typedef struct kt_walk
{
  const kt_spread *spread;
  int64_t at[KT_MAX_RANK], row,
      part; /* outer coordinates, their number, chunk of the run */
} kt_walk;

void kt_walk_start (kt_walk *walk, const kt_spread *s, int64_t item);
void kt_walk_next (kt_walk *walk);

/* Number of elements of the item, its first element in the output, and in input I. */
static inline int64_t
kt_walk_count (const kt_walk *walk)
{
  const int64_t rest = walk->spread->inner - walk->part * walk->spread->chunk;

  return rest < walk->spread->chunk ? rest : walk->spread->chunk;
}

static inline int64_t
kt_walk_index (const kt_walk *walk)
{
  return walk->row * walk->spread->inner + walk->part * walk->spread->chunk;
}

static inline void *
kt_walk_out (const kt_walk *walk, const kt_run *run)
{
  return (char *) run->out[0].data + kt_walk_index (walk) * walk->spread->out_size;
}

static inline const void *
kt_walk_in (const kt_walk *walk, const kt_run *run, int32_t i)
{
  const kt_course *in = &walk->spread->in[i];
  int64_t offset      = walk->part * walk->spread->chunk * in->step * in->size;

  for (int32_t d = 0; d < walk->spread->ndim; d++)
    offset += walk->at[d] * in->stride[d];
  return (const char *) run->in[i].data + offset;
}

/* Versions 1-6: attributes broadcast and axis instead of broadcasting. A body that emits
 * the operator named by user. */
kt_status kt_old_broadcast (const kt_host *host, kt_graph *g, void *user);
#define KT_OLD_BROADCAST(NAME)                                                           \
  (const kt_op[])                                                                        \
  {                                                                                      \
    { KT_OLD (NAME, 1, 6), .flags = KT_OP_PURE, .body = kt_old_broadcast,                \
      .user = (void *) (NAME) },                                                         \
    {                                                                                    \
      0                                                                                  \
    }                                                                                    \
  }
