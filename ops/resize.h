/* SPDX-License-Identifier: Apache-2.0
 *
 * resize.h: what Resize and its gradient share. Every mode is separable: along an axis, an
 * element of the result is a sum of neighbouring elements times weights, which tables hold.
 *
 * Neighbouring axes are worked on in pairs, as pictures of rows: [pre, h, w, inner]. A row is
 * resized along w when it is needed first, and rows are joined along h while they are in the
 * cache.
 */
#pragma once
#include "shape.h"

enum
{
  KT_HALF_PIXEL,
  KT_HALF_PIXEL_SYMMETRIC,
  KT_PYTORCH_HALF_PIXEL,
  KT_ALIGN_CORNERS,
  KT_ASYMMETRIC,
  KT_TF_CROP_AND_RESIZE,
  KT_TF_HALF_PIXEL_FOR_NN
};
enum
{
  KT_PREFER_FLOOR,
  KT_PREFER_CEIL,
  KT_ROUND_FLOOR,
  KT_ROUND_CEIL
};
enum
{
  KT_STRETCH,
  KT_NOT_LARGER,
  KT_NOT_SMALLER
};

typedef struct kt_resize_axis
{
  int64_t in, out, taps;
  int32_t *first; /* per element of the result; -1: outside, the extrapolation value */
  double *weight; /* out * taps */
  float *weight_f32;
} kt_resize_axis;

/* One pair of axes, or one alone: w NULL. */
typedef struct kt_resize_stage
{
  int64_t pre, inner;
  const kt_resize_axis *h, *w;
} kt_resize_stage;

typedef struct kt_resize
{
  enum
  {
    KT_RESIZE_NEAREST,
    KT_RESIZE_LINEAR,
    KT_RESIZE_CUBIC
  } mode;
  int coordinates, rounding, policy; /* of the lists above */
  bool antialias, exclude_outside, crops;
  double cubic_a, extrapolation;
  int32_t ndim, n_listed; /* n_listed: axes that scales, sizes and roi are for */
  int32_t listed[KT_MAX_RANK];
  int64_t in[KT_MAX_RANK], out[KT_MAX_RANK];
  double scale[KT_MAX_RANK], roi[KT_MAX_RANK][2];
  int32_t n_axes;
  kt_resize_axis axis[KT_MAX_RANK]; /* of these, by dim; taps 0: stays as it is */
  int32_t n_stages;
  kt_resize_stage stage[KT_MAX_RANK]; /* innermost axes first */
  bool late;                          /* the tables depend on inputs of the run */
  size_t table_bytes;
} kt_resize;

/* Scales, sizes and roi begin at input FIRST (roi, scales, sizes). */
typedef struct kt_resize_inputs
{
  kt_tensor roi, scales, sizes; /* data NULL: absent, empty, or not known */
} kt_resize_inputs;

/* Attributes, and which axes are meant. */
kt_status kt_resize_read (const kt_host *host, const void *ctx, int32_t ndim,
                          kt_resize *r);
/* The result's dims, as far as they are known. X: the dims of the input. */
kt_status kt_resize_dims (const kt_host *host, const void *ctx, kt_resize *r,
                          int32_t first, const int64_t *x, int64_t *y);
/* Which of scales and sizes rules? *KNOWN false: one of unknown length may. */
kt_status kt_resize_check (const kt_host *host, const void *ctx, const kt_resize *r,
                           int32_t first, bool *sizes, bool *known);
/* Sets dims and scales of the listed axes. */
kt_status kt_resize_apply (const kt_host *host, const void *ctx, kt_resize *r,
                           const kt_resize_inputs *in);

/* resize-tables.c: dims and scales from constant inputs; dims that differ from Y are an error. */
kt_status kt_resize_known (const kt_host *host, const void *ctx, kt_resize *r,
                           int32_t first, const int64_t *x, const int64_t *y,
                           bool *known);
/* How many elements an element of the result of axis D is made of; 0: the axis stays. */
int64_t kt_resize_taps (const kt_resize *r, int32_t d);
/* The weights of element I of axis D: of TAPS elements from *FIRST on; WEIGHT is zeroed. */
void kt_resize_weigh (const kt_resize *r, int32_t d, int64_t i, int64_t taps,
                      int32_t *first, double *weight);
/* In prepare: dims, and tables where the inputs are constant, in memory from host->keep. */
kt_status kt_resize_prepare (const kt_host *host, kt_prep *prep, kt_resize *r,
                             int32_t first, const kt_type *x, const kt_type *y);
/* While running: R itself, or a copy in *COPY with tables of these inputs in MEMORY. */
kt_status kt_resize_late (const kt_host *host, kt_run *run, const kt_resize *r,
                          int32_t first, void *memory, kt_resize *copy,
                          const kt_resize **out);

/* resize-pass.c: the bytes that a worker needs for all stages of an item, or of its transposes. */
size_t kt_resize_bytes (const kt_resize *r, int32_t dtype, bool transposed);
/* X to Y (dtype: the element type of both), or, transposed, dY to dX. MEMORY of a worker is
 * behind the tables. */
kt_status kt_resize_run (const kt_host *host, kt_run *run, const kt_resize *r,
                         int32_t dtype, bool transposed, const void *x, void *y);

/* Bodies of old forms: Resize of input 0 by SCALES in the node's mode, with coordinates that begin
 * at the corner of the first element. */
kt_status kt_resize_from_corner (const kt_host *host, kt_graph *g, kt_value scales);
