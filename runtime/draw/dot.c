/* SPDX-License-Identifier: Apache-2.0
 * DOT text, for those who want to go on by hand: plain labels, ids from names.
 */
#include "draw/layout.h"

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

/* What a box says of devices. */
static void
put_devices (GString *out, const KetteDrawDevices *devices, const KetteBox *box,
             gboolean *first)
{
  g_autofree char *units = _kette_devices_list (devices, box->units);
  g_autofree char *back  = _kette_devices_list (devices, box->back_units & ~box->units);
  g_autofree char *place = g_strconcat ("on ", units, NULL);
  g_autofree char *saved = _kette_copy_label (&box->saved);
  g_autofree char *grad
      = g_strconcat ("gradient on ", back, saved[0] ? ", " : "", saved, NULL);
  g_autofree char *bytes   = _kette_copy_label (&box->fetch);
  g_autofree char *fetch   = g_strconcat (bytes, " to cpu", NULL);
  g_autofree char *between = _kette_copy_label (&box->inside);
  g_autofree char *inside  = g_strconcat (between, " inside", NULL);

  put_line (out, box->units ? place : box->unplaced, first);
  put_line (out, back[0] ? grad : NULL, first);
  put_line (out, box->inside.n ? inside : NULL, first);
  put_line (out, box->fetch.n ? fetch : NULL, first);
}

/* What an edge says of copies: two parallel lines, and the bytes. */
static void
put_copy (GString *out, const KetteDrawCopy *copy, const char *colour)
{
  g_autofree char *label = _kette_copy_label (copy);

  g_string_append_printf (out, "color=\"%s:#FFFFFF:%s\", fontcolor=\"%s\", label=\"%s\"",
                          colour, colour, colour, label);
}

static void
put_box (GString *out, const KetteView *view, const KetteBox *box)
{
  static const char *const colours[]
      = { "#6B7280", "#B00020", "#4B5563", "#006A4E", "#8A3E74" };
  static const char *const fills[]
      = { "#FFFFFF", "#FFFFFF", "#F1F3F5", "#E2F4EE", "#F6E8F1" };
  static const char *const device_colours[KETTE_DRAW_COLOURS]
      = { "#4B5563", "#5B3A9E", "#8A6D00", "#00757F", "#B0436F", "#1B1F24" };
  static const char *const device_fills[KETTE_DRAW_COLOURS]
      = { "#E4E6E9", "#DED5F0", "#F8E69A", "#BFE6EA", "#F9D3E1", "#C9CCD1" };
  const gboolean placed    = view->devices && (box->units | box->back_units);
  const guint colour       = placed ? view->devices->colours[_kette_box_unit (box)] : 0;
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
  if (view->devices)
    put_devices (out, view->devices, box, &first);
  g_string_append (out, "\", tooltip=\"");
  put_quoted (out, box->title);
  g_string_append_printf (out,
                          "\", style=\"%sfilled%s\", color=\"%s\", fillcolor=\"%s\"];\n",
                          box->kind == KETTE_BOX_DATA ? "" : "rounded,",
                          box->kind == KETTE_BOX_MISSING ? ",dashed" : "",
                          placed ? device_colours[colour] : colours[box->kind],
                          placed ? device_fills[colour] : fills[box->kind]);
}

static void
put_edge (GString *out, const KetteEdge *edge, const char *from, const char *to,
          gboolean pale)
{
  g_string_append_printf (out, "  \"%s\" -> \"%s\"", from, to);
  if (edge->copy.n || edge->copy.elsewhere)
    {
      g_string_append (out, " [");
      put_copy (out, &edge->copy, pale ? "#B4BBC4" : "#005F96");
      g_string_append (out, "]");
    }
  else if (pale)
    g_string_append (out, " [color=\"#B4BBC4\"]");
  g_string_append (out, ";\n");
  if (!edge->backward)
    return;
  g_string_append_printf (out, "  \"%s\" -> \"%s\" [", to, from);
  if (edge->back_copy.n || edge->back_copy.elsewhere)
    put_copy (out, &edge->back_copy, "#A84200");
  else
    g_string_append (out, "color=\"#A84200\"");
  g_string_append (out, ", arrowhead=empty, constraint=false];\n");
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
  if (view->devices)
    {
      g_autofree char *summary = _kette_devices_summary (view->devices);

      g_string_append_printf (out, "  // %s\n", summary);
    }
  for (guint i = 0; i < view->boxes->len; i++)
    put_box (out, view, KETTE_BOX (view, i));
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);
      const char *from      = KETTE_BOX (view, edge->from)->id,
                 *to        = KETTE_BOX (view, edge->to)->id;

      put_edge (out, edge, from, to, view->scope->pale);
    }
  g_string_append (out, "}\n");
  return g_string_free (out, FALSE);
}
