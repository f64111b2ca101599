/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.h: ordinary nodes for gradients and bodies, written like formulas.
 *
 *   kt_value slope = kt_mul (host, g, dy, kt_cos (host, g, x));
 *
 * The emitted text means opset KT_EMIT_OPSET. An absent value (0) as argument gives an
 * absent result; errors are sticky in the host, which reports the first one when the
 * callback returns, so that nothing has to be checked in between.
 */
#pragma once
#include "half.h"
#include "operator.h"

#define KT_EMIT_OPSET 18

static inline kt_value
kt_node (const kt_host *host, kt_graph *g, const char *op, const kt_value *in,
         int32_t n_in, const kt_attr *attrs, int32_t n_attrs)
{
  kt_value out = 0;

  host->g_node (g, "", op, KT_EMIT_OPSET, in, n_in, &out, 1, attrs, n_attrs);
  return out;
}

/* An operator of domain "kette", version 1. */
static inline kt_value
kt_own (const kt_host *host, kt_graph *g, const char *op, const kt_value *in,
        int32_t n_in, const kt_attr *attrs, int32_t n_attrs)
{
  kt_value out = 0;

  host->g_node (g, "kette", op, 1, in, n_in, &out, 1, attrs, n_attrs);
  return out;
}

#define KT_EMIT_UNARY(NAME, OP)                                                          \
  static inline kt_value NAME (const kt_host *host, kt_graph *g, kt_value x)             \
  {                                                                                      \
    return x ? kt_node (host, g, OP, &x, 1, NULL, 0) : 0;                                \
  }
#define KT_EMIT_BINARY(NAME, OP)                                                         \
  static inline kt_value NAME (const kt_host *host, kt_graph *g, kt_value a, kt_value b) \
  {                                                                                      \
    return a && b ? kt_node (host, g, OP, (const kt_value[]){ a, b }, 2, NULL, 0) : 0;   \
  }

KT_EMIT_UNARY (kt_neg, "Neg")
KT_EMIT_UNARY (kt_exp_of, "Exp")
KT_EMIT_UNARY (kt_log_of, "Log")
KT_EMIT_UNARY (kt_sqrt_of, "Sqrt")
KT_EMIT_UNARY (kt_sigmoid, "Sigmoid")
KT_EMIT_UNARY (kt_identity, "Identity")
KT_EMIT_UNARY (kt_shape_of, "Shape")
KT_EMIT_BINARY (kt_add, "Add")
KT_EMIT_BINARY (kt_sub, "Sub")
KT_EMIT_BINARY (kt_mul, "Mul")
KT_EMIT_BINARY (kt_div, "Div")
KT_EMIT_BINARY (kt_pow_of, "Pow")
KT_EMIT_BINARY (kt_matmul, "MatMul")
KT_EMIT_BINARY (kt_greater, "Greater")
KT_EMIT_BINARY (kt_less, "Less")
KT_EMIT_BINARY (kt_equal, "Equal")
KT_EMIT_BINARY (kt_and, "And")
KT_EMIT_BINARY (kt_or, "Or")
KT_EMIT_BINARY (kt_max_of, "Max")
KT_EMIT_BINARY (kt_min_of, "Min")
KT_EMIT_BINARY (kt_expand, "Expand")

/* x in SHAPE; a 0 in SHAPE is a dim of size 0, not a copy of one of x's. */
static inline kt_value
kt_reshape (const kt_host *host, kt_graph *g, kt_value x, kt_value shape)
{
  const kt_attr literal = { .name = "allowzero", .kind = KT_A_INT, .i = 1 };

  return x && shape ? kt_node (host, g, "Reshape", (const kt_value[]){ x, shape }, 2,
                               &literal, 1)
                    : 0;
}

static inline kt_value
kt_where (const kt_host *host, kt_graph *g, kt_value condition, kt_value a, kt_value b)
{
  return condition && a && b ? kt_node (host, g, "Where",
                                        (const kt_value[]){ condition, a, b }, 3, NULL, 0)
                             : 0;
}

/* Can V become a signed integer of so many bits? */
static inline bool
kt_holds (double v, int bits)
{
  const double limit = 2.0 * (double) ((uint64_t) 1 << (bits - 2));

  return v >= -limit && v < limit;
}

/* A scalar constant of element type DTYPE (a float type or a signed integer). */
static inline kt_value
kt_scalar (const kt_host *host, kt_graph *g, int32_t dtype, double v)
{
  union
  {
    float f;
    double d;
    int32_t i;
    int64_t l;
    uint16_t h;
    int16_t s;
    int8_t b;
  } u          = { 0 };
  uint8_t code = 2, bits = 32;

  if (dtype == KT_F32)
    u.f = (float) v;
  else if (dtype == KT_F64)
    u.d = v, bits = 64;
  else if (dtype == KT_F16)
    u.h = kt_f64_to_f16 (v), bits = 16;
  else if (dtype == KT_BF16)
    u.h = kt_f64_to_bf16 (v), code = 4, bits = 16;
  else if (dtype == KT_I32 && kt_holds (v, 32))
    u.i = (int32_t) v, code = 0;
  else if (dtype == KT_I64 && kt_holds (v, 64))
    u.l = (int64_t) v, code = 0, bits = 64;
  else if (dtype == KT_I16 && kt_holds (v, 16))
    u.s = (int16_t) v, code = 0, bits = 16;
  else if (dtype == KT_I8 && kt_holds (v, 8))
    u.b = (int8_t) v, code = 0, bits = 8;
  else if (dtype == KT_I32 || dtype == KT_I64 || dtype == KT_I16 || dtype == KT_I8)
    {
      kt_fail (host, g, KT_E_VALUE, "%g does not fit the element type", v);
      return 0;
    }
  else
    {
      kt_fail (host, g, KT_E_UNSUPPORTED, "no scalar constants of element type %d",
               (int) dtype);
      return 0;
    }

  const kt_tensor t
      = { .data = &u, .device_type = KT_CPU, .code = code, .bits = bits, .lanes = 1 };
  kt_value out = 0;

  host->g_constant (g, &t, &out);
  return out;
}

/* A scalar of the element type of LIKE. */
static inline kt_value
kt_scalar_like (const kt_host *host, kt_graph *g, kt_value like, double v)
{
  kt_type t = { 0 };

  host->g_type (g, like, &t);
  return kt_scalar (host, g, t.dtype, v);
}

/* An int64 constant of rank 1. */
static inline kt_value
kt_ints (const kt_host *host, kt_graph *g, const int64_t *v, int64_t n)
{
  const kt_tensor t = { .data        = (void *) (uintptr_t) v,
                        .device_type = KT_CPU,
                        .ndim        = 1,
                        .code        = 0,
                        .bits        = 64,
                        .lanes       = 1,
                        .shape       = &n };
  kt_value out      = 0;

  host->g_constant (g, &t, &out);
  return out;
}

/* dy summed back to the shape of x, over the dims along which x was broadcast; dy itself
 * where the shapes are known to be equal. */
kt_value kt_sum_to (const kt_host *host, kt_graph *g, kt_value dy, kt_value x);
