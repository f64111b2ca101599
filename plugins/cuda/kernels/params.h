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

/* y = f (a, b). fault: where a place + 1 is written that has no result; may be NULL. */
typedef struct kt_zip_params
{
  const void *a, *b;
  void *y;
  int64_t *fault;
  int32_t dtype, out_dtype;
  double p[4];
  kt_paths at;
} kt_zip_params;

typedef void kt_map_launch (const kt_map_params *, void *stream);
typedef void kt_zip_launch (const kt_zip_params *, void *stream);

/* The launchers of a formula, by what it computes in; NULL: it has none. */
typedef struct kt_map_row
{
  const char *word; /* file of the operator, and name of the formula in it */
  kt_map_launch *f32, *f64, *i64, *u64, *boolean;
} kt_map_row;

typedef struct kt_zip_row
{
  const char *word;
  kt_zip_launch *f32, *f64, *i64, *u64, *boolean;
} kt_zip_row;

extern const kt_map_row kt_map_table[]; /* ended by word NULL */
extern const kt_zip_row kt_zip_table[];

KT_END_DECLS
