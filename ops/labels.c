/* SPDX-License-Identifier: Apache-2.0
 *
 * labels.c: shapes of losses with labels, and their bodies.
 */
#include "labels.h"
#include "emit.h"
#include "shape.h"

static kt_status
reduction_of (const kt_host *host, const void *ctx, kt_reduced *reduction)
{
  static const char *const names[] = { "none", "sum", "mean" };

  for (int i = 0; i < 3; i++)
    if (kt_attr_is (host, ctx, "reduction", names[i]))
      {
        *reduction = (kt_reduced) i;
        return KT_OK;
      }
  return kt_fail (host, ctx, KT_E_ATTR,
                  "reduction must be \"none\", \"sum\" or \"mean\"");
}

static kt_status
check_labels (const kt_host *host, const void *ctx, const kt_type *x, const kt_type *t)
{
  if (t->ndim != x->ndim - 1)
    return kt_fail (host, ctx, KT_E_SHAPE,
                    "scores of rank %d need labels of rank %d, not %d", (int) x->ndim,
                    (int) x->ndim - 1, (int) t->ndim);
  for (int32_t d = 0; d < t->ndim; d++)
    {
      const int64_t have = t->dims[d], want = x->dims[d ? d + 1 : 0];
      if (kt_dim_known (have) && kt_dim_known (want) && have != want)
        return kt_fail (host, ctx, KT_E_SHAPE,
                        "dim %d of the labels is %lld, scores have %lld", (int) d,
                        (long long) have, (long long) want);
    }
  return KT_OK;
}

kt_status
kt_labels_check (const kt_host *host, const void *ctx, int32_t first)
{
  const kt_type x = kt_in_type (host, ctx, first), t = kt_in_type (host, ctx, first + 1);
  const kt_type w = kt_in_type (host, ctx, first + 2);
  kt_reduced reduction;

  KT_TRY (reduction_of (host, ctx, &reduction));
  if (x.kind && x.ndim >= 0 && x.ndim < 2)
    return kt_fail (host, ctx, KT_E_SHAPE, "scores have rank %d, need 2 or more",
                    (int) x.ndim);
  if (x.kind && t.kind && x.ndim >= 0 && t.ndim >= 0)
    KT_TRY (check_labels (host, ctx, &x, &t));
  if (w.kind && w.ndim >= 0 && w.ndim != 1)
    return kt_fail (host, ctx, KT_E_SHAPE, "weights have rank %d, need 1", (int) w.ndim);
  if (w.kind && w.ndim == 1 && x.kind && x.ndim >= 0 && kt_dim_known (w.dims[0])
      && kt_dim_known (x.dims[1]) && w.dims[0] != x.dims[1])
    return kt_fail (host, ctx, KT_E_SHAPE, "%lld weights for %lld classes",
                    (long long) w.dims[0], (long long) x.dims[1]);
  return KT_OK;
}

kt_status
kt_labels_read (const kt_host *host, const void *ctx, int32_t first, kt_labels *l)
{
  const kt_type x = kt_in_type (host, ctx, first), t = kt_in_type (host, ctx, first + 1);
  kt_attr ignore;

  KT_TRY (host->attr (ctx, "ignore_index", &ignore));
  KT_TRY (reduction_of (host, ctx, &l->reduction));
  l->count       = kt_count (t.dims, t.ndim);
  l->classes     = x.dims[1];
  l->inner       = kt_count (x.dims + 2, x.ndim - 2);
  l->has_ignore  = ignore.kind == KT_A_INT;
  l->ignore      = ignore.i;
  l->has_weights = kt_in_type (host, ctx, first + 2).kind != 0;
  l->wide        = x.dtype == KT_F64;
  l->wide_labels = t.dtype == KT_I64;
  return KT_OK;
}

kt_status
kt_labels_set_loss (const kt_host *host, kt_infer *infer, int32_t first)
{
  const kt_type x = kt_in_type (host, infer, first),
                t = kt_in_type (host, infer, first + 1);

  if (x.kind == 0 || t.kind == 0)
    return KT_OK;
  return kt_attr_is (host, infer, "reduction", "none")
             ? kt_set_out (host, infer, 0, x.dtype, t.dims, t.ndim)
             : kt_set_out (host, infer, 0, x.dtype, NULL, 0);
}

kt_status
kt_labels_refuse (const kt_host *host, const kt_run *run, const kt_labels *l, int32_t j,
                  int64_t i)
{
  const kt_tensor *const t = &run->in[j];
  const int64_t v
      = l->wide_labels ? ((const int64_t *) t->data)[i] : ((const int32_t *) t->data)[i];
  char text[256];

  return kt_fail (host, run, KT_E_VALUE, "label %lld at position %s is not in 0..%lld",
                  (long long) v, kt_position (t, i, text), (long long) l->classes - 1);
}

/* The numbers 0 .. C-1 in the shape (C, 1, ..), C = dim 1 of X. */
static kt_value
class_numbers (const kt_host *host, kt_graph *g, kt_value x, const kt_type *t)
{
  const kt_attr part[]  = { { .name = "start", .kind = KT_A_INT, .i = 1 },
                            { .name = "end", .kind = KT_A_INT, .i = 2 } };
  const int64_t no_axis = 0;
  int64_t axes[KT_MAX_RANK];
  kt_value c;

  const kt_value size = kt_node (host, g, "Shape", &x, 1, part, 2);
  const kt_value in[]
      = { kt_scalar (host, g, KT_I64, 0),
          kt_node (host, g, "Squeeze",
                   (const kt_value[]){ size, kt_ints (host, g, &no_axis, 1) }, 2, NULL,
                   0),
          kt_scalar (host, g, KT_I64, 1) };
  c = kt_node (host, g, "Range", in, 3, NULL, 0);
  for (int32_t d = 0; d < t->ndim - 2; d++)
    axes[d] = d + 1;
  if (t->ndim <= 2)
    return c;
  return kt_node (host, g, "Unsqueeze",
                  (const kt_value[]){ c, kt_ints (host, g, axes, t->ndim - 2) }, 2, NULL,
                  0);
}

static kt_value
cast (const kt_host *host, kt_graph *g, kt_value v, int32_t dtype)
{
  const kt_attr to = { .name = "to", .kind = KT_A_INT, .i = dtype };

  return kt_node (host, g, "Cast", &v, 1, &to, 1);
}

/* The sum over axis 1. */
static kt_value
sum_classes (const kt_host *host, kt_graph *g, kt_value v, int64_t keep)
{
  const int64_t axis  = 1;
  const kt_attr attr  = { .name = "keepdims", .kind = KT_A_INT, .i = keep };
  const kt_value in[] = { v, kt_ints (host, g, &axis, 1) };

  return kt_node (host, g, "ReduceSum", in, 2, &attr, 1);
}

static kt_value
sum_all (const kt_host *host, kt_graph *g, kt_value v)
{
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };

  return kt_node (host, g, "ReduceSum", &v, 1, &keep, 1);
}

kt_hot
kt_labels_hot (const kt_host *host, kt_graph *g, int32_t first)
{
  const kt_value x = host->g_in (g, first), w = host->g_in (g, first + 2);
  const int64_t axis = 1;
  kt_hot h           = { 0 };
  kt_type t          = { 0 };
  kt_attr ignore;

  host->g_type (g, x, &t);
  if (t.ndim < 2)
    {
      kt_fail (host, g, KT_E_UNSUPPORTED, "scores of unknown rank");
      return h;
    }

  const kt_value in[]    = { cast (host, g, host->g_in (g, first + 1), KT_I64),
                             kt_ints (host, g, &axis, 1) };
  const kt_value labels  = kt_node (host, g, "Unsqueeze", in, 2, NULL, 0);
  const kt_value classes = class_numbers (host, g, x, &t);
  h.hot                  = kt_equal (host, g, labels, classes);

  /* Weights (C) in the shape (C, 1, ..), picked by a sum over the classes. */
  const kt_value hot = cast (host, g, h.hot, t.dtype);
  if (w)
    h.weight = sum_classes (
        host, g,
        kt_mul (host, g, hot, kt_reshape (host, g, w, kt_shape_of (host, g, classes))),
        1);
  host->attr (g, "ignore_index", &ignore);
  if (ignore.kind == KT_A_INT)
    {
      const kt_value same
          = kt_equal (host, g, labels, kt_scalar (host, g, KT_I64, (double) ignore.i));
      const kt_value zero = kt_scalar_like (host, g, x, 0),
                     one  = kt_scalar_like (host, g, x, 1);
      h.weight            = kt_where (host, g, same, zero, h.weight ? h.weight : one);
    }
  else if (!h.weight)
    h.weight = sum_classes (host, g, hot, 1); /* ones, as every label is a class */
  return h;
}

kt_value
kt_labels_seed (const kt_host *host, kt_graph *g, kt_value weight, kt_value de)
{
  const int64_t axis = 1;

  if (kt_attr_is (host, g, "reduction", "none"))
    de = kt_node (host, g, "Unsqueeze",
                  (const kt_value[]){ de, kt_ints (host, g, &axis, 1) }, 2, NULL, 0);
  else if (kt_attr_is (host, g, "reduction", "mean"))
    de = kt_div (host, g, de, sum_all (host, g, weight));
  return kt_mul (host, g, weight, de);
}

kt_value
kt_labels_loss (const kt_host *host, kt_graph *g, const kt_hot *h, kt_value log_prob)
{
  const kt_value zero   = kt_scalar_like (host, g, log_prob, 0);
  const kt_value picked = kt_where (host, g, h->hot, log_prob, zero);
  const kt_value each
      = kt_neg (host, g, sum_classes (host, g, kt_mul (host, g, picked, h->weight), 0));

  if (kt_attr_is (host, g, "reduction", "none"))
    return each;
  const kt_value sum = sum_all (host, g, each);
  return kt_attr_is (host, g, "reduction", "sum")
             ? sum
             : kt_div (host, g, sum, sum_all (host, g, h->weight));
}

int32_t
kt_labels_attrs (const kt_host *host, kt_graph *g, kt_attr attrs[2])
{
  int32_t n = 1;

  host->attr (g, "reduction", &attrs[0]);
  host->attr (g, "ignore_index", &attrs[1]);
  n += attrs[1].kind == KT_A_INT;
  return n;
}
