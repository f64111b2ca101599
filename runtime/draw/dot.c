/* SPDX-License-Identifier: Apache-2.0
 * DOT text, for those who want to go on by hand: plain labels, ids from names.
 */
#include "draw/draw-private.h"

/* TEXT inside a quoted string: no escape of Graphviz' own survives. */
static void
put_quoted (GString *out, const char *text)
{
  for (const char *p = text; *p; p++)
    {
      if (*p == '"' || *p == '\\')
        g_string_append_c (out, '\\');
      g_string_append_c (out, *p);
    }
}

static void
put_line (GString *out, const char *text, gboolean *first)
{
  if (!text || !text[0])
    return;
  g_string_append (out, *first ? "" : "\\n");
  put_quoted (out, text);
  *first = FALSE;
}

static void
put_box (GString *out, const KetteBox *box)
{
  static const char *const colours[]
      = { "#6B7280", "#B00020", "#4B5563", "#006A4E", "#8A3E74" };
  static const char *const fills[]
      = { "#FFFFFF", "#FFFFFF", "#F1F3F5", "#E2F4EE", "#F6E8F1" };
  g_autofree char *symbol  = box->symbol ? _kette_markup_plain (box->symbol) : NULL;
  g_autofree char *formula = box->formula ? _kette_markup_plain (box->formula) : NULL;
  g_autofree char *derivative
      = box->derivative ? _kette_markup_plain (box->derivative) : NULL;
  gboolean first = TRUE;

  g_string_append_printf (out, "  \"%s\" [label=\"", box->id);
  put_line (out, symbol, &first);
  put_line (out, symbol && box->word ? box->word : box->head, &first);
  put_line (out, symbol ? NULL : box->word, &first);
  put_line (out, formula, &first);
  for (guint i = 0; i < box->notes->len; i++)
    put_line (out, box->notes->pdata[i], &first);
  put_line (out, box->shape, &first);
  put_line (out, derivative, &first);
  g_string_append (out, "\", tooltip=\"");
  put_quoted (out, box->title);
  g_string_append_printf (out,
                          "\", style=\"%sfilled%s\", color=\"%s\", fillcolor=\"%s\"];\n",
                          box->kind == KETTE_BOX_DATA ? "" : "rounded,",
                          box->kind == KETTE_BOX_MISSING ? ",dashed" : "",
                          colours[box->kind], fills[box->kind]);
}

char *
_kette_dot_write (const KetteView *view)
{
  GString *out = g_string_new ("digraph kette {\n  rankdir=LR;\n");

  if (view->title[0])
    {
      g_string_append (out, "  label=\"");
      put_quoted (out, view->title);
      g_string_append (out, "\";\n  labelloc=t;\n");
    }
  g_string_append (out, "  node [shape=box, fontname=\"Helvetica\"];\n"
                        "  edge [color=\"#005F96\"];\n");
  for (guint i = 0; i < view->boxes->len; i++)
    put_box (out, KETTE_BOX (view, i));
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);
      const char *from      = KETTE_BOX (view, edge->from)->id,
                 *to        = KETTE_BOX (view, edge->to)->id;

      g_string_append_printf (out, "  \"%s\" -> \"%s\"%s;\n", from, to,
                              view->scope->pale ? " [color=\"#B4BBC4\"]" : "");
      if (edge->backward)
        g_string_append_printf (out,
                                "  \"%s\" -> \"%s\" [color=\"#A84200\", arrowhead=empty, "
                                "constraint=false];\n",
                                to, from);
    }
  g_string_append (out, "}\n");
  return g_string_free (out, FALSE);
}
