/* SPDX-License-Identifier: Apache-2.0
 * What differs between the attributes of two nodes. One that is left out means the default of
 * the operator, as far as a plugin knows it.
 */
#include "base/tensor-private.h"
#include "exec/diff-private.h"
#include "graph/sparse.h"
#include "op/context.h"
#include <string.h>

enum
{
  SHOWN = 8 /* elements of a list */
};

const kt_tensor *
_kette_diff_constant (const KetteNode *node)
{
  const kt_attr *a
      = *node->domain == '\0' && strcmp (node->op, "Constant") == 0 && node->n_out == 1
            ? _kette_node_attr (node, "value")
            : NULL;
  const kt_tensor *view  = a && a->kind == KT_A_TENSOR ? a->v : NULL;
  const KetteDtype *type = view ? _kette_dtype (_kette_dtype_of_view (view)) : NULL;

  return type && type->is_float ? view : NULL;
}

static void
put_double (GString *out, double v)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (out, g_ascii_formatd (text, sizeof text, "%.7g", v));
}

static void
put_tensor (GString *out, const kt_tensor *view)
{
  KetteTensor t;
  char text[256];

  _kette_tensor_shell (&t, view);
  g_string_append (out, _kette_type_text (text, sizeof text,
                                          &(kt_type){ .kind  = KT_TENSOR,
                                                      .dtype = t.dtype,
                                                      .ndim  = t.rank,
                                                      .dims  = t.dims },
                                          NULL));
  for (size_t i = 0; t.data && t.count <= SHOWN && i < t.count; i++)
    {
      g_autofree char *element = kette_tensor_element_to_string (&t, i);

      g_string_append_printf (out, "%s%.40s", i ? ", " : " ", element ? element : "?");
    }
}

static void
put_element (GString *out, const kt_attr *a, size_t i)
{
  char text[256];

  switch (a->kind)
    {
    case KT_A_INTS:
      g_string_append_printf (out, "%" G_GINT64_FORMAT, ((const int64_t *) a->v)[i]);
      break;
    case KT_A_FLOATS:
      put_double (out, (double) ((const float *) a->v)[i]);
      break;
    case KT_A_STRINGS:
      g_string_append (out,
                       _kette_quote_n (&(KetteQuoted){ "" }, ((const kt_str *) a->v)[i].s,
                                       ((const kt_str *) a->v)[i].n));
      break;
    case KT_A_TYPE:
    case KT_A_TYPES:
      g_string_append (
          out, _kette_type_text (text, sizeof text, (const kt_type *) a->v + i, NULL));
      break;
    default:
      put_tensor (out, (const kt_tensor *) a->v + i);
    }
}

/* NULL: the attribute is absent and there is no default. */
static void
put_attribute (GString *out, const kt_attr *a)
{
  const gboolean list = a && a->kind != KT_A_TENSOR && a->kind != KT_A_TYPE
                        && a->kind != KT_A_SPARSE_TENSOR;

  if (!a || a->kind == 0)
    g_string_append (out, "none");
  else if (a->ref)
    g_string_append_printf (out, "the caller's %s", KETTE_QUOTE (a->ref));
  else if (a->kind == KT_A_INT)
    g_string_append_printf (out, "%" G_GINT64_FORMAT, a->i);
  else if (a->kind == KT_A_FLOAT)
    put_double (out, a->f);
  else if (a->kind == KT_A_STRING)
    g_string_append (out, _kette_quote_n (&(KetteQuoted){ "" }, a->v, a->n));
  else if (a->kind == KT_A_GRAPH || a->kind == KT_A_GRAPHS)
    g_string_append (out, "a graph");
  else
    {
      const size_t n = list ? a->n : MIN (a->n, 1);
      g_string_append (out, list ? "[" : "");
      for (size_t i = 0; i < n && i < SHOWN; i++)
        {
          g_string_append (out, i ? "," : "");
          put_element (out, a, i);
        }
      if (n > SHOWN)
        g_string_append_printf (out, ",... %zu in all", n);
      g_string_append (out, list ? "]" : "");
    }
}

static gboolean
equal_tensors (KetteDiff *d, const kt_tensor *x, const kt_tensor *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      KetteTensor a, b;
      KetteDistance distance;

      _kette_tensor_shell (&a, &x[i]);
      _kette_tensor_shell (&b, &y[i]);
      if (a.dtype != b.dtype || a.rank != b.rank || a.count != b.count
          || a.bytes != b.bytes
          || memcmp (a.dims, b.dims, (size_t) a.rank * sizeof *a.dims) != 0)
        return FALSE;
      _kette_distance (&distance, &a, &b, d->options.rtol, d->options.atol, &d->largest);
      if (distance.differing)
        return FALSE;
    }
  return TRUE;
}

static gboolean
equal_sparse (KetteDiff *d, const KetteModel *a, const kt_tensor *x, const KetteModel *b,
              const kt_tensor *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    {
      const KetteSparse *p = _kette_model_sparse (a, &x[i]),
                        *q = _kette_model_sparse (b, &y[i]);
      kt_tensor left[2], right[2];

      if (!p || !q || p->rank != q->rank
          || memcmp (p->dims, q->dims, (size_t) p->rank * sizeof *p->dims) != 0)
        return FALSE;
      _kette_tensor_view (p->indices, &left[0]);
      _kette_tensor_view (p->values, &left[1]);
      _kette_tensor_view (q->indices, &right[0]);
      _kette_tensor_view (q->values, &right[1]);
      if (!equal_tensors (d, left, right, 2))
        return FALSE;
    }
  return TRUE;
}

static gboolean
equal_types (const kt_type *x, const kt_type *y, size_t n)
{
  char a[512], b[512];

  for (size_t i = 0; i < n; i++)
    if (strcmp (_kette_type_text (a, sizeof a, &x[i], NULL),
                _kette_type_text (b, sizeof b, &y[i], NULL))
        != 0)
      return FALSE;
  return TRUE;
}

static gboolean
equal_strings (const kt_str *x, const kt_str *y, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (x[i].n != y[i].n || (x[i].n && memcmp (x[i].s, y[i].s, x[i].n) != 0))
      return FALSE;
  return TRUE;
}

/* Not a number equals itself here, and the two zeros differ. */
static uint64_t
bits_of (double x)
{
  uint64_t bits;

  memcpy (&bits, &x, sizeof bits);
  return bits;
}

static gboolean
equal_attributes (KetteDiff *d, const KetteNode *a, const kt_attr *x, const KetteNode *b,
                  const kt_attr *y)
{
  if (!x || !y || x->kind == 0 || y->kind == 0)
    return (!x || x->kind == 0) && (!y || y->kind == 0);
  if (x->kind != y->kind || g_strcmp0 (x->ref, y->ref) != 0)
    return FALSE;
  if (x->ref)
    return TRUE;
  if (x->kind == KT_A_INT || x->kind == KT_A_FLOAT)
    return x->i == y->i && bits_of (x->f) == bits_of (y->f);
  if (x->kind == KT_A_GRAPH || x->kind == KT_A_GRAPHS)
    return TRUE; /* paired and compared by themselves */
  if (x->n != y->n)
    return FALSE;
  switch (x->kind)
    {
    case KT_A_STRING:
      return x->n == 0 || memcmp (x->v, y->v, x->n) == 0;
    case KT_A_INTS:
      return x->n == 0 || memcmp (x->v, y->v, x->n * sizeof (int64_t)) == 0;
    case KT_A_FLOATS:
      return x->n == 0 || memcmp (x->v, y->v, x->n * sizeof (float)) == 0;
    case KT_A_STRINGS:
      return equal_strings (x->v, y->v, x->n);
    case KT_A_TYPE:
    case KT_A_TYPES:
      return equal_types (x->v, y->v, x->n);
    case KT_A_SPARSE_TENSOR:
    case KT_A_SPARSE_TENSORS:
      return equal_sparse (d, a->graph->model, x->v, b->graph->model, y->v, x->n);
    default:
      return equal_tensors (d, x->v, y->v, x->n);
    }
}

/* The default that NODE's operator gives the attribute NAME, or NULL. */
static const kt_attr *
default_of (const KetteNode *node, const char *name)
{
  KetteNode probe = *node;

  _kette_node_look_up (&probe, TRUE, NULL);
  for (int32_t i = 0; probe.def && probe.def->defaults && i < probe.def->op.n_attr; i++)
    if (strcmp (probe.def->op.attr[i].name, name) == 0)
      return &probe.def->defaults[i];
  return NULL;
}

static void
put_change (KetteDiff *d, const KetteNode *a, const kt_attr *x, const KetteNode *b,
            const kt_attr *y, GString *out)
{
  const char *name = x ? x->name : y->name;

  if (!x && strcmp (a->op, b->op) == 0)
    x = default_of (a, name);
  if (!y && strcmp (a->op, b->op) == 0)
    y = default_of (b, name);
  if (equal_attributes (d, a, x, b, y) || out->len > 800)
    return;
  g_string_append_printf (out, "%s%s ", out->len ? "; " : "", KETTE_QUOTE (name));
  put_attribute (out, x);
  g_string_append (out, " -> ");
  put_attribute (out, y);
}

gboolean
_kette_diff_attributes (KetteDiff *d, const KetteNode *a, const KetteNode *b,
                        GString *out)
{
  const size_t before     = out->len;
  const kt_tensor *x_data = _kette_diff_constant (a), *y_data = _kette_diff_constant (b);

  for (int32_t i = 0; i < a->n_attrs; i++)
    if (!(x_data && y_data && a->attrs[i].v == x_data))
      put_change (d, a, &a->attrs[i], b, _kette_node_attr (b, a->attrs[i].name), out);
  for (int32_t i = 0; i < b->n_attrs; i++)
    if (!_kette_node_attr (a, b->attrs[i].name))
      put_change (d, a, NULL, b, &b->attrs[i], out);
  return out->len > before;
}
