/* SPDX-License-Identifier: Apache-2.0
 *
 * Reshape: the elements of x under another shape; 0 copies a dim of x unless allowzero is
 * set, one -1 takes what is left.  Source: ONNX Reshape-14.
 */
#include "emit.h"
#include "shape.h"

KT_VIEW_KERNEL (reshape_kernel)

/* Dims as a product: the numbers multiplied, and the symbols. */
typedef struct
{
  int64_t number;
  int64_t symbols[KT_MAX_RANK];
  int32_t n;
} Factors;

static kt_status
factors (const kt_host *host, kt_infer *infer, const int64_t *dims, int32_t ndim,
         Factors *f)
{
  f->number = 1;
  f->n      = 0;
  for (int32_t d = 0; d < ndim; d++)
    if (KT_IS_DIM (dims[d]))
      f->symbols[f->n++] = dims[d];
    else if (dims[d] == 0)
      f->number = 0;
    else if (dims[d] > 0 && __builtin_mul_overflow (f->number, dims[d], &f->number))
      return kt_fail (host, infer, KT_E_LIMIT, "the product of %d dims exceeds 2^63",
                      (int) ndim);
  return KT_OK;
}

/* Removes from both sides what is surely equal. */
static void
cancel (Factors *a, Factors *b)
{
  for (int32_t i = 0; i < a->n; i++)
    for (int32_t k = 0; k < b->n; k++)
      if (a->symbols[i] == b->symbols[k] && a->symbols[i] != KT_DIM (0))
        {
          a->symbols[i--] = a->symbols[--a->n];
          b->symbols[k]   = b->symbols[--b->n];
          break;
        }
}

/* Copies dims for zeros; *open receives the place of the -1, or -1. */
static kt_status
read_target (const kt_host *host, kt_infer *infer, const kt_type *x, const int64_t *shape,
             int32_t n, int64_t *dims, int32_t *open)
{
  const bool allow_zero = kt_attr_int (host, infer, "allowzero", 0) != 0;
  bool zero             = false;

  *open = -1;
  for (int32_t d = 0; d < n; d++)
    {
      dims[d] = shape[d];
      zero    = zero || shape[d] == 0;
      if (shape[d] == 0 && !allow_zero)
        {
          if (x->ndim >= 0 && d >= x->ndim)
            return kt_fail (host, infer, KT_E_SHAPE,
                            "dim %d is to be copied, the input has rank %d", (int) d,
                            (int) x->ndim);
          dims[d] = x->ndim < 0 ? KT_DIM (0) : x->dims[d];
        }
      else if (shape[d] == -1)
        {
          if (*open >= 0)
            return kt_fail (host, infer, KT_E_VALUE, "shape has -1 at %d and at %d",
                            (int) *open, (int) d);
          *open   = d;
          dims[d] = KT_DIM (0);
        }
      else if (shape[d] < -1 && !KT_IS_DIM (shape[d]))
        return kt_fail (host, infer, KT_E_VALUE, "shape has %lld at %d",
                        (long long) shape[d], (int) d);
    }
  if (allow_zero && zero && *open >= 0)
    return kt_fail (host, infer, KT_E_VALUE, "shape has both 0 and -1 under allowzero");
  return KT_OK;
}

/* Sets the dim at OPEN, or checks the number of elements. */
static kt_status
solve (const kt_host *host, kt_infer *infer, const kt_type *x, int64_t *dims, int32_t n,
       int32_t open)
{
  Factors have, need;
  int64_t rest[KT_MAX_RANK];
  int32_t n_rest = 0;

  for (int32_t d = 0; d < n; d++)
    if (d != open)
      rest[n_rest++] = dims[d];
  if (x->ndim < 0)
    return KT_OK;
  KT_TRY (factors (host, infer, x->dims, x->ndim, &have));
  KT_TRY (factors (host, infer, rest, n_rest, &need));
  cancel (&have, &need);
  if (have.n == 0 && need.n == 0)
    {
      const bool fits = open < 0 ? have.number == need.number
                                 : need.number != 0 && have.number % need.number == 0;
      if (!fits)
        return kt_fail (host, infer, KT_E_SHAPE,
                        open < 0 ? "the input has %lld elements, the shape needs %lld"
                                 : "%lld elements do not divide by %lld",
                        (long long) have.number, (long long) need.number);
      if (open >= 0)
        dims[open] = have.number / need.number;
    }
  else if (open >= 0 && have.n == 1 && need.n == 0 && have.number == need.number
           && have.number != 0)
    dims[open] = have.symbols[0];
  return KT_OK;
}

static kt_status
reshape_infer (const kt_host *host, kt_infer *infer, void *user)
{
  const kt_type x = kt_in_type (host, infer, 0);
  int64_t length, dims[KT_MAX_RANK];
  const int64_t *shape;
  int32_t open;
  size_t n;

  (void) user;
  if (x.kind == 0)
    return KT_OK;
  KT_TRY (kt_length_of (host, infer, 1, &length));
  KT_TRY (host->ints (infer, 1, &shape, &n));
  if (length > KT_MAX_RANK)
    return kt_fail (host, infer, KT_E_LIMIT, "shape has %lld dims, at most %d are served",
                    (long long) length, KT_MAX_RANK);
  if (!shape && length != 0)
    return kt_set_unknown (host, infer, 0, x.dtype, (int32_t) length);
  KT_TRY (read_target (host, infer, &x, shape, (int32_t) n, dims, &open));
  KT_TRY (solve (host, infer, &x, dims, (int32_t) n, open));
  KT_TRY (kt_set_out (host, infer, 0, x.dtype, dims, (int32_t) n));
  return kt_pass_ints (host, infer);
}

/* Reshape-1: the shape is an attribute. */
static kt_status
reshape_1_body (const kt_host *host, kt_graph *g, void *user)
{
  size_t n;
  const int64_t *shape = kt_attr_ints (host, g, "shape", &n);

  (void) user;
  if (!shape)
    return kt_fail (host, g, KT_E_ATTR, "the attribute shape is missing");

  /* A 0 in the attribute copies a dim, as it does by default in the newest form. */
  const kt_value in[] = { host->g_in (g, 0), kt_ints (host, g, shape, (int64_t) n) };
  return host->g_set (g, 0, kt_node (host, g, "Reshape", in, 2, NULL, 0));
}

const kt_operator kette_op_reshape = {
  .op     = { KT_OP ("Reshape", 5), .flags = KT_OP_PURE, .infer = reshape_infer,
              .gradient = kt_view_gradient },
  .kernel = reshape_kernel,
  .old    = (const kt_op[]){ { KT_OLD ("Reshape", 1, 4), .flags = KT_OP_PURE,
                               .body = reshape_1_body },
                             { 0 } },
};
