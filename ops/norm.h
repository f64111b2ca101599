/* SPDX-License-Identifier: Apache-2.0
 *
 * norm.h: the family of normalizations with statistics per channel: mean and variance of
 * slices, and the maps that use them. X is seen as [rows, channels, inner].
 *
 * A channel is cut into blocks of at most 4,096 elements that stay in the first cache. The
 * moments of a block are taken in two passes, the second one around the first one's mean, and
 * blocks are joined in double (Chan, Golub, LeVeque 1979): memory is read once, and nothing
 * cancels. The order of all sums follows from the shape.
 */
#pragma once
#include "emit.h"

#define KT_NORM_COLUMNS 32 /* channels that are worked on together where inner is 1 */

typedef struct kt_norm
{
  int32_t dtype;
  int64_t rows, channels, inner;
  int64_t grain; /* channels of a piece of work */
} kt_norm;

/* Of a channel: elements, mean of x, sum of (x - mean)^2; sum of dy, of dy (x - mean). */
typedef struct kt_moments
{
  double n, mean, m2, sum, dot;
} kt_moments;

/* X = [rows, channels, inner]. */
void kt_norm_init (kt_norm *s, int32_t dtype, int64_t rows, int64_t channels,
                   int64_t inner);
/* The same for X of type T with channels along dim 1; a vector has one channel. */
void kt_norm_of_type (kt_norm *s, const kt_type *t);
static inline int64_t
kt_norm_channels_of (const kt_type *t)
{
  return t->ndim < 0 ? KT_DIM (0) : t->ndim < 2 ? 1 : t->dims[1];
}

/* What is done with N <= KT_NORM_COLUMNS channels from FIRST on. */
typedef void kt_norm_work (void *job, int64_t first, int64_t n);
/* Calls WORK for all channels, in pieces. */
kt_status kt_norm_run (const kt_host *host, kt_run *run, const kt_norm *s,
                       kt_norm_work *work, void *job);

/* The moments of N channels; DY may be NULL. */
void kt_norm_moments (const kt_norm *s, const void *x, const void *dy, int64_t first,
                      int64_t n, kt_moments *out);

/* y = (x - m) a + b with the constants of a channel; with DY: y = (x - m) a + b + dy c. */
typedef struct kt_norm_line
{
  double m, a, b, c;
} kt_norm_line;
void kt_norm_map (const kt_norm *s, const void *x, const void *dy, void *y, int64_t first,
                  int64_t n, const kt_norm_line *line);

/* Element I of a float tensor of element type DTYPE. */
double kt_norm_get (int32_t dtype, const void *data, int64_t i);
void kt_norm_set (int32_t dtype, void *data, int64_t i, double v);

/* Input I is a vector of as many elements as X has channels: KT_E_SHAPE if not. */
kt_status kt_norm_check_vector (const kt_host *host, const void *ctx, int32_t i,
                                const char *name, int64_t channels);

/* Nodes (norm-nodes.c): V, a vector of one number per channel, in a shape that broadcasts against X of rank
 * NDIM; the axes of the statistics. */
kt_value kt_norm_along (const kt_host *host, kt_graph *g, kt_value v, int32_t ndim);
kt_value kt_norm_axes (const kt_host *host, kt_graph *g, int32_t ndim);
/* ReduceSum, ReduceMean, ... of V over AXES. */
kt_value kt_norm_reduced (const kt_host *host, kt_graph *g, const char *op, kt_value v,
                          kt_value axes, int64_t keepdims);
/* The sums over all but the channels, a vector. */
kt_value kt_norm_sum (const kt_host *host, kt_graph *g, kt_value v, int32_t ndim);
