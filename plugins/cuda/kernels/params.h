/* SPDX-License-Identifier: Apache-2.0
 *
 * params.h: what is handed to kernels by value, and the functions that launch them. C and C++:
 * prepare is C and makes the parameters, the .cu files take them.
 */
#pragma once
#include "kette-plugin.h"

KT_BEGIN_DECLS

/* Dims that are left after merging; nodes with more stay on the CPU. */
#define KT_GPU_RANK 8

/* An operand that is read at other places than the output's (broadcast.h): along the innermost
 * dim by step (0 or 1), along outer dim d by stride[d]; in elements. */
typedef struct kt_path
{
  int64_t step, stride[KT_GPU_RANK];
} kt_path;

typedef struct kt_paths
{
  int32_t n, ndim; /* operands; outer dims */
  int64_t dims[KT_GPU_RANK], inner, count;
  kt_path in[3];
} kt_paths;

/* y = f (x). */
typedef struct kt_map_params
{
  const void *x;
  void *y;
  int64_t n;
  int32_t dtype, reserved;
  double p[4];
} kt_map_params;

/* y = f (a, b). fault: see kernels.h; may be NULL. */
typedef struct kt_zip_params
{
  const void *a, *b;
  void *y;
  int64_t *fault;
  int32_t dtype, out_dtype;
  double p[4];
  kt_paths at;
} kt_zip_params;

/* The launchers of a formula, by what it computes in; NULL: it has none. PARAMS: kt_map_params or
 * kt_zip_params. */
typedef void kt_formula_launch (const void *params, void *stream);
typedef struct kt_formula_row
{
  const char *word; /* file of the operator, and name of the formula in it */
  kt_formula_launch *f32, *f64, *i64, *u64, *boolean;
} kt_formula_row;

extern const kt_formula_row kt_map_table[], kt_zip_table[]; /* ended by word NULL */

/* A reduction, as ops/reduce.h plans it: outputs, blocks of 4,096 elements, 16 partial results
 * each. */
typedef struct kt_reduce_params
{
  const void *x;
  void *y, *partials;
  int64_t outs, count, columns, step, run, stride, runs, parts, group, blocks;
  int32_t n_kept, n_outer, rows, reserved;
  int64_t kept_dims[KT_GPU_RANK], kept[KT_GPU_RANK], outer_dims[KT_GPU_RANK],
      outer[KT_GPU_RANK];
} kt_reduce_params;

typedef struct kt_reduce_row
{
  const char *word;
  int32_t dtype, size; /* bytes of a partial result */
  void (*launch) (const kt_reduce_params *, void *stream);
} kt_reduce_row;

extern const kt_reduce_row kt_reduce_table[];

/* Slices of a tensor along an axis: outer x length x inner. */
typedef struct kt_softmax_params
{
  const void *a, *b;
  void *y;
  int64_t outer, length, inner;
  int32_t dtype, reserved;
} kt_softmax_params;

typedef struct kt_softmax_row
{
  const char *word;
  void (*f32) (const kt_softmax_params *, void *stream);
  void (*f64) (const kt_softmax_params *, void *stream);
} kt_softmax_row;

extern const kt_softmax_row kt_softmax_table[];

/* Losses. Operands as the operators have them; partials: scratch of doubles. */
typedef struct kt_half_sse_params
{
  const void *de, *y, *t;
  void *out;
  double *partials;
  int64_t n, batch, blocks;
  int32_t wide, reserved;
} kt_half_sse_params;

void kt_half_sse_launch (const kt_half_sse_params *, void *stream);
void kt_half_sse_grad_launch (const kt_half_sse_params *, void *stream);

/* Scores x (entries, classes, inner) and labels (entries, inner): ops/labels.h. */
typedef struct kt_label_params
{
  const void *de, *x, *labels, *weights;
  void *loss, *log_prob, *dx;
  double *each, *weight; /* per sample, then: sums of groups behind them */
  int64_t *fault;
  int64_t count, classes, inner, ignore, batch, groups_per_entry, groups;
  int32_t wide, wide_labels, has_ignore, soft, mean, sum; /* neither: a loss per sample */
} kt_label_params;

void kt_label_loss_launch (const kt_label_params *, void *stream);
void kt_label_grad_launch (const kt_label_params *, void *stream);

/* Optimizers, one parameter: X' from X, its gradient and states. c: the
 * attributes (ops/rules.h); the kernel reads rate and count. */
typedef struct kt_update_params
{
  const void *rate, *count, *x, *g, *state[2];
  void *new_x, *new_state[2];
  int64_t n;
  double c[8]; /* KT_COEFFICIENTS */
  int32_t wide, wide_rate;
} kt_update_params;

typedef void kt_update_launch (const kt_update_params *, void *stream);
kt_update_launch kt_sgd_launch, kt_momentum_launch, kt_adagrad_launch, kt_adam_launch;

/* Element (i0, i1, ..) of dims goes from first_in + sum i * in[] to first_out + sum i * out[]; all
 * in elements of SIZE bytes (1, 2, 4, 8 or 16). */
typedef struct kt_move_params
{
  const void *x;
  void *y;
  int64_t count, first_in, first_out, dims[KT_GPU_RANK], in[KT_GPU_RANK],
      out[KT_GPU_RANK];
  int32_t ndim, size;
} kt_move_params;

/* The same where the input is contiguous along one dim (length dims), the output along another one
 * (width): in tiles that go through fast memory, so that both sides are read in rows. */
typedef struct kt_tiles_params
{
  const void *x;
  void *y;
  int64_t first_in, first_out, length, width, in_width, out_length;
  int64_t dims[KT_GPU_RANK], in[KT_GPU_RANK], out[KT_GPU_RANK]; /* the other dims */
  int64_t down, across, tiles; /* tiles along length and width; all tiles */
  int32_t ndim, size;
} kt_tiles_params;

/* COUNT elements of SIZE bytes become ELEMENT. */
typedef struct kt_fill_params
{
  void *y;
  int64_t count;
  unsigned char element[16];
  int32_t size, reserved;
} kt_fill_params;

/* y = c ? a : b, broadcast. */
typedef struct kt_where_params
{
  const void *c, *a, *b;
  void *y;
  kt_paths at;
  int32_t size, reserved;
} kt_where_params;

/* Clip (dy NULL) or its gradient; a bound that is NULL does not bind. */
typedef struct kt_clip_params
{
  const void *x, *dy, *low, *high;
  void *y;
  int64_t n;
  int32_t dtype, reserved;
} kt_clip_params;

typedef struct kt_cast_params
{
  const void *x;
  void *y;
  int64_t n;
  int32_t from, to;
} kt_cast_params;

/* y = x^e, both of one float type. */
typedef struct kt_pow_params
{
  const void *x, *e;
  void *y;
  kt_paths at;
  int32_t dtype, reserved;
} kt_pow_params;

/* Rows that indices name (ops/rows.h): [outer, n, inner] and [outer, count, inner]. */
typedef struct kt_rows_params
{
  const void *x, *at;
  void *y;
  int64_t *fault;
  int64_t outer, n, inner, count;
  int32_t size, wide; /* wide: 64-bit indices */
} kt_rows_params;

/* Something to be sorted: by key, then by where it stood. */
typedef struct kt_sorted
{
  uint64_t key;
  int64_t at;
} kt_sorted;

#define KT_SORT_TILE 1024 /* entries that are sorted in fast memory */

/* Sorts lines of LENGTH entries, a power of two, COUNT entries in all. size, distance: of one step,
 * for the kernels. */
typedef struct kt_sort_params
{
  kt_sorted *entries;
  int64_t count, length, size, distance;
} kt_sort_params;

/* COUNT places in the data that indices name, each of INNER elements that adjoin. K > 0: tuples of
 * k indices (ops/index.h); else elements along an axis (ops/elements.h) of length n and step STEP. */
typedef struct kt_places_params
{
  const void *at;
  int64_t *fault;
  int64_t count, inner;
  int64_t per_batch, batch_rows, n, step;
  int64_t dims[KT_GPU_RANK], data[KT_GPU_RANK]; /* strides in the data */
  int32_t ndim, k, wide, reserved;              /* wide: 64-bit indices */
} kt_places_params;

/* y = the elements of x at these places. */
typedef struct kt_take_params
{
  kt_places_params p;
  const void *x;
  void *y;
  int32_t size, reserved;
} kt_take_params;

/* Elements x, of OUTER parts, put into y, of which each part has ROWS places. entries: scratch for
 * p.count, rounded up to LENGTH, a power of two. reduction: kt_reduction. */
typedef struct kt_put_params
{
  kt_places_params p;
  const void *x;
  void *y;
  kt_sorted *entries;
  int64_t outer, rows, length;
  int32_t dtype, size, reduction, reserved;
} kt_put_params;

/* The K best along an axis of length n. entries: NULL, or scratch for LENGTH, a power of two, per
 * line; without it LENGTH is at most KT_SORT_TILE, and at least 2 k where it is below n. */
typedef struct kt_top_params
{
  const void *x;
  void *values;
  int64_t *places;
  kt_sorted *entries;
  int64_t lines, n, inner, k, length;
  uint64_t flip;
  int32_t dtype, size;
} kt_top_params;

/* OneHot: values [off, on], indices of any type. */
typedef struct kt_hot_params
{
  const void *at, *values;
  void *y;
  int64_t count, depth, inner, lowest;
  int32_t dtype, size;
} kt_hot_params;

/* Resize along one axis (ops/resize.h): [pre, in, inner] to [pre, out, inner], of element types FROM
 * and TO. Transposed (RANGE not NULL): [pre, out, inner] to [pre, in, inner]; elements
 * range[2 k] .. range[2 k + 1] - 1 of the result may have taken part of element k. */
typedef struct kt_resize_params
{
  const void *x, *weight; /* weight: float or, WIDE, double */
  void *y;
  const int32_t *first, *range;
  int64_t pre, in, out, inner, taps;
  double extrapolation;
  int32_t from, to, wide, reserved;
} kt_resize_params;

/* Resize to the nearest: per dim the element of the input, NULL: the same. */
typedef struct kt_nearest_params
{
  const void *x;
  void *y;
  int64_t count, out[KT_GPU_RANK], stride[KT_GPU_RANK];
  const int32_t *first[KT_GPU_RANK];
  unsigned char outside[16];
  int32_t ndim, size;
} kt_nearest_params;

/* The index of the largest or smallest along an axis. */
typedef struct kt_arg_params
{
  const void *x;
  int64_t *y;
  int64_t outs, n, inner;
  int32_t dtype, last, least, reserved;
} kt_arg_params;

/* Dropout in training; key and step as ops/random.h has them. */
typedef struct kt_dropout_params
{
  const void *x;
  void *y;
  unsigned char *mask;
  int64_t n;
  double ratio, scale;
  uint32_t key[2], step[2];
  int32_t dtype, reserved;
} kt_dropout_params;

/* RandomUniform (a: low, b: high) or, with normal, RandomNormal (mean, scale). */
typedef struct kt_random_params
{
  void *y;
  int64_t n;
  double a, b;
  uint32_t key[2], step[2];
  int32_t dtype, normal;
} kt_random_params;

/* Pad. mode: kt_pad_mode. value: an element, or NULL for 0. */
typedef struct kt_pad_params
{
  const void *x, *value;
  void *y;
  int64_t count, out[KT_GPU_RANK], in[KT_GPU_RANK], begin[KT_GPU_RANK];
  int32_t ndim, size, mode, reserved;
} kt_pad_params;

/* Local response normalization (ops/lrn.h); dy NULL: y, else the gradient. */
typedef struct kt_lrn_params
{
  const void *x, *dy;
  void *y, *powers, *terms; /* scratch of the gradient, like x in float or double */
  int64_t n, channels, inner, lead, trail;
  double bias, alpha, beta;
  int32_t dtype, reserved;
} kt_lrn_params;

/* Instance normalization: planes of inner elements. */
typedef struct kt_instance_params
{
  const void *x, *scale, *shift;
  void *y;
  int64_t planes, channels, inner;
  double epsilon;
  int32_t dtype, reserved;
} kt_instance_params;

void kt_random_launch (const kt_random_params *, void *stream);
void kt_pad_launch (const kt_pad_params *, void *stream);
void kt_lrn_launch (const kt_lrn_params *, void *stream);
void kt_instance_launch (const kt_instance_params *, void *stream);
void kt_move_launch (const kt_move_params *, void *stream);
void kt_tiles_launch (const kt_tiles_params *, void *stream);
void kt_fill_launch (const kt_fill_params *, void *stream);
void kt_where_launch (const kt_where_params *, void *stream);
void kt_clip_launch (const kt_clip_params *, void *stream);
void kt_cast_launch (const kt_cast_params *, void *stream);
void kt_pow_launch (const kt_pow_params *, void *stream);
void kt_gather_launch (const kt_rows_params *, void *stream);
void kt_sort_launch (const kt_sort_params *, void *stream);
void kt_take_launch (const kt_take_params *, void *stream);
void kt_put_launch (const kt_put_params *,
                    void *stream); /* y holds what was there before */
void kt_top_launch (const kt_top_params *, void *stream);
void kt_hot_launch (const kt_hot_params *, void *stream);
void kt_resize_launch (const kt_resize_params *, void *stream);
void kt_nearest_launch (const kt_nearest_params *, void *stream);
void kt_arg_launch (const kt_arg_params *, void *stream);
void kt_dropout_launch (const kt_dropout_params *, void *stream);

KT_END_DECLS
