/* SPDX-License-Identifier: Apache-2.0
 * What does not deserve a box of its own: the Add of a bias belongs to its MatMul, a shape or
 * a single number is text in the box of its consumer.
 */
#include "draw/draw-private.h"
#include <math.h>
#include <string.h>

#define MAX_SMALL 8 /* elements of a constant that is text */

static gboolean
is_op (const KetteNode *node, const char *op)
{
  return node->domain[0] == '\0' && strcmp (node->op, op) == 0;
}

gboolean
_kette_fold_is_constant (const KetteValue *v)
{
  if (v->producer)
    return is_op (v->producer, "Constant");
  return v->data || (v->flags & KETTE_VALUE_INITIALIZER);
}

gboolean
_kette_fold_bias (const KetteNode *node, const KetteUses *uses, const KetteNode **product,
                  const KetteValue **bias)
{
  if (!is_op (node, "Add") || node->n_in != 2)
    return FALSE;
  for (int i = 0; i < 2; i++)
    {
      const KetteValue *h = node->in[i], *b = node->in[1 - i];
      const KetteNode *matmul = h ? h->producer : NULL;

      if (!b || !matmul || !is_op (matmul, "MatMul") || matmul->n_in != 2
          || !matmul->in[0] || !matmul->in[1])
        continue;
      if (!_kette_fold_is_constant (b) || !_kette_fold_is_constant (matmul->in[1])
          || _kette_fold_is_constant (matmul->in[0]) || (h->flags & KETTE_VALUE_OUTPUT)
          || uses->start[h->index + 1] - uses->start[h->index] != 1)
        continue;
      *product = matmul;
      *bias    = b;
      return TRUE;
    }
  return FALSE;
}

/* A number in the shortest form that reads back, in the C locale, with a real minus. */
static void
put_double (GString *out, double v, gboolean single)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  if (isnan (v) || isinf (v))
    {
      g_string_append (out, isnan (v) ? "NaN"
                            : v > 0   ? "\xe2\x88\x9e"
                                      : "\xe2\x88\x92\xe2\x88\x9e");
      return;
    }
  for (int digits = 1; digits <= 17; digits++)
    {
      char format[8] = "%.0g";
      double back;

      g_snprintf (format, sizeof format, "%%.%dg", digits);
      g_ascii_formatd (text, sizeof text, format, v);
      back = g_ascii_strtod (text, NULL);
      if (single ? (float) back == (float) v : back == v)
        break;
    }
  g_string_append (out, text[0] == '-' ? "\xe2\x88\x92" : "");
  g_string_append (out, text[0] == '-' ? text + 1 : text);
}

static void
put_int (GString *out, gint64 v)
{
  if (v < 0)
    g_string_append_printf (out, "\xe2\x88\x92%" G_GUINT64_FORMAT, -(guint64) v);
  else
    g_string_append_printf (out, "%" G_GINT64_FORMAT, v);
}

static char *
finish_list (GString *out, gboolean list)
{
  if (list)
    {
      g_string_prepend_c (out, '[');
      g_string_append_c (out, ']');
    }
  return g_string_free (out, FALSE);
}

static char *
tensor_text (const KetteTensor *tensor)
{
  const KetteDtype *dtype = _kette_dtype (tensor->dtype);
  GString *out            = g_string_new (NULL);

  for (size_t i = 0; i < tensor->count; i++)
    {
      if (i)
        g_string_append (out, ", ");
      if (tensor->dtype == KT_STRING)
        {
          const kt_str *s       = (const kt_str *) tensor->data + i;
          g_autofree char *raw  = g_strndup (s->s, MIN (s->n, 80));
          g_autofree char *text = _kette_clean (raw, 12);

          g_string_append_printf (out, "\"%s\"", text);
        }
      else if (dtype && dtype->is_float)
        put_double (out, _kette_tensor_get_double (tensor, i), dtype->bits <= 32);
      else
        put_int (out, _kette_tensor_get_int (tensor, i));
    }
  return finish_list (out, tensor->rank > 0);
}

/* The attribute of a node Constant, if it is small. */
static char *
attribute_text (const KetteNode *node)
{
  const kt_attr *a = node->n_attrs == 1 ? &node->attrs[0] : NULL;
  GString *out;

  if (!a || ((a->kind == KT_A_INTS || a->kind == KT_A_FLOATS) && a->n > MAX_SMALL))
    return NULL;
  out = g_string_new (NULL);
  if (a->kind == KT_A_INT)
    put_int (out, a->i);
  else if (a->kind == KT_A_FLOAT)
    put_double (out, a->f, TRUE);
  else if (a->kind == KT_A_INTS || a->kind == KT_A_FLOATS)
    for (size_t i = 0; i < a->n; i++)
      {
        g_string_append (out, i ? ", " : "");
        if (a->kind == KT_A_INTS)
          put_int (out, ((const int64_t *) a->v)[i]);
        else
          put_double (out, (double) ((const float *) a->v)[i], TRUE);
      }
  else
    {
      g_string_free (out, TRUE);
      return NULL;
    }
  return finish_list (out, a->kind == KT_A_INTS || a->kind == KT_A_FLOATS);
}

/* A node Constant that holds a tensor, seen as one; the caller unrefs it. */
static KetteTensor *
constant_tensor (const KetteValue *v)
{
  const kt_attr *a;
  const kt_tensor *view;
  size_t count;

  if (v->data)
    return kette_tensor_ref (v->data);
  a = v->producer ? _kette_node_attr (v->producer, "value") : NULL;
  if (!a || a->kind != KT_A_TENSOR || !a->v)
    return NULL;
  view = a->v;
  if (!_kette_count (view->shape, view->ndim, &count) || count > MAX_SMALL)
    return NULL;
  return v->type.kind == KT_TENSOR && v->type.dtype
             ? _kette_tensor_from_view (view, v->type.dtype, NULL)
             : NULL;
}

/* Weights are boxes even when they are one number. */
static gboolean
is_parameter_place (const KetteValue *v, const KetteNode *consumer)
{
  static const char *const linear[] = { "MatMul", "Gemm", "Conv", "ConvTranspose" };

  if (consumer->domain[0])
    return FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (linear); i++)
    if (strcmp (consumer->op, linear[i]) == 0)
      return TRUE;
  /* The bias of an Add behind a MatMul; a lone number elsewhere is arithmetic. */
  for (int32_t i = 0; strcmp (consumer->op, "Add") == 0 && i < consumer->n_in; i++)
    if (consumer->in[i] && consumer->in[i] != v && consumer->in[i]->producer
        && is_op (consumer->in[i]->producer, "MatMul"))
      return TRUE;
  return FALSE;
}

char *
_kette_fold_text (const KetteValue *v, const KetteNode *consumer)
{
  g_autoptr (KetteTensor) tensor = NULL;
  const KetteDtype *dtype;

  if (!_kette_fold_is_constant (v) || (v->flags & KETTE_VALUE_STATE))
    return NULL;
  tensor = constant_tensor (v);
  if (!tensor)
    return v->producer ? attribute_text (v->producer) : NULL;
  dtype = _kette_dtype (tensor->dtype);
  if (!dtype || tensor->count > MAX_SMALL || tensor->dtype == KT_C64
      || tensor->dtype == KT_C128)
    return NULL;
  if (dtype->is_float && (tensor->count != 1 || is_parameter_place (v, consumer)))
    return NULL;
  return tensor_text (tensor);
}
