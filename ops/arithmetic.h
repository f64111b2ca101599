/* SPDX-License-Identifier: Apache-2.0
 *
 * arithmetic.h: zips (elementwise.h) over all numbers.
 *
 *   KETTE_ARITHMETIC (name, a, b, expr)   floats; integers wrap (computed unsigned)
 *   KETTE_COMPARE (name, a, b, expr)      all numbers to bool
 *
 * Both define name_loops and name_kernel.
 */
#pragma once
#include "elementwise.h"

/* M (NAME, SUFFIX, type, type to wrap in, ...) for the integer types. */
#define KT_FOR_INTEGERS(M, NAME, ...)                                                    \
  M (NAME, i8, int8_t, uint32_t, __VA_ARGS__)                                            \
  M (NAME, i16, int16_t, uint32_t, __VA_ARGS__)                                          \
  M (NAME, i32, int32_t, uint32_t, __VA_ARGS__)                                          \
  M (NAME, i64, int64_t, uint64_t, __VA_ARGS__)                                          \
  M (NAME, u8, uint8_t, uint32_t, __VA_ARGS__)                                           \
  M (NAME, u16, uint16_t, uint32_t, __VA_ARGS__)                                         \
  M (NAME, u32, uint32_t, uint32_t, __VA_ARGS__)                                         \
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

/* Rows of a loops table. */
#define KT_SIGNED_ROWS(NAME)                                                             \
  KT_ROW (KT_I8, KT_I8, NAME##_i8), KT_ROW (KT_I16, KT_I16, NAME##_i16),                 \
      KT_ROW (KT_I32, KT_I32, NAME##_i32), KT_ROW (KT_I64, KT_I64, NAME##_i64)
#define KT_UNSIGNED_ROWS(NAME)                                                           \
  KT_ROW (KT_U8, KT_U8, NAME##_u8), KT_ROW (KT_U16, KT_U16, NAME##_u16),                 \
      KT_ROW (KT_U32, KT_U32, NAME##_u32), KT_ROW (KT_U64, KT_U64, NAME##_u64)
#define KT_NUMBER_ROWS(NAME)                                                             \
  KT_FLOAT_ROWS (NAME), KT_SIGNED_ROWS (NAME), KT_UNSIGNED_ROWS (NAME)
#define KT_BOOL_ROWS(NAME)                                                               \
  KT_ROW (KT_F32, KT_BOOL, NAME##_f32), KT_ROW (KT_F64, KT_BOOL, NAME##_f64),            \
      KT_ROW (KT_I8, KT_BOOL, NAME##_i8), KT_ROW (KT_I16, KT_BOOL, NAME##_i16),          \
      KT_ROW (KT_I32, KT_BOOL, NAME##_i32), KT_ROW (KT_I64, KT_BOOL, NAME##_i64),        \
      KT_ROW (KT_U8, KT_BOOL, NAME##_u8), KT_ROW (KT_U16, KT_BOOL, NAME##_u16),          \
      KT_ROW (KT_U32, KT_BOOL, NAME##_u32), KT_ROW (KT_U64, KT_BOOL, NAME##_u64)

#define KETTE_ARITHMETIC(NAME, a, b, EXPR)                                               \
  KETTE_ZIP_LOOP (NAME, f32, float, float, float, a, b, EXPR)                            \
  KETTE_ZIP_LOOP (NAME, f64, double, double, double, a, b, EXPR)                         \
  KT_FOR_INTEGERS (KT_ZIP_WRAPPED, NAME, a, b, EXPR)                                     \
  static const kt_zip_loops NAME##_loops = { .loop = { KT_NUMBER_ROWS (NAME) } };        \
  KT_ZIP_KERNEL (NAME, KT_NUMBER_TYPES)

#define KETTE_COMPARE_LOOPS(NAME, a, b, EXPR)                                            \
  KETTE_ZIP_LOOP (NAME, f32, float, float, uint8_t, a, b, EXPR)                          \
  KETTE_ZIP_LOOP (NAME, f64, double, double, uint8_t, a, b, EXPR)                        \
  KT_FOR_INTEGERS (KT_ZIP_BOOL, NAME, a, b, EXPR)

#define KT_COMPARE_KERNEL(NAME, TYPES)                                                   \
  static const kt_kernel NAME##_kernel[]                                                 \
      = { { KT_KERNEL, .types = TYPES, .flags = KT_CPU_FLAGS | KT_K_TILEABLE,            \
            .user = (void *) &NAME##_loops, .prepare = kt_zip_prepare,                   \
            .run = kt_zip_run, .tile = kt_zip_tile },                                    \
          { 0 } };

#define KETTE_COMPARE(NAME, a, b, EXPR)                                                  \
  KETTE_COMPARE_LOOPS (NAME, a, b, EXPR)                                                 \
  static const kt_zip_loops NAME##_loops = { .loop = { KT_BOOL_ROWS (NAME) } };          \
  KT_COMPARE_KERNEL (NAME, KT_NUMBER_TYPES)
