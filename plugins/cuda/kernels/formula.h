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
