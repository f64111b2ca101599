/* SPDX-License-Identifier: Apache-2.0
 * Formulas of operators, shapes and the lines of text for what has no box.
 */
#include "draw/layout.h"
#include "draw/notation.h"
#include "op/registry.h"
#include <string.h>

#define MAX_ARGUMENTS 3
#define MAX_NOTES 3
#define MAX_SUBGRAPHS 3
#define MAX_MARKUP 200
#define CROSS "\xc3\x97"
#define DOTS "\xe2\x80\xa6"

char *
_kette_notation_shape (const KetteValue *v, gboolean type)
{
  static const char *const kinds[] = { "", "", "sequence", "optional", "map", "sparse" };
  const KetteDtype *dtype          = _kette_dtype (v->type.dtype);
  const KetteModel *model          = v->graph->model;
  GString *out;

  if (v->type.kind != KT_TENSOR)
    return g_strdup (v->type.kind > 0 && v->type.kind < (int) G_N_ELEMENTS (kinds)
                         ? kinds[v->type.kind]
                         : "");
  out = g_string_new (type && dtype ? dtype->brief : "");
  if (v->type.ndim == 0)
    g_string_append (out, type ? " scalar" : "scalar");
  if (v->type.ndim < 0 && type)
    g_string_append (out, "[" DOTS "]");
  if (v->type.ndim > 0 && type)
    g_string_append_c (out, '[');
  for (int i = 0; i < v->type.ndim; i++)
    {
      const int64_t dim   = v->type.dims[i];
      const size_t symbol = KT_IS_DIM (dim) ? (size_t) (dim - KT_DIM (0)) : 0;

      g_string_append (out, i ? CROSS : "");
      if (!KT_IS_DIM (dim))
        g_string_append_printf (out, "%" G_GINT64_FORMAT, dim);
      else if (symbol > 0 && symbol <= model->n_symbols)
        {
          g_autofree char *name = _kette_clean (model->symbols[symbol - 1], 12);

          g_string_append (out, name);
        }
      else
        g_string_append_c (out, '?');
    }
  if (v->type.ndim > 0 && type)
    g_string_append_c (out, ']');
  return g_string_free (out, FALSE);
}

static const KetteBox *
find_box (const KetteView *view, const KetteValue *v)
{
  for (guint i = 0; i < view->boxes->len; i++)
    {
      const KetteBox *box = KETTE_BOX (view, i);

      if (box->value == v || (box->node && box->node == v->producer))
        return box;
    }
  return NULL;
}

/* How V is written inside a formula. */
static char *
write_value (const KetteView *view, const KetteValue *v, const KetteNode *reader)
{
  const KetteBox *box   = find_box (view, v);
  g_autofree char *text = NULL;

  if (box && box->symbol)
    return g_strdup (box->symbol);
  if (!box)
    text = _kette_fold_text (v, reader);
  if (text && !strpbrk (text, "\"aN"))
    return g_steal_pointer (&text);
  if (!text)
    text = _kette_notation_name (v->name, 12);
  return _kette_markup_text (text);
}

/* The value of a float or integer attribute, given or by default, as markup; NULL: none. */
static char *
write_attribute (const KetteNode *node, const char *name)
{
  const kt_attr *a = _kette_node_attr (node, name);
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  for (int32_t i = 0; !a && node->def && node->def->defaults && i < node->def->op.n_attr;
       i++)
    if (strcmp (node->def->op.attr[i].name, name) == 0)
      a = &node->def->defaults[i];
  if (a && a->kind == KT_A_INT)
    return g_strdup_printf ("%" G_GINT64_FORMAT, a->i);
  if (a && a->kind == KT_A_FLOAT)
    return g_strdup (g_ascii_formatd (text, sizeof text, "%.6g", a->f));
  return NULL;
}

/* What stands for the place holder at *P of a formula; *P moves to its last character. NULL:
 * this node has no such thing. */
static char *
expand_place (const KetteView *view, const KetteBox *box, const char **p)
{
  const KetteNode *node = box->node;
  const char *end       = strchr (*p, '}');

  if (g_ascii_isdigit (**p))
    {
      const int32_t i = **p - '0';

      return i < node->n_in && node->in[i] ? write_value (view, node->in[i], node) : NULL;
    }
  if (**p == 'o')
    return g_strdup (box->symbol);
  if (**p == '{' && end)
    {
      g_autofree char *name = g_strndup (*p + 1, (gsize) (end - *p - 1));

      *p = end;
      return write_attribute (node, name);
    }
  return NULL;
}

/* The operator's own formula with $0, $o and ${attribute} replaced; NULL: it does not fit
 * this node, or would need a script of a script. */
static char *
expand_formula (const KetteView *view, const KetteBox *box, const char *formula)
{
  GString *out    = g_string_new (NULL);
  int script      = 0; /* depth of braces since the outermost ^{ */
  gboolean failed = FALSE;

  for (const char *p = formula; *p && !failed; p++)
    {
      g_autofree char *piece = NULL;
      const char before      = out->len ? out->str[out->len - 1] : ' ';

      if (*p != '$')
        {
          script += *p == '{' && (script || before == '^' || before == '_') ? 1 : 0;
          script -= *p == '}' && script ? 1 : 0;
          g_string_append_c (out, *p);
          continue;
        }
      p++;
      piece                 = *p ? expand_place (view, box, &p) : NULL;
      const gboolean marked = piece && strpbrk (piece, "^_") != NULL;

      failed = !piece || (marked && (script || before == '^' || before == '_'));
      if (!failed) /* its own script and a power stand apart */
        g_string_append_printf (out, marked && p[1] == '^' ? "(%s)" : "%s", piece);
    }
  if (failed || out->len > MAX_MARKUP)
    {
      g_string_free (out, TRUE);
      return NULL;
    }
  return g_string_free (out, FALSE);
}

/* "Op(x, y, ...)" with at most MOST arguments. */
static char *
write_call (const KetteView *view, const KetteBox *box, int most)
{
  g_autofree char *op   = _kette_clean (box->node->op, 24);
  g_autofree char *text = _kette_markup_text (op);
  GString *out          = g_string_new (text);
  int n                 = 0;

  g_string_append_c (out, '(');
  for (int32_t i = 0; i < box->node->n_in; i++)
    {
      g_autofree char *piece = NULL;

      if (!box->node->in[i])
        continue;
      if (n++ == most)
        {
          g_string_append (out, ", " DOTS);
          break;
        }
      piece = write_value (view, box->node->in[i], box->node);
      g_string_append_printf (out, "%s%s", n > 1 ? ", " : "", piece);
    }
  g_string_append_c (out, ')');
  return g_string_free (out, FALSE);
}

static gboolean
attribute_is (const KetteNode *node, const char *name, double value)
{
  g_autofree char *text = write_attribute (node, name);

  return text && g_ascii_strtod (text, NULL) == value;
}

/* Has a Gemm nothing but a product and a sum? An attribute that is not there is 1 or 0. */
static gboolean
is_plain_gemm (const KetteNode *node)
{
  return (!_kette_node_attr (node, "alpha") || attribute_is (node, "alpha", 1))
         && (!_kette_node_attr (node, "beta") || attribute_is (node, "beta", 1))
         && (!_kette_node_attr (node, "transA") || attribute_is (node, "transA", 0));
}

static char *
write_linear (const KetteView *view, const KetteBox *box)
{
  const KetteNode *node = box->product ? box->product : box->node;
  const gboolean gemm   = strcmp (node->op, "Gemm") == 0;
  g_autofree char *x    = write_value (view, node->in[0], node);
  g_autofree char *w    = write_value (view, box->weight, node);
  g_autofree char *b    = box->bias ? write_value (view, box->bias, node) : NULL;

  if (strcmp (node->op, "MatMul") == 0 || (gemm && is_plain_gemm (node)))
    return g_strdup_printf ("%s * %s%s%s%s", x, w,
                            gemm && attribute_is (node, "transB", 1) ? "\\T" : "",
                            b ? " + " : "", b ? b : "");
  return write_call (view, box, MAX_ARGUMENTS);
}

static gboolean
fits (const char *markup)
{
  return markup
         && _kette_markup_width (markup, KETTE_FORMULA_SIZE)
                <= KETTE_BOX_MAX - 2 * KETTE_INSET;
}

char *
_kette_notation_formula (const KetteView *view, const KetteBox *box)
{
  const char *formula  = box->node->def ? box->node->def->op.formula : NULL;
  g_autofree char *own = NULL, *call = NULL, *brief = NULL;

  if (box->linear)
    own = write_linear (view, box);
  else if (formula)
    own = expand_formula (view, box, formula);
  if (fits (own))
    return g_steal_pointer (&own);
  call = write_call (view, box, MAX_ARGUMENTS);
  if (fits (call))
    return g_steal_pointer (&call);
  brief = write_call (view, box, 1);
  return fits (brief) ? g_steal_pointer (&brief) : NULL;
}

/* "shape = [1, 784]": the name of the operator's input, then the text. */
static char *
write_note (const KetteNode *node, int32_t i, const char *text)
{
  const kt_op *op = node->def ? &node->def->op : NULL;
  const char *name
      = op && i < op->n_in && !(op->in[i].flags & KT_P_VARIADIC) ? op->in[i].name : NULL;

  return name ? g_strdup_printf ("%s = %s", name, text) : g_strdup (text);
}

static void
add_notes_of (const KetteView *view, const KetteNode *node, KetteBox *box, guint *hidden)
{
  for (int32_t i = 0; i < node->n_in; i++)
    {
      const KetteValue *v   = node->in[i];
      g_autofree char *text = NULL;

      if (!v || !_kette_fold_is_constant (v) || find_box (view, v))
        continue;
      if (box->notes->len > MAX_NOTES)
        {
          *hidden += 1;
          continue;
        }
      text = _kette_fold_text (v, node);
      if (!text)
        {
          g_autofree char *name  = _kette_notation_name (v->name, 12);
          g_autofree char *shape = _kette_notation_shape (v, FALSE);

          text = g_strdup_printf ("%s %s", name, shape);
        }
      g_ptr_array_add (box->notes, write_note (node, i, text));
    }
}

/* "then_branch: 12 nodes": what a box holds that is not drawn. */
static void
add_subgraphs (const KetteNode *node, KetteBox *box)
{
  guint shown = 0;

  for (int32_t i = 0; node->subgraphs && i < node->n_attrs; i++)
    {
      g_autofree char *name = NULL;

      if (!node->subgraphs[i])
        continue;
      if (shown++ == MAX_SUBGRAPHS)
        {
          g_ptr_array_add (box->notes, g_strdup ("and more graphs"));
          return;
        }
      name = _kette_notation_name (node->attrs[i].name, 14);
      g_ptr_array_add (box->notes,
                       g_strdup_printf ("%s: %zu node%s", name,
                                        node->subgraphs[i]->n_nodes,
                                        node->subgraphs[i]->n_nodes == 1 ? "" : "s"));
    }
}

void
_kette_notation_notes (const KetteView *view, KetteBox *box)
{
  guint hidden = 0;

  if (!box->node || box->formula)
    return;
  if (box->product)
    add_notes_of (view, box->product, box, &hidden);
  add_notes_of (view, box->node, box, &hidden);
  if (hidden)
    g_ptr_array_add (box->notes, g_strdup_printf ("+ %u more", hidden));
  add_subgraphs (box->node, box);
}
