/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax.h: the family of operators that look at a tensor in slices along one axis: Softmax,
 * LogSoftmax and their gradients.
 */
#pragma once
#include "operator.h"

/* A slice has LENGTH elements STEP apart. rows: N slices one after another, step 1. columns:
 * N <= KT_SOFTMAX_COLUMNS slices side by side. B is the second input; y may be a or b. */
#define KT_SOFTMAX_COLUMNS 64
typedef void kt_softmax_loop (const void *a, const void *b, void *y, int64_t n,
                              int64_t length, int64_t step);

typedef struct kt_softmax_loops
{
  kt_softmax_loop *rows_f32, *columns_f32, *rows_f64, *columns_f64;
} kt_softmax_loops;

/* Output 0 is like input 0; the INT attribute axis is in range. */
kt_status kt_softmax_infer (const kt_host *host, kt_infer *infer, void *user);
/* user: the loops. */
kt_status kt_softmax_prepare (const kt_host *host, kt_prep *prep, void *user,
                              void **state);
kt_status kt_softmax_run (const kt_host *host, kt_run *run, void *state);

/* Versions below 13 flatten to a matrix at axis (default 1) and work on its rows. A body that
 * emits the operator named by user. */
kt_status kt_softmax_old (const kt_host *host, kt_graph *g, void *user);

/* ReduceSum or ReduceMax of X along the node's axis, which stays with size 1. */
kt_value kt_softmax_reduced (const kt_host *host, kt_graph *g, const char *op,
                             kt_value x);

#define KT_SOFTMAX_KERNEL(NAME, ...)                                                     \
  static const kt_softmax_loops NAME##_loops                                             \
      = { NAME##_rows_f32, NAME##_columns_f32, NAME##_rows_f64, NAME##_columns_f64 };    \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = "T=f32|f64", .flags = KT_CPU_FLAGS,                      \
            .user    = (void *) &NAME##_loops,                                           \
            .n_alias = sizeof ((const kt_alias[]){ __VA_ARGS__ }) / sizeof (kt_alias),   \
            .alias = (const kt_alias[]){ __VA_ARGS__ }, .prepare = kt_softmax_prepare,   \
            .run = kt_softmax_run },                                                     \
          { 0 } };
