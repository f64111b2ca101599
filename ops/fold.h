/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.h: the elementwise operators of one or more inputs: y = expr (... expr (x0, x1) ...,
 * xn), from left to right, with broadcasting; then, if there is one, a last map of y.
 */
#pragma once
#include "elementwise.h"

typedef struct kt_fold_loops
{
  struct
  {
    int32_t in;
    kt_zip_loop *loop;
    kt_map_loop *last; /* p[0]: number of inputs; may be NULL */
  } loop[KT_MAX_LOOPS];
} kt_fold_loops;

kt_status kt_fold_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_fold_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_fold_tile (const kt_host *host, kt_run *run, void *state, int64_t begin,
                        int64_t end, int32_t worker);

#define KT_FOLD_ROW(TYPE, LOOP)                                                          \
  {                                                                                      \
    .in = TYPE, .loop = LOOP                                                             \
  }
#define KT_FOLD_FLOAT_ROWS(NAME)                                                         \
  KT_FOLD_ROW (KT_F32, NAME##_f32), KT_FOLD_ROW (KT_F64, NAME##_f64)
#define KT_FOLD_INTEGER_ROWS(NAME)                                                       \
  KT_FOLD_ROW (KT_I8, NAME##_i8), KT_FOLD_ROW (KT_I16, NAME##_i16),                      \
      KT_FOLD_ROW (KT_I32, NAME##_i32), KT_FOLD_ROW (KT_I64, NAME##_i64),                \
      KT_FOLD_ROW (KT_U8, NAME##_u8), KT_FOLD_ROW (KT_U16, NAME##_u16),                  \
      KT_FOLD_ROW (KT_U32, NAME##_u32), KT_FOLD_ROW (KT_U64, NAME##_u64)

#define KT_FOLD_KERNEL(NAME, TYPES)                                                      \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,            \
            .layout = "*,*,*,*,*,*,*,*>*", .user = (void *) &NAME##_loops, .n_alias = 1, \
            .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = kt_fold_prepare,        \
            .run = kt_fold_run, .tile = kt_fold_tile },                                  \
          { 0 } };

/* Max and Min: dE/dx_i = dE/dy, shared equally by the inputs that are equal to y. */
kt_status kt_extreme_gradient (const kt_host *host, kt_graph *g, void *user);
