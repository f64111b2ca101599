/* SPDX-License-Identifier: Apache-2.0
 *
 * Constant: y = the one attribute that is given.  Source: ONNX Constant-13. A sparse value
 * reaches this code as the dense tensor that it means.
 */
#include "shape.h"

/* The attribute as a tensor; single numbers and strings lie in *scalar and *string. */
typedef struct
{
  kt_tensor tensor;
  int32_t dtype;
  int64_t dim, integer;
  float number;
  kt_str string;
} Content;

static kt_status
take (const kt_host *host, const void *ctx, const kt_attr *a, Content *c)
{
  c->tensor = (kt_tensor){ .device_type = KT_CPU, .lanes = 1, .shape = &c->dim };
  switch (a->kind)
    {
    case KT_A_TENSOR:
    case KT_A_SPARSE_TENSOR:
      if (a->n != 1)
        return kt_fail (host, ctx, KT_E_ATTR, "%s holds no tensor", a->name);
      c->tensor = *(const kt_tensor *) a->v;
      c->dtype  = kt_dtype_of (&c->tensor);
      return KT_OK;
    case KT_A_FLOAT:
      c->number      = (float) a->f;
      c->tensor.data = &c->number;
      c->dtype       = KT_F32;
      return KT_OK;
    case KT_A_INT:
      c->integer     = a->i;
      c->tensor.data = &c->integer;
      c->dtype       = KT_I64;
      return KT_OK;
    case KT_A_STRING:
      c->string      = (kt_str){ a->v, a->n };
      c->tensor.data = &c->string;
      c->dtype       = KT_STRING;
      return KT_OK;
    case KT_A_FLOATS:
    case KT_A_INTS:
    case KT_A_STRINGS:
      c->tensor.data = (void *) (uintptr_t) a->v;
      c->tensor.ndim = 1;
      c->dim         = (int64_t) a->n;
      c->dtype       = a->kind == KT_A_FLOATS ? KT_F32
                       : a->kind == KT_A_INTS ? KT_I64
                                              : KT_STRING;
      return KT_OK;
    default:
      return kt_fail (host, ctx, KT_E_ATTR, "%s is no value", a->name);
    }
}

static kt_status
content (const kt_host *host, const void *ctx, Content *c)
{
  static const char *const names[]
      = { "value",     "sparse_value", "value_float",  "value_floats",
          "value_int", "value_ints",   "value_string", "value_strings" };
  int n = 0;

  *c = (Content){ 0 };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      kt_attr a;
      KT_TRY (host->attr (ctx, names[i], &a));
      if (a.kind == 0)
        continue;
      a.name = names[i];
      KT_TRY (take (host, ctx, &a, c));
      n++;
    }
  return n == 1 ? KT_OK
                : kt_fail (host, ctx, KT_E_ATTR,
                           "has %d attributes with a value, must have 1", n);
}

static kt_status
constant_infer (const kt_host *host, kt_infer *infer, void *user)
{
  Content c;

  (void) user;
  KT_TRY (content (host, infer, &c));
  KT_TRY (kt_set_out (host, infer, 0, c.dtype, c.tensor.shape, c.tensor.ndim));

  const int64_t n = kt_count (c.tensor.shape, c.tensor.ndim);
  int64_t v[64];
  if ((c.dtype != KT_I64 && c.dtype != KT_I32) || n > 64 || !c.tensor.data)
    return KT_OK; /* a sparse tensor may have no dense content yet */
  for (int64_t i = 0; i < n; i++)
    {
      v[i] = c.dtype == KT_I64 ? ((const int64_t *) c.tensor.data)[i]
                               : ((const int32_t *) c.tensor.data)[i];
      if (KT_IS_DIM (v[i]))
        return KT_OK; /* a number that means something else in a shape */
    }
  return host->out_ints (infer, 0, v, (size_t) n);
}

static kt_status
constant_run (const kt_host *host, kt_run *run, void *state)
{
  Content c;

  (void) state;
  KT_TRY (content (host, run, &c));

  const size_t bytes = kt_bytes_of (c.dtype, kt_count (c.tensor.shape, c.tensor.ndim));
  if (bytes)
    memcpy (run->out[0].data, (const char *) c.tensor.data + c.tensor.byte_offset, bytes);
  return KT_OK;
}

static const kt_kernel constant_kernel[] = {
  { KT_KERNEL, .flags = KT_CPU_FLAGS, .run = constant_run },
  { 0 },
};

const kt_operator kette_op_constant = {
  .op     = { KT_OP ("Constant", 1), .flags = KT_OP_PURE | KT_OP_ZERO_GRADIENT,
              .infer = constant_infer },
  .kernel = constant_kernel,
};
