/* SPDX-License-Identifier: Apache-2.0
 *
 * operator.h: what every operator's file includes.
 *
 * An operator is one file that exports one kt_operator, and one word in ops/meson.build:
 * the word "reduce_sum" means ops/GROUP/reduce_sum.c, const kt_operator kette_op_reduce_sum
 * and ONNX's ReduceSum. Names, inputs, outputs, attributes and types of all versions come
 * from schema/operators and are not repeated in C. Order in a file: one sentence with
 * formula and source; kernel; shape rule; gradient; descriptor.
 */
#pragma once
#include "kette-plugin.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define KT_MAX_RANK 32

/* An operator of a built-in module. */
typedef struct kt_operator
{
  kt_op op;                /* the newest form, from the opset op.since on; the tables fill
                              domain, inputs, outputs, attributes, types, until          */
  const kt_kernel *kernel; /* array ended by run NULL, or NULL: served by op.body;
                              domain, name and device are filled in                       */
  const kt_op *old;        /* superseded forms (since .. until, infer, body), ended by
                              name NULL, or NULL                                          */
} kt_operator;

/* One version of an operator in the generated tables. */
typedef struct kt_schema
{
  const char *name, *domain;
  int32_t since, until; /* until 0: newest */
  uint32_t flags;       /* KT_OP_DEPRECATED */
  int32_t n_in, n_out, n_attr, n_var;
  const kt_param *in, *out, *attr, *var;
} kt_schema;

/* Registers every version in the tables of every operator; register.c. */
kt_status kt_register (const kt_host *host, kt_reg *reg,
                       const kt_operator *const *operators, size_t n_operators,
                       const kt_schema *schemas, size_t n_schemas);

/* The first fields of a descriptor: newest form since opset SINCE. */
#define KT_OP(NAME, SINCE) .struct_size = sizeof (kt_op), .name = NAME, .since = SINCE
#define KT_OLD(NAME, SINCE, UNTIL)                                                       \
  .struct_size = sizeof (kt_op), .name = NAME, .since = SINCE, .until = UNTIL
#define KT_KERNEL .struct_size = sizeof (kt_kernel), .device = "cpu"
#define KT_CPU_FLAGS (KT_K_DETERMINISTIC | KT_K_REENTRANT)

/* host->fail with printf's formats. */
static inline kt_status kt_fail (const kt_host *host, const void *ctx, kt_status code,
                                 const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));
static inline kt_status
kt_fail (const kt_host *host, const void *ctx, kt_status code, const char *format, ...)
{
  char text[512];
  va_list args;

  va_start (args, format);
  int n = vsnprintf (text, sizeof text, format, args);
  va_end (args);
  if (n < 0)
    n = 0;
  return host->fail (ctx, code, text,
                     (size_t) n < sizeof text ? (size_t) n : sizeof text - 1);
}

/* Leaves the function with the status of EXPR unless it is KT_OK. */
#define KT_TRY(EXPR)                                                                     \
  do                                                                                     \
    {                                                                                    \
      const kt_status kt_try_status = (EXPR);                                            \
      if (kt_try_status != KT_OK)                                                        \
        return kt_try_status;                                                            \
    }                                                                                    \
  while (0)

/* Attributes; the schema's default is applied by the host, ABSENT where there is none. */
static inline int64_t
kt_attr_int (const kt_host *host, const void *ctx, const char *name, int64_t absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_INT ? a.i : absent;
}

static inline double
kt_attr_float (const kt_host *host, const void *ctx, const char *name, double absent)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_FLOAT ? a.f : absent;
}

/* Is the STRING attribute NAME equal to TEXT? */
static inline bool
kt_attr_is (const kt_host *host, const void *ctx, const char *name, const char *text)
{
  kt_attr a;

  return host->attr (ctx, name, &a) == KT_OK && a.kind == KT_A_STRING
         && a.n == strlen (text) && memcmp (a.v, text, a.n) == 0;
}

/* INTS; *n 0 and NULL when absent. */
static inline const int64_t *
kt_attr_ints (const kt_host *host, const void *ctx, const char *name, size_t *n)
{
  kt_attr a;

  *n = 0;
  if (host->attr (ctx, name, &a) != KT_OK || a.kind != KT_A_INTS)
    return NULL;
  *n = a.n;
  return a.v;
}

/* Types. kind 0 when absent (ndim 0) or unknown (ndim -1). */
static inline kt_type
kt_in_type (const kt_host *host, const void *ctx, int32_t i)
{
  static const int64_t none[1];
  kt_type t = { 0 };

  if (host->type (ctx, 0, i, &t) != KT_OK)
    t.kind = 0;
  if (!t.dims) /* a scalar's: something to add 0 to */
    t.dims = none;
  return t;
}

/* Is T the type of an operand that is absent, not just not known? */
static inline bool
kt_is_absent (kt_type t)
{
  return t.kind == 0 && t.ndim == 0;
}

static inline kt_type
kt_out_type (const kt_host *host, const void *ctx, int32_t i)
{
  kt_type t = { 0 };

  if (host->type (ctx, 1, i, &t) != KT_OK)
    t.kind = 0;
  return t;
}

static inline kt_status
kt_set_out (const kt_host *host, kt_infer *infer, int32_t i, int32_t dtype,
            const int64_t *dims, int32_t ndim)
{
  const kt_type t = { .kind = KT_TENSOR, .dtype = dtype, .ndim = ndim, .dims = dims };

  return host->out_type (infer, i, &t);
}

static inline bool
kt_dim_known (int64_t dim)
{
  return !KT_IS_DIM (dim);
}

/* Number of elements of a shape with all dims known; used in prepare, where the host has
 * checked already that it does not overflow. */
static inline int64_t
kt_count (const int64_t *dims, int32_t ndim)
{
  int64_t n = 1;

  for (int32_t i = 0; i < ndim; i++)
    n *= dims[i];
  return n;
}

static inline bool
kt_is_float (int32_t dtype)
{
  return dtype == KT_F32 || dtype == KT_F64 || dtype == KT_F16 || dtype == KT_BF16;
}

/* Bytes of one element; 0 for sub-byte types and strings are sizeof (kt_str). */
static inline size_t
kt_size_of (int32_t dtype)
{
  static const uint8_t size[KT_I2 + 1]
      = { [KT_F32] = 4,      [KT_U8] = 1,
          [KT_I8] = 1,       [KT_U16] = 2,
          [KT_I16] = 2,      [KT_I32] = 4,
          [KT_I64] = 8,      [KT_STRING] = sizeof (kt_str),
          [KT_BOOL] = 1,     [KT_F16] = 2,
          [KT_F64] = 8,      [KT_U32] = 4,
          [KT_U64] = 8,      [KT_C64] = 8,
          [KT_C128] = 16,    [KT_BF16] = 2,
          [KT_F8E4M3FN] = 1, [KT_F8E4M3FNUZ] = 1,
          [KT_F8E5M2] = 1,   [KT_F8E5M2FNUZ] = 1,
          [KT_F8E8M0] = 1 };

  return dtype > 0 && dtype <= KT_I2 ? size[dtype] : 0;
}

/* Axis in -ndim .. ndim-1 to 0 .. ndim-1; KT_E_VALUE or KT_E_ATTR (code) otherwise. */
static inline kt_status
kt_axis (const kt_host *host, const void *ctx, kt_status code, int64_t axis, int32_t ndim,
         int32_t *out)
{
  if (axis < -(int64_t) ndim || axis >= ndim)
    return kt_fail (host, ctx, code, "axis %lld is not in %d..%d", (long long) axis,
                    -ndim, ndim - 1);
  *out = (int32_t) (axis < 0 ? axis + ndim : axis);
  return KT_OK;
}

/* The output has type and shape of the first input (elementwise operators). */
static inline kt_status
kt_infer_same (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type t = kt_in_type (host, infer, 0);

  (void) user;
  return t.kind == 0 ? KT_OK : host->out_type (infer, 0, &t);
}
