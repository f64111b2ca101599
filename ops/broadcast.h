/* SPDX-License-Identifier: Apache-2.0
 *
 * broadcast.h: ONNX's (NumPy's) broadcasting: the shape rule, and the walk of a kernel over
 * operands of different shapes.
 *
 * A kt_spread is the shapes of a node's operands with dims merged where all of them go on
 * alike. A walk over elements begin .. end - 1 of the output takes them in runs along which each
 * operand either advances element by element (step 1) or stays where it is (step 0).
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
  int64_t inner, count;      /* elements of a whole run, of the output */
  int64_t out_size;          /* bytes of an element of the output */
  kt_course *in;
} kt_spread;

/* About 10-25 us of work: the pieces in which a loop over elements is shared among threads. */
#define KT_PIECE 32768

/* For the node's output 0 and its first N inputs, which S->in has room for, zeroed. */
kt_status kt_spread_plan (const kt_host *host, const void *ctx, int32_t n, kt_spread *s);
/* For all inputs; memory from host->keep. */
kt_status kt_spread_prepare (const kt_host *host, kt_prep *prep, kt_spread *s);
/* BODY for all elements of the output, in pieces where that is worth it. */
kt_status kt_spread_run (const kt_host *host, kt_run *run, const kt_spread *s,
                         kt_body *body, void *arg);

/* A place in the walk: */
typedef struct kt_walk
{
  const kt_spread *spread;
  int64_t index, count,
      end;        /* first element; elements from there on; where the walk ends */
  int64_t offset; /* of the first element in its run */
  int64_t at[KT_MAX_RANK]; /* outer coordinates */
} kt_walk;

/* for (kt_walk_start (&walk, s, begin, end); walk.count > 0; kt_walk_next (&walk)) */
void kt_walk_start (kt_walk *walk, const kt_spread *s, int64_t begin, int64_t end);
void kt_walk_next (kt_walk *walk);

/* The first element in the output, and in input I. */
static inline void *
kt_walk_out (const kt_walk *walk, const kt_run *run)
{
  return (char *) run->out[0].data + walk->index * walk->spread->out_size;
}

static inline const void *
kt_walk_in (const kt_walk *walk, const kt_run *run, int32_t i)
{
  const kt_course *in = &walk->spread->in[i];
  int64_t offset      = walk->offset * in->step * in->size;

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
