/* SPDX-License-Identifier: Apache-2.0
 *
 * combine.c: elements put into others: by size where they are replaced, by type where they
 * are combined. Integers wrap; bools add by "or" and multiply by "and"; 16-bit floats are
 * computed as float and rounded once; NaN goes on through max and min.
 */
#include "combine.h"
#include "half.h"
#include "put.h"

typedef struct
{
  uint64_t a, b;
} Pair;

#define PUT(BITS, T)                                                                     \
  static void put_##BITS (void *to, const int64_t *at, void *from, int64_t n)            \
  {                                                                                      \
    T *y       = to;                                                                     \
    const T *x = from;                                                                   \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      y[at[i]] = x[i];                                                                   \
  }

PUT (8, uint8_t)
PUT (16, uint16_t)
PUT (32, uint32_t)
PUT (64, uint64_t)
PUT (128, Pair)

/* Elements of type T are computed as A by EXPR of a and b. */
#define LOOPS(NAME, SUFFIX, T, A, LOAD, STORE, EXPR)                                     \
  static void NAME##_at_##SUFFIX (void *to, const int64_t *at, void *from, int64_t n)    \
  {                                                                                      \
    T *y       = to;                                                                     \
    const T *x = from;                                                                   \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        const A a = LOAD (y[at[i]]), b = LOAD (x[i]);                                    \
        y[at[i]] = (T) STORE (EXPR);                                                     \
      }                                                                                  \
  }                                                                                      \
  static void NAME##_row_##SUFFIX (void *to, const void *from, int64_t n)                \
  {                                                                                      \
    T *y       = to;                                                                     \
    const T *x = from;                                                                   \
                                                                                         \
    for (int64_t i = 0; i < n; i++)                                                      \
      {                                                                                  \
        const A a = LOAD (y[i]), b = LOAD (x[i]);                                        \
        y[i] = (T) STORE (EXPR);                                                         \
      }                                                                                  \
  }

#define ITSELF(x) (x)
#define STORE_F16(x) kt_f64_to_f16 ((double) (x))
#define STORE_BF16(x) kt_f64_to_bf16 ((double) (x))

#define FLOATS(NAME, EXPR)                                                               \
  LOOPS (NAME, f32, float, float, ITSELF, ITSELF, EXPR)                                  \
  LOOPS (NAME, f64, double, double, ITSELF, ITSELF, EXPR)                                \
  LOOPS (NAME, f16, uint16_t, float, kt_f16_to_f32, STORE_F16, EXPR)                     \
  LOOPS (NAME, bf16, uint16_t, float, kt_bf16_to_f32, STORE_BF16, EXPR)
/* NARROW: the type in which integers of up to 32 bits are computed, WIDE: those of 64. */
#define INTEGERS(NAME, T8, T16, T32, T64, PREFIX, NARROW, WIDE, EXPR)                    \
  LOOPS (NAME, PREFIX##8, T8, NARROW, (NARROW), ITSELF, EXPR)                            \
  LOOPS (NAME, PREFIX##16, T16, NARROW, (NARROW), ITSELF, EXPR)                          \
  LOOPS (NAME, PREFIX##32, T32, NARROW, (NARROW), ITSELF, EXPR)                          \
  LOOPS (NAME, PREFIX##64, T64, WIDE, (WIDE), ITSELF, EXPR)
#define SIGNED(NAME, NARROW, WIDE, EXPR)                                                 \
  INTEGERS (NAME, int8_t, int16_t, int32_t, int64_t, i, NARROW, WIDE, EXPR)
#define UNSIGNED(NAME, EXPR)                                                             \
  INTEGERS (NAME, uint8_t, uint16_t, uint32_t, uint64_t, u, uint32_t, uint64_t, EXPR)

FLOATS (add, KT_PUT_ADD (a, b))
SIGNED (add, uint32_t, uint64_t, KT_PUT_ADD (a, b))
UNSIGNED (add, KT_PUT_ADD (a, b))
LOOPS (add, bool, uint8_t, unsigned, ITSELF, ITSELF, KT_PUT_ADD_BOOL (a, b))

FLOATS (mul, KT_PUT_MUL (a, b))
SIGNED (mul, uint32_t, uint64_t, KT_PUT_MUL (a, b))
UNSIGNED (mul, KT_PUT_MUL (a, b))
LOOPS (mul, bool, uint8_t, unsigned, ITSELF, ITSELF, KT_PUT_MUL_BOOL (a, b))

FLOATS (max, KT_PUT_MAX_FLOAT (a, b))
SIGNED (max, int32_t, int64_t, KT_PUT_MAX (a, b))
UNSIGNED (max, KT_PUT_MAX (a, b))

FLOATS (min, KT_PUT_MIN_FLOAT (a, b))
SIGNED (min, int32_t, int64_t, KT_PUT_MIN (a, b))
UNSIGNED (min, KT_PUT_MIN (a, b))

#define ROW(NAME, TYPE, SUFFIX)                                                          \
  {                                                                                      \
    TYPE, NAME##_at_##SUFFIX, NAME##_row_##SUFFIX                                        \
  }
#define ROWS(NAME, OR_AND)                                                               \
  {                                                                                      \
    ROW (NAME, KT_F32, f32), ROW (NAME, KT_F64, f64), ROW (NAME, KT_F16, f16),           \
        ROW (NAME, KT_BF16, bf16), ROW (NAME, KT_I8, i8), ROW (NAME, KT_I16, i16),       \
        ROW (NAME, KT_I32, i32), ROW (NAME, KT_I64, i64), ROW (NAME, KT_U8, u8),         \
        ROW (NAME, KT_U16, u16), ROW (NAME, KT_U32, u32), ROW (NAME, KT_U64, u64),       \
        ROW (OR_AND, KT_BOOL, bool),                                                     \
  }

enum
{
  N_TYPES = 13
};

static const struct
{
  int32_t dtype;
  void (*at) (void *to, const int64_t *at, void *from, int64_t n);
  void (*row) (void *to, const void *from, int64_t n);
} loops[][N_TYPES] = {
  [KT_REDUCTION_ADD] = ROWS (add, add),
  [KT_REDUCTION_MUL] = ROWS (mul, mul),
  [KT_REDUCTION_MAX] = ROWS (max, add),
  [KT_REDUCTION_MIN] = ROWS (min, mul),
};

kt_status
kt_reduction_of (const kt_host *host, const void *ctx, kt_reduction *out)
{
  static const char *const names[] = { "none", "add", "mul", "max", "min" };
  kt_attr a;

  *out = KT_REDUCTION_NONE;
  if (host->attr (ctx, "reduction", &a) != KT_OK || a.kind != KT_A_STRING)
    return KT_OK;
  for (int i = KT_REDUCTION_NONE; i <= KT_REDUCTION_MIN; i++)
    if (kt_attr_is (host, ctx, "reduction", names[i]))
      {
        *out = (kt_reduction) i;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_ATTR,
                  "reduction is none of none, add, mul, max and min");
}

kt_status
kt_combine_of (const kt_host *host, const void *ctx, int32_t dtype,
               kt_reduction reduction, kt_combine *out)
{
  *out = (kt_combine){ .size = kt_size_of (dtype) };
  if (reduction == KT_REDUCTION_NONE)
    {
      out->at = out->size == 1   ? put_8
                : out->size == 2 ? put_16
                : out->size == 4 ? put_32
                : out->size == 8 ? put_64
                                 : put_128;
      return KT_OK;
    }
  for (int i = 0; i < N_TYPES; i++)
    if (loops[reduction][i].dtype == dtype)
      {
        out->at  = loops[reduction][i].at;
        out->row = loops[reduction][i].row;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_UNSUPPORTED, "reduction of strings or complex numbers");
}
