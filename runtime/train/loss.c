/* SPDX-License-Identifier: Apache-2.0
 * Losses: one row each. A builder emits the nodes from prediction y and target t to the
 * scalar "loss".
 */
#include "train/loss.h"
#include <string.h>

/* E = 1/B sum_b 1/2 sum_k (y - t)^2, one node: kette.HalfSSE. */
static KetteValue *
half_sse (KetteEmitter *e, KetteValue *y, KetteValue *t)
{
  KetteValue *const in[] = { y, t };
  return _kette_emit (e, "kette", "HalfSSE", 1, in, 2, NULL, 0, "loss");
}

/* E = 1/(B K) sum (y - t)^2 */
static KetteValue *
mse (KetteEmitter *e, KetteValue *y, KetteValue *t)
{
  KetteValue *d = _kette_emit2 (e, "Sub", y, t);
  return _kette_emit_mean (e, _kette_emit2 (e, "Mul", d, d), "loss");
}

/* E = 1/(B K) sum |y - t| */
static KetteValue *
l1 (KetteEmitter *e, KetteValue *y, KetteValue *t)
{
  return _kette_emit_mean (e, _kette_emit1 (e, "Abs", _kette_emit2 (e, "Sub", y, t)),
                           "loss");
}

/* A scalar of y's element type. */
static KetteValue *
number (KetteEmitter *e, const char *name, const KetteValue *y, double v)
{
  return _kette_emit_scalar (e, name, y->type.dtype, v);
}

/* max (log (a), -100): the bound keeps 0 * log (0) at 0, as in PyTorch. */
static KetteValue *
bounded_log (KetteEmitter *e, KetteValue *a, KetteValue *bound)
{
  return _kette_emit2 (e, "Max", _kette_emit1 (e, "Log", a), bound);
}

/* E = -mean (t ln y + (1 - t) ln (1 - y)) */
static KetteValue *
bce (KetteEmitter *e, KetteValue *y, KetteValue *t)
{
  KetteValue *one   = number (e, "loss/one", y, 1),
             *bound = number (e, "loss/bound", y, -100);
  KetteValue *a, *b;
  const kt_attr keep = { .name = "keepdims", .kind = KT_A_INT, .i = 0 };

  a = _kette_emit2 (e, "Mul", t, bounded_log (e, y, bound));
  b = _kette_emit2 (e, "Mul", _kette_emit2 (e, "Sub", one, t),
                    bounded_log (e, _kette_emit2 (e, "Sub", one, y), bound));
  a = _kette_emit2 (e, "Add", a, b);
  a = _kette_emit (e, "", "ReduceMean", e->opset, &a, 1, &keep, 1, NULL);
  return _kette_emit (e, "", "Neg", e->opset, &a, 1, NULL, 0, "loss");
}

/* E = mean (max (z, 0) - z t + ln (1 + e^-|z|)); the logarithm is -ln sigmoid (|z|), which
 * overflows nowhere. */
static KetteValue *
bce_logits (KetteEmitter *e, KetteValue *z, KetteValue *t)
{
  KetteValue *linear = _kette_emit2 (e, "Sub", _kette_emit1 (e, "Relu", z),
                                     _kette_emit2 (e, "Mul", z, t));
  KetteValue *log
      = _kette_emit1 (e, "Log", _kette_emit1 (e, "Sigmoid", _kette_emit1 (e, "Abs", z)));

  return _kette_emit_mean (e, _kette_emit2 (e, "Sub", linear, log), "loss");
}

static KetteValue *
labels_loss (KetteEmitter *e, const char *op, KetteValue *y, KetteValue *t)
{
  KetteValue *const in[] = { y, t };
  const kt_attr reduction
      = { .name = "reduction", .kind = KT_A_STRING, .v = "mean", .n = 4 };

  return _kette_emit (e, "", op, e->opset, in, 2, &reduction, 1, "loss");
}

/* E = -1/B sum_b ln softmax (z)[label] */
static KetteValue *
cross_entropy (KetteEmitter *e, KetteValue *z, KetteValue *t)
{
  return labels_loss (e, "SoftmaxCrossEntropyLoss", z, t);
}

/* E = -1/B sum_b x[label] */
static KetteValue *
nll (KetteEmitter *e, KetteValue *x, KetteValue *t)
{
  return labels_loss (e, "NegativeLogLikelihoodLoss", x, t);
}

/* E = -1/B sum t ln softmax (z); the sum over classes by a product with ones, which needs no
 * axes, whose form changed between opsets: mean over b of sum_k = K * mean over both. */
static KetteValue *
cross_entropy_dense (KetteEmitter *e, KetteValue *z, KetteValue *t)
{
  const kt_attr last  = { .name = "axis", .kind = KT_A_INT, .i = -1 };
  const kt_type *type = &z->type;
  KetteValue *mean,
      *log = _kette_emit (e, "", "LogSoftmax", e->opset, &z, 1, &last, 1, NULL);

  if (!e->failed && (type->ndim != 2 || type->dims[1] < 1))
    {
      _kette_fail (
          e->error, KETTE_ERROR_SHAPE, NULL,
          "cross-entropy-dense needs an output with rows of known length, %s is not",
          KETTE_QUOTE (z->name));
      return _kette_emit_fail (e);
    }
  if (e->failed)
    return NULL;
  mean = _kette_emit_mean (e, _kette_emit2 (e, "Mul", t, log), NULL);

  KetteValue *const in[]
      = { mean, number (e, "loss/classes", z, -(double) type->dims[1]) };
  return _kette_emit (e, "", "Mul", e->opset, in, 2, NULL, 0, "loss");
}

/* E = mean max (0, 1 - t y), targets -1 and 1 */
static KetteValue *
hinge (KetteEmitter *e, KetteValue *y, KetteValue *t)
{
  KetteValue *one = number (e, "loss/one", y, 1);

  return _kette_emit_mean (
      e,
      _kette_emit1 (e, "Relu",
                    _kette_emit2 (e, "Sub", one, _kette_emit2 (e, "Mul", t, y))),
      "loss");
}

static const KetteLoss losses[] = {
  { "half-sse", FALSE, FALSE, 1, half_sse, "1/B sum_b 1/2 sum_k (y - t)^2",
    "mse has 2/K of its gradient" },
  { "mse", FALSE, FALSE, 7, mse, "1/(B K) sum (y - t)^2", "2/K of half-sse's gradient" },
  { "l1", FALSE, FALSE, 7, l1, "1/(B K) sum |y - t|", NULL },
  { "bce", FALSE, FALSE, 8, bce, "-mean (t ln y + (1 - t) ln (1 - y))", NULL },
  { "bce-logits", FALSE, TRUE, 7, bce_logits, "mean (max (z, 0) - z t + ln (1 + e^-|z|))",
    NULL },
  { "cross-entropy", TRUE, TRUE, 12, cross_entropy, "-1/B sum_b ln softmax (z)[label]",
    NULL },
  { "cross-entropy-dense", FALSE, TRUE, 13, cross_entropy_dense,
    "-1/B sum t ln softmax (z)", NULL },
  { "nll", TRUE, FALSE, 12, nll, "-1/B sum_b x[label]", NULL },
  { "hinge", FALSE, FALSE, 7, hinge, "mean max (0, 1 - t y)", "targets are -1 and 1" },
};

const KetteLoss *
_kette_loss_find (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (losses); i++)
    if (strcmp (losses[i].name, name) == 0)
      return &losses[i];
  return NULL;
}

char *
_kette_loss_names (void)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < G_N_ELEMENTS (losses); i++)
    g_string_append_printf (text, "%s%s", i ? ", " : "", losses[i].name);
  return g_string_free (text, FALSE);
}
