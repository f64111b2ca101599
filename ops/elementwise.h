/* SPDX-License-Identifier: Apache-2.0
 *
 * elementwise.h: the family of operators that work element by element.
 *
 *   KETTE_MAP (name, x, expr)        y[i] = expr (x[i]) for float and double:
 *                                    defines name_loops and name_kernel
 *   KETTE_ZIP (name, a, b, expr)     y[i] = expr (a[i], b[i]) with ONNX's (NumPy's)
 *                                    broadcasting
 *
 * The macros hold the loop and nothing else; everything alike is in elementwise.c. expr is
 * written once for all element types; kt_exp and its kin (vmath.h) pick the type. In expr,
 * p[0], p[1], ... are the float attributes that the loops table names, as that type.
 */
#pragma once
#include "operator.h"
#include "vmath.h"

/* Compiled once more for AVX2 and FMA processors; the linker picks at load time. No fused
 * multiply-add is made unless it is written (-ffp-contract=off): both give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(KT_NO_CLONES)
#define KT_VECTOR __attribute__ ((target_clones ("avx2", "default")))
#else
#define KT_VECTOR
#endif

/* One loop of a family: N elements. Strides are 0 (the same element again) or 1. */
typedef void kt_map_loop (const void *x, void *y, int64_t n, const double *p);
typedef void kt_zip_loop (const void *a, int64_t a_step, const void *b, int64_t b_step, void *y,
                          int64_t n, const double *p);

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
  struct
  {
    int32_t in, out; /* element types: in of input 0 */
    kt_zip_loop *loop;
  } loop[KT_MAX_LOOPS];
} kt_zip_loops;

kt_status kt_map_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_map_run (const kt_host *host, kt_run *run, void *state);
kt_status kt_zip_prepare (const kt_host *host, kt_prep *prep, void *user, void **state);
kt_status kt_zip_run (const kt_host *host, kt_run *run, void *state);

/* Shape rules: inputs 0 .. n-1 broadcast together; the output has input 0's element type, or
 * BOOL. kt_broadcast merges shape B into DIMS; KT_E_SHAPE names the dims that differ. */
kt_status kt_infer_broadcast (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_infer_compare (const kt_host *host, kt_infer *infer, void *user);
kt_status kt_broadcast (const kt_host *host, const void *ctx, int64_t dims[KT_MAX_RANK],
                        int32_t *ndim, const kt_type *b);

/* The loop NAME_SUFFIX over elements of type T (result type U). */
#define KETTE_MAP_LOOP(NAME, SUFFIX, T, U, x, EXPR)                                           \
  KT_VECTOR static void NAME##_##SUFFIX (const void *x_data, void *y_data, int64_t n,         \
                                         const double *attributes)                            \
  {                                                                                           \
    const T *const x_array = x_data;                                                          \
    U *const y_array       = y_data;                                                          \
    const T p[4] = { (T) attributes[0], (T) attributes[1], (T) attributes[2],                 \
                     (T) attributes[3] };                                                     \
                                                                                              \
    (void) p;                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                           \
      {                                                                                       \
        const T x  = x_array[i];                                                              \
        y_array[i] = (U) (EXPR);                                                              \
      }                                                                                       \
  }

#define KETTE_ZIP_LOOP(NAME, SUFFIX, T, U, a, b, EXPR)                                        \
  KT_VECTOR static void NAME##_##SUFFIX (const void *a_data, int64_t a_step,                  \
                                         const void *b_data, int64_t b_step, void *y_data,    \
                                         int64_t n, const double *attributes)                 \
  {                                                                                           \
    const T *const a_array = a_data, *const b_array = b_data;                                 \
    U *const y_array       = y_data;                                                          \
    const T p[4] = { (T) attributes[0], (T) attributes[1], (T) attributes[2],                 \
                     (T) attributes[3] };                                                     \
                                                                                              \
    (void) p;                                                                                 \
    if (a_step == 1 && b_step == 1)                                                           \
      for (int64_t i = 0; i < n; i++)                                                         \
        {                                                                                     \
          const T a = a_array[i], b = b_array[i];                                             \
          y_array[i] = (U) (EXPR);                                                            \
        }                                                                                     \
    else if (a_step == 1)                                                                     \
      for (int64_t i = 0; i < n; i++)                                                         \
        {                                                                                     \
          const T a = a_array[i], b = b_array[0];                                             \
          y_array[i] = (U) (EXPR);                                                            \
        }                                                                                     \
    else                                                                                      \
      for (int64_t i = 0; i < n; i++)                                                         \
        {                                                                                     \
          const T a = a_array[0], b = b_array[i * b_step];                                    \
          y_array[i] = (U) (EXPR);                                                            \
        }                                                                                     \
  }

#define KT_MAP_KERNEL(NAME)                                                                   \
  static const kt_kernel NAME##_kernel[]                                                      \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .user = (void *) &NAME##_loops, \
            .n_alias = 1, .alias = &(const kt_alias){ 0, 0, 0, 0 },                           \
            .prepare = kt_map_prepare, .run = kt_map_run },                                   \
          { 0 } };

#define KT_ZIP_KERNEL(NAME)                                                                   \
  static const kt_kernel NAME##_kernel[]                                                      \
      = { { KT_KERNEL, .flags = KT_CPU_FLAGS | KT_K_TILEABLE, .user = (void *) &NAME##_loops, \
            .n_alias = 2, .alias = (const kt_alias[]){ { 0, 0, 0, 0 }, { 1, 0, 0, 0 } },      \
            .prepare = kt_zip_prepare, .run = kt_zip_run },                                   \
          { 0 } };

/* The usual case: float and double, up to four FLOAT attributes by name. */
#define KETTE_MAP(NAME, x, EXPR, ...)                                                         \
  KETTE_MAP_LOOP (NAME, f32, float, float, x, EXPR)                                           \
  KETTE_MAP_LOOP (NAME, f64, double, double, x, EXPR)                                         \
  static const kt_map_loops NAME##_loops                                                      \
      = { .attrs = { __VA_ARGS__ },                                                           \
          .loop  = { { KT_F32, KT_F32, NAME##_f32 }, { KT_F64, KT_F64, NAME##_f64 } } };      \
  KT_MAP_KERNEL (NAME)
