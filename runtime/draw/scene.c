/* SPDX-License-Identifier: Apache-2.0
 * The scene: everything that is to be seen, in the order of painting, with places and roles
 * instead of colours.
 */
#include "draw/layout.h"

#define TITLE_SIZE 24.0
#define LABEL_SIZE 14.0
#define MAX_DESC 2000

static void
prim_clear (gpointer data)
{
  KettePrim *prim = data;

  g_free (prim->text);
  g_free (prim->id);
  g_free (prim->title);
  g_clear_pointer (&prim->points, g_array_unref);
}

static void
paint_panels (KetteScene *scene, const KetteLayout *layout, double dx, double dy)
{
  for (guint i = 0; i < layout->panels->len; i++)
    {
      const KettePanel *panel = &g_array_index (layout->panels, KettePanel, i);
      g_autofree char *name
          = _kette_notation_layer (panel->layer, layout->view->n_layers);
      g_autofree char *label
          = g_strconcat (name, panel->continued ? ", continued" : NULL, NULL);
      g_autofree char *id = g_strdup_printf ("panel-%u", i + 1);
      KettePrim *rect;

      _kette_prim_open (scene, "panel", id, label);
      rect         = _kette_prim_rect (scene, panel->x + dx, panel->y + dy, panel->width,
                                       panel->height, KETTE_PANEL_RADIUS);
      rect->fill   = KETTE_ROLE_PANEL_FILL;
      rect->stroke = KETTE_ROLE_PANEL;
      rect->line   = 1;
      _kette_prim_text (scene, panel->x + dx + KETTE_PANEL_PAD, panel->y + dy + 20,
                        KETTE_FONT_SANS_BOLD, LABEL_SIZE, KETTE_ROLE_MUTED, label);
      _kette_prim_close (scene);
    }
}

static void
paint_boxes (KetteScene *scene, const KetteLayout *layout, double dx, double dy)
{
  const KetteView *view = layout->view;

  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (layout, i);

      _kette_paint_box (scene, layout, KETTE_BOX (view, column->box), column->x + dx,
                        column->y + dy);
      for (guint k = 0; k < column->above->len; k++)
        _kette_paint_box (
            scene, layout, KETTE_BOX (view, g_array_index (column->above, guint, k)),
            column->x + dx, _kette_column_place (layout, column, k, TRUE) + dy);
      for (guint k = 0; k < column->below->len; k++)
        _kette_paint_box (
            scene, layout, KETTE_BOX (view, g_array_index (column->below, guint, k)),
            column->x + dx, _kette_column_place (layout, column, k, FALSE) + dy);
    }
}

static char *
name_box (const KetteBox *box)
{
  return box->symbol ? _kette_markup_plain (box->symbol)
                     : _kette_clean_title (box->value ? box->value->name : box->head, 40);
}

/* The picture in words: "x feeds z^(L), ...". */
static char *
describe (const KetteView *view)
{
  GString *out = g_string_new (NULL);

  g_string_append_printf (out, "%u boxes, %u edges", view->boxes->len, view->edges->len);
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);
      g_autofree char *from = name_box (KETTE_BOX (view, edge->from));
      g_autofree char *to   = name_box (KETTE_BOX (view, edge->to));

      if (out->len > MAX_DESC - 200)
        {
          g_string_append_printf (out, ", and %u more edges", view->edges->len - e);
          break;
        }
      g_string_append_printf (out, "%s %s feeds %s", e ? "," : ":", from, to);
    }
  g_string_append (out,
                   view->scope->gradients ? "; gradients of E flow backwards." : ".");
  if (view->devices)
    {
      g_autofree char *units   = _kette_devices_list (view->devices, view->devices->used);
      g_autofree char *summary = _kette_devices_summary (view->devices);

      g_string_append_printf (out, " On %s; %s.", units, summary);
    }
  return g_string_free (out, FALSE);
}

void
_kette_scene_init (KetteScene *scene, const KetteLayout *layout)
{
  const KetteView *view   = layout->view;
  const double title_band = view->title[0] ? KETTE_TITLE_BAND : 0;
  const double title_width
      = _kette_text_width (view->title, KETTE_FONT_SANS_BOLD, TITLE_SIZE);
  const double legend_band = KETTE_LEGEND_BAND * (view->devices ? 2 : 1);
  const double content     = MAX (layout->width, _kette_paint_legend_width (layout));
  double inner, dx;

  *scene = (KetteScene){ .prims = g_array_new (FALSE, TRUE, sizeof (KettePrim)) };
  g_array_set_clear_func (scene->prims, prim_clear);
  inner         = MAX (content, MIN (title_width, KETTE_SLIDE - 2 * KETTE_MARGIN));
  dx            = KETTE_MARGIN + (inner - layout->width) / 2;
  scene->width  = inner + 2 * KETTE_MARGIN;
  scene->height = layout->height + title_band + legend_band + 3 * KETTE_MARGIN;
  scene->title  = g_strdup (view->title[0] ? view->title : "Computation graph");
  scene->desc   = describe (view);
  if (view->title[0])
    {
      g_autofree char *title
          = _kette_text_fit (view->title, KETTE_FONT_SANS_BOLD, TITLE_SIZE, inner);

      _kette_prim_text (scene, KETTE_MARGIN, KETTE_MARGIN + 26, KETTE_FONT_SANS_BOLD,
                        TITLE_SIZE, KETTE_ROLE_INK, title);
    }
  paint_panels (scene, layout, dx, KETTE_MARGIN + title_band);
  _kette_paint_edges (scene, layout, dx, KETTE_MARGIN + title_band);
  paint_boxes (scene, layout, dx, KETTE_MARGIN + title_band);
  _kette_paint_legend (scene, layout, KETTE_MARGIN,
                       scene->height - KETTE_MARGIN - legend_band
                           + KETTE_LEGEND_BAND / 2);
  _kette_paint_labels (scene);
}

void
_kette_scene_clear (KetteScene *scene)
{
  g_clear_pointer (&scene->prims, g_array_unref);
  g_free (scene->title);
  g_free (scene->desc);
}
