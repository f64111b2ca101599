/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.h: the family of operators that work element by element.
 *
 *   KETTE_MAP (name, x, expr)        y[i] = expr (x[i]) for the float types: defines
 *                                    name_loops and name_kernel
 *   KETTE_ZIP (name, a, b, expr)     y[i] = expr (a[i], b[i]), likewise, with broadcasting
 *
 * (arithmetic.h has those for integers and comparisons.) The macros hold the loop and
 * nothing else; everything alike is in elementwise.c. expr is written once for all element
 * types; kt_exp and its kin (vmath.h) pick the type. In expr, p[0], p[1], ... are the FLOAT
 * attributes that the loops table names, as that type. f16 and bf16 go through float.
 */
#pragma once
#include "broadcast.h"
#include "vmath.h"

/* The output may be the memory of an input, but only element on element. */
#if defined(__clang__)
#define KT_LOOP
#else
#define KT_LOOP _Pragma ("GCC ivdep")
#endif

/* One loop of a family: N elements. Steps are 0 (the same element again) or 1. */
typedef void kt_map_loop (const void *x, void *y, int64_t n, const double *p);
typedef void kt_zip_loop (const void *a, int64_t a_step, const void *b, int64_t b_step,
                          void *y, int64_t n, const double *p);
/* Looks for operands that a loop must not see: the index of the first one times 2, plus the
 * index of its text in kt_zip_loops.fault; -1: there is none. */
typedef int64_t kt_zip_check (const void *a, int64_t a_step, const void *b,
                              int64_t b_step, int64_t n);

#define KT_MAX_LOOPS 14

/* What a kernel needs to know: for each element type of input 0 a loop. Ended by loop NULL. */
typedef struct kt_map_loops
{
  const char *attrs[4]; /* FLOAT attributes that become p[0], p[1], ... */
  struct
  {
    int32_t in, out; /* element types */
    kt_map_loop *loop;
  } loop[KT_MAX_LOOPS];
} kt_map_loops;

typedef struct kt_zip_loops
{
  const char *attrs[4];
  const char *fault[2];
  struct
  {
    int32_t in, out; /* element types: in of all inputs */
    kt_zip_loop *loop;
    kt_zip_check *check;
  } loop[KT_MAX_LOOPS];
} kt_zip_loops;

kt_status kt_map_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_map_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_map_tile (const kt_host *host, kt_run *run, void *state, int64_t begin,
                       int64_t end, int32_t worker);
kt_status kt_zip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_zip_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_zip_tile (const kt_host *host, kt_run *run, void *state, int64_t begin,
                       int64_t end, int32_t worker);

/* The loop NAME_SUFFIX: elements of type T are computed as W and stored as U. */
#define KETTE_MAP_LOOP(...) KT_VECTOR KETTE_MAP_PLAIN_LOOP (__VA_ARGS__)
#define KETTE_ZIP_LOOP(...) KT_VECTOR KETTE_ZIP_PLAIN_LOOP (__VA_ARGS__)

#define KETTE_MAP_PLAIN_LOOP(NAME, SUFFIX, T, W, U, x, EXPR)                             \
  static void NAME##_##SUFFIX (const void *x_data, void *y_data, int64_t n,              \
                               const double *attributes)                                 \
  {                                                                                      \
    const T *const x_array = x_data;                                                     \
    U *const y_array       = y_data;                                                     \
    const W p[4]           = { (W) attributes[0], (W) attributes[1], (W) attributes[2],  \
                               (W) attributes[3] };                                      \
                                                                                         \
    (void) p;                                                                            \
    KT_LOOP for (int64_t i = 0; i < n; i++)                                              \
    {                                                                                    \
      const W x  = (W) x_array[i];                                                       \
      y_array[i] = (U) (EXPR);                                                           \
    }                                                                                    \
  }

#define KETTE_ZIP_PLAIN_LOOP(NAME, SUFFIX, T, W, U, a, b, EXPR)                          \
  static void NAME##_##SUFFIX (const void *a_data, int64_t a_step, const void *b_data,   \
                               int64_t b_step, void *y_data, int64_t n,                  \
                               const double *attributes)                                 \
  {                                                                                      \
    const T *const a_array = a_data, *const b_array = b_data;                            \
    U *const y_array = y_data;                                                           \
    const W p[4]     = { (W) attributes[0], (W) attributes[1], (W) attributes[2],        \
                         (W) attributes[3] };                                            \
                                                                                         \
    (void) p;                                                                            \
    if (a_step == 1 && b_step == 1)                                                      \
      KT_LOOP for (int64_t i = 0; i < n; i++)                                            \
      {                                                                                  \
        const W a = (W) a_array[i], b = (W) b_array[i];                                  \
        y_array[i] = (U) (EXPR);                                                         \
      }                                                                                  \
    else if (a_step == 1)                                                                \
      {                                                                                  \
        const W b = (W) b_array[0];                                                      \
        KT_LOOP for (int64_t i = 0; i < n; i++)                                          \
        {                                                                                \
          const W a  = (W) a_array[i];                                                   \
          y_array[i] = (U) (EXPR);                                                       \
        }                                                                                \
      }                                                                                  \
    else                                                                                 \
      {                                                                                  \
        const W a = (W) a_array[0];                                                      \
        KT_LOOP for (int64_t i = 0; i < n; i++)                                          \
        {                                                                                \
          const W b  = (W) b_array[i * b_step];                                          \
          y_array[i] = (U) (EXPR);                                                       \
        }                                                                                \
      }                                                                                  \
  }

/* Rows of a loops table. */
#define KT_ROW(IN, OUT, LOOP)                                                            \
  {                                                                                      \
    .in = IN, .out = OUT, .loop = LOOP                                                   \
  }
#define KT_FLOAT_ROWS(NAME)                                                              \
  KT_ROW (KT_F32, KT_F32, NAME##_f32), KT_ROW (KT_F64, KT_F64, NAME##_f64)

#define KT_FLOAT_TYPES "T=f32|f64|f16|bf16"
#define KT_NUMBER_TYPES "T=f32|f64|f16|bf16|i8|i16|i32|i64|u8|u16|u32|u64"

#define KT_MAP_KERNEL(NAME, TYPES)                                                       \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,            \
            .layout = "*>*", .user = (void *) &NAME##_loops, .n_alias = 1,               \
            .alias = &(const kt_alias){ 0, 0, 0, 0 }, .prepare = kt_map_prepare,         \
            .run = kt_map_run, .tile = kt_map_tile },                                    \
          { 0 } };

#define KT_ZIP_KERNEL(NAME, TYPES)                                                       \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,            \
            .layout = "*,*>*", .user = (void *) &NAME##_loops, .n_alias = 2,             \
            .alias   = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },             \
            .prepare = kt_zip_prepare, .run = kt_zip_run, .tile = kt_zip_tile },         \
          { 0 } };

/* The float types, up to four FLOAT attributes by name. */
#define KETTE_MAP(NAME, x, EXPR, ...)                                                    \
  KETTE_MAP_LOOP (NAME, f32, float, float, float, x, EXPR)                               \
  KETTE_MAP_LOOP (NAME, f64, double, double, double, x, EXPR)                            \
  static const kt_map_loops NAME##_loops                                                 \
      = { .attrs = { __VA_ARGS__ }, .loop = { KT_FLOAT_ROWS (NAME) } };                  \
  KT_MAP_KERNEL (NAME, KT_FLOAT_TYPES)

#define KETTE_ZIP_LOOPS(NAME, a, b, EXPR, ...)                                           \
  KETTE_ZIP_LOOP (NAME, f32, float, float, float, a, b, EXPR)                            \
  KETTE_ZIP_LOOP (NAME, f64, double, double, double, a, b, EXPR)                         \
  static const kt_zip_loops NAME##_loops                                                 \
      = { .attrs = { __VA_ARGS__ }, .loop = { KT_FLOAT_ROWS (NAME) } };
#define KETTE_ZIP(NAME, a, b, EXPR, ...)                                                 \
  KETTE_ZIP_LOOPS (NAME, a, b, EXPR, __VA_ARGS__)                                        \
  KT_ZIP_KERNEL (NAME, KT_FLOAT_TYPES)
