/* SPDX-License-Identifier: Apache-2.0
 *
 * formula.h: the macros by which operators declare their formulas (ops/elementwise.h,
 * arithmetic.h, slope.h), for C++: instead of a loop each defines a struct NAME_SUFFIX that
 * computes one element. The formulas' text is collected by make-formulas.py.
 *
 *   in, work, out        element types, and the one that is computed in
 *   of (x, p)            the element; p: the FLOAT attributes
 */
#pragma once
#include "gpu.h"
#include "vmath.h"

#define KETTE_MAP_PLAIN_LOOP(NAME, SUFFIX, T, W, U, x, EXPR)                             \
  struct NAME##_##SUFFIX                                                                 \
  {                                                                                      \
    typedef T in;                                                                        \
    typedef W work;                                                                      \
    typedef U out;                                                                       \
    KT_HD_MEMBER U                                                                       \
    of (W x, const W *p)                                                                 \
    {                                                                                    \
      (void) p;                                                                          \
      return (U) (EXPR);                                                                 \
    }                                                                                    \
  };
#define KETTE_ZIP_PLAIN_LOOP(NAME, SUFFIX, T, W, U, a, b, EXPR)                          \
  struct NAME##_##SUFFIX                                                                 \
  {                                                                                      \
    typedef T in;                                                                        \
    typedef W work;                                                                      \
    typedef U out;                                                                       \
    KT_HD_MEMBER U                                                                       \
    of (W a, W b, const W *p)                                                            \
    {                                                                                    \
      (void) p;                                                                          \
      return (U) (EXPR);                                                                 \
    }                                                                                    \
  };

#define KETTE_MAP_LOOP(...) KETTE_MAP_PLAIN_LOOP (__VA_ARGS__)
#define KETTE_ZIP_LOOP(...) KETTE_ZIP_PLAIN_LOOP (__VA_ARGS__)

/* The names of attributes are the business of C code (elementwise.c). */
#define KETTE_MAP(NAME, x, EXPR, ...)                                                    \
  KETTE_MAP_LOOP (NAME, f32, float, float, float, x, EXPR)                               \
  KETTE_MAP_LOOP (NAME, f64, double, double, double, x, EXPR)
#define KETTE_ZIP(NAME, a, b, EXPR, ...)                                                 \
  KETTE_ZIP_LOOP (NAME, f32, float, float, float, a, b, EXPR)                            \
  KETTE_ZIP_LOOP (NAME, f64, double, double, double, a, b, EXPR)
#define KETTE_SLOPE(WORD, NAME, FORMULA, dy, z, EXPR, ...) KETTE_ZIP (WORD, dy, z, EXPR)

/* Integers of all sizes are computed in 64 bits and cut when they are stored. */
#define KT_FOR_INTEGERS(M, NAME, ...)                                                    \
  M (NAME, i64, int64_t, uint64_t, __VA_ARGS__)                                          \
  M (NAME, u64, uint64_t, uint64_t, __VA_ARGS__)
#define KT_ZIP_WRAPPED(NAME, SUFFIX, T, W, a, b, EXPR)                                   \
  KETTE_ZIP_PLAIN_LOOP (NAME, SUFFIX, T, W, T, a, b, EXPR)
#define KT_ZIP_PLAIN(NAME, SUFFIX, T, W, a, b, EXPR)                                     \
  KETTE_ZIP_PLAIN_LOOP (NAME, SUFFIX, T, T, T, a, b, EXPR)
#define KT_ZIP_BOOL(NAME, SUFFIX, T, W, a, b, EXPR)                                      \
  KETTE_ZIP_PLAIN_LOOP (NAME, SUFFIX, T, T, uint8_t, a, b, EXPR)
#define KT_MAP_WRAPPED(NAME, SUFFIX, T, W, x, EXPR)                                      \
  KETTE_MAP_PLAIN_LOOP (NAME, SUFFIX, T, W, T, x, EXPR)
#define KT_MAP_PLAIN(NAME, SUFFIX, T, W, x, EXPR)                                        \
  KETTE_MAP_PLAIN_LOOP (NAME, SUFFIX, T, T, T, x, EXPR)

#define KETTE_ARITHMETIC(NAME, a, b, EXPR)                                               \
  KETTE_ZIP_LOOP (NAME, f32, float, float, float, a, b, EXPR)                            \
  KETTE_ZIP_LOOP (NAME, f64, double, double, double, a, b, EXPR)                         \
  KT_FOR_INTEGERS (KT_ZIP_WRAPPED, NAME, a, b, EXPR)
#define KETTE_COMPARE_LOOPS(NAME, a, b, EXPR)                                            \
  KETTE_ZIP_LOOP (NAME, f32, float, float, uint8_t, a, b, EXPR)                          \
  KETTE_ZIP_LOOP (NAME, f64, double, double, uint8_t, a, b, EXPR)                        \
  KT_FOR_INTEGERS (KT_ZIP_BOOL, NAME, a, b, EXPR)
#define KETTE_COMPARE(NAME, a, b, EXPR) KETTE_COMPARE_LOOPS (NAME, a, b, EXPR)

/* Reductions (reduce.h, sum.h, extreme.h): acc is the type of partial results. */
#define KT_LANES 16
#define KT_BLOCK 4096
#define KT_REDUCE_LOOPS(NAME, SUFFIX, T, A, LOAD, STORE, START, MAP, JOIN, END)          \
  struct NAME##_##SUFFIX                                                                 \
  {                                                                                      \
    typedef T in;                                                                        \
    typedef A acc;                                                                       \
    KT_HD_MEMBER A                                                                       \
    start (void)                                                                         \
    {                                                                                    \
      return (A) (START);                                                                \
    }                                                                                    \
    KT_HD_MEMBER A                                                                       \
    with (A a, T x)                                                                      \
    {                                                                                    \
      return (A) JOIN (a, MAP (LOAD (x)));                                               \
    }                                                                                    \
    KT_HD_MEMBER A                                                                       \
    join (A a, A b)                                                                      \
    {                                                                                    \
      return (A) JOIN (a, b);                                                            \
    }                                                                                    \
    KT_HD_MEMBER T                                                                       \
    end (A a, int64_t n)                                                                 \
    {                                                                                    \
      (void) n;                                                                          \
      return (T) STORE (END (a, n));                                                     \
    }                                                                                    \
  };
#define KT_ITSELF(x) (x)
#define KT_STORE_F16(v) kt_f64_to_f16 ((double) (v))
#define KT_STORE_BF16(v) kt_f64_to_bf16 ((double) (v))
#define KT_PLUS(a, b) ((a) + (b))
#define KT_SUM_END(a, n) (a)
#define KT_EXTREME_END(a, n) (a)
#define KT_REDUCE_FLOATS(NAME, A, ...)                                                   \
  KT_REDUCE_LOOPS (NAME, f32, float, A, KT_ITSELF, KT_ITSELF, __VA_ARGS__)               \
  KT_REDUCE_LOOPS (NAME, f64, double, double, KT_ITSELF, KT_ITSELF, __VA_ARGS__)         \
  KT_REDUCE_LOOPS (NAME, f16, uint16_t, A, kt_f16_to_f32, KT_STORE_F16, __VA_ARGS__)     \
  KT_REDUCE_LOOPS (NAME, bf16, uint16_t, A, kt_bf16_to_f32, KT_STORE_BF16, __VA_ARGS__)
#define KT_REDUCE_WHOLE(NAME, SUFFIX, T, A, ...)                                         \
  KT_REDUCE_LOOPS (NAME, SUFFIX, T, A, KT_ITSELF, KT_ITSELF, __VA_ARGS__)
#define KETTE_SUM_LOOPS(NAME)                                                            \
  KT_REDUCE_FLOATS (NAME, float, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)                      \
  KT_REDUCE_WHOLE (NAME, u32, uint32_t, uint32_t, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)     \
  KT_REDUCE_WHOLE (NAME, u64, uint64_t, uint64_t, 0, KT_ITSELF, KT_PLUS, KT_SUM_END)
#define KT_EXTREME_LOOPS(NAME, JOIN_FLOAT, JOIN, INF, SIDE, U)                           \
  KT_REDUCE_FLOATS (NAME, float, INF, KT_ITSELF, JOIN_FLOAT, KT_EXTREME_END)             \
  KT_REDUCE_WHOLE (NAME, i8, int8_t, int8_t, INT8_##SIDE, KT_ITSELF, JOIN,               \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, i32, int32_t, int32_t, INT32_##SIDE, KT_ITSELF, JOIN,           \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, i64, int64_t, int64_t, INT64_##SIDE, KT_ITSELF, JOIN,           \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, u8, uint8_t, uint8_t, (uint8_t) U, KT_ITSELF, JOIN,             \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, u32, uint32_t, uint32_t, (uint32_t) U, KT_ITSELF, JOIN,         \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, u64, uint64_t, uint64_t, (uint64_t) U, KT_ITSELF, JOIN,         \
                   KT_EXTREME_END)                                                       \
  KT_REDUCE_WHOLE (NAME, b8, uint8_t, uint8_t, (uint8_t) U & 1, KT_ITSELF, JOIN,         \
                   KT_EXTREME_END)

/* Slices (softmax.h): a term of the sum, what becomes of the sum, the result. */
#define KT_SOFTMAX_LOOPS(NAME, SUFFIX, T, ES, E, MAX, KEEP, TERM, WHOLE, FINAL)          \
  struct NAME##_##SUFFIX                                                                 \
  {                                                                                      \
    typedef T work;                                                                      \
    typedef E sum;                                                                       \
    enum                                                                                 \
    {                                                                                    \
      has_max = MAX                                                                      \
    };                                                                                   \
    KT_HD_MEMBER E                                                                       \
    term (T a, T b, T m)                                                                 \
    {                                                                                    \
      (void) a, (void) b, (void) m;                                                      \
      return (E) TERM (a, b, m);                                                         \
    }                                                                                    \
    KT_HD_MEMBER T                                                                       \
    whole (T s)                                                                          \
    {                                                                                    \
      return WHOLE (s);                                                                  \
    }                                                                                    \
    KT_HD_MEMBER T                                                                       \
    final (T a, T b, T m, T s, T y)                                                      \
    {                                                                                    \
      (void) a, (void) b, (void) m, (void) y;                                            \
      return FINAL (a, b, m, s, y);                                                      \
    }                                                                                    \
  };
