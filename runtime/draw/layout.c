/* SPDX-License-Identifier: Apache-2.0
 * Layout: which engine, and what both share: routes, panels.
 */
#include "draw/layout.h"
#include <string.h>

guint
_kette_layout_find (const KetteLayout *layout, guint box)
{
  guint low  = 0,
        high = layout->columns->len; /* columns are in the order of their boxes */

  while (high - low > 1)
    {
      const guint middle = low + (high - low) / 2;

      if (KETTE_COLUMN (layout, middle)->box <= box)
        low = middle;
      else
        high = middle;
    }
  return low;
}

void
_kette_layout_add_route (KetteLayout *layout, guint edge, GArray *points, GArray *back)
{
  KetteRoute route = { edge, points, back };

  if (!KETTE_EDGE (layout->view, edge)->backward)
    g_clear_pointer (&route.back, g_array_unref);
  else if (!back)
    route.back = _kette_route_reverse (points, KETTE_CELL_ROW);
  g_array_append_val (layout->routes, route);
}

static KettePanel *
find_panel (KetteLayout *layout, guint layer, double y)
{
  for (guint i = 0; i < layout->panels->len; i++)
    {
      KettePanel *panel = &g_array_index (layout->panels, KettePanel, i);

      if (panel->layer == layer && panel->y == y)
        return panel;
    }
  return NULL;
}

void
_kette_layout_panels (KetteLayout *layout)
{
  double up = 0, down = 0;

  for (guint i = 0; i < layout->columns->len; i++)
    if (KETTE_BOX (layout->view, KETTE_COLUMN (layout, i)->box)->layer)
      {
        up   = MAX (up, KETTE_COLUMN (layout, i)->up);
        down = MAX (down, KETTE_COLUMN (layout, i)->down);
      }
  up += KETTE_PANEL_PAD + KETTE_PANEL_BAND;
  down += KETTE_PANEL_PAD;
  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteColumn *column = KETTE_COLUMN (layout, i);
      const guint layer         = KETTE_BOX (layout->view, column->box)->layer;
      const double left         = column->x - column->side - KETTE_PANEL_PAD;
      const double right = column->x + layout->box_width + column->side + KETTE_PANEL_PAD;
      KettePanel *panel  = layer ? find_panel (layout, layer, column->y - up) : NULL;

      if (panel)
        {
          const double end = MAX (panel->x + panel->width, right);

          panel->x     = MIN (panel->x, left);
          panel->width = end - panel->x;
        }
      else if (layer)
        {
          KettePanel fresh = { left, column->y - up, right - left, up + down, layer };

          g_array_append_val (layout->panels, fresh);
        }
    }
}

static void
route_clear (gpointer data)
{
  KetteRoute *route = data;

  g_clear_pointer (&route->points, g_array_unref);
  g_clear_pointer (&route->back, g_array_unref);
}

static void
start (KetteLayout *layout, const KetteView *view, gboolean brief)
{
  *layout        = (KetteLayout){ .view = view, .brief = brief };
  layout->routes = g_array_new (FALSE, TRUE, sizeof (KetteRoute));
  g_array_set_clear_func (layout->routes, route_clear);
  layout->panels = g_array_new (FALSE, TRUE, sizeof (KettePanel));
  _kette_layout_columns (layout);
}

static guint
count_rows (const KetteLayout *layout)
{
  guint rows = 0;

  for (guint i = 0; i < layout->columns->len; i++)
    rows = MAX (rows, KETTE_COLUMN (layout, i)->row + 1);
  return rows;
}

gboolean
_kette_layout_init (KetteLayout *layout, const KetteView *view, const char *engine,
                    GError **error)
{
  const gboolean automatic = !engine || strcmp (engine, "auto") == 0;
  const gboolean row       = automatic ? view->chain : strcmp (engine, "row") == 0;

  *layout = (KetteLayout){ 0 };
  if (!automatic && !row && strcmp (engine, "dot") != 0)
    return _kette_fail (error, KETTE_ERROR_VALUE, "draw",
                        "there is no layout %s, only auto, row and dot",
                        KETTE_QUOTE (engine));
  if (row && !view->chain)
    return _kette_fail (
        error, KETTE_ERROR_UNSUPPORTED, "draw",
        "layout row draws chains, and this graph has branches; layout dot draws it");
  start (layout, view, FALSE);
  if (!row)
    {
      if (_kette_layout_dot (layout, error))
        return TRUE;
      _kette_layout_clear (layout);
      return FALSE;
    }
  _kette_layout_row (layout);
  if (count_rows (layout) > 1 && view->scope->loss)
    {
      /* Gradient rows without the shape, which the value row says already, may save a row. */
      KetteLayout brief;

      start (&brief, view, TRUE);
      _kette_layout_row (&brief);
      if (count_rows (&brief) < count_rows (layout))
        {
          const KetteLayout wide = *layout;

          *layout = brief;
          brief   = wide;
        }
      _kette_layout_clear (&brief);
    }
  return TRUE;
}

void
_kette_layout_clear (KetteLayout *layout)
{
  g_clear_pointer (&layout->columns, g_array_unref);
  g_clear_pointer (&layout->routes, g_array_unref);
  g_clear_pointer (&layout->panels, g_array_unref);
}
