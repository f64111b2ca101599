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

/* How far the columns with a layer reach in ROW, with the panel's band and padding. */
static void
measure_row (const KetteLayout *layout, guint row, double *up, double *down)
{
  *up = *down = 0;
  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (layout, i);

      if (column->row != row || !KETTE_BOX (layout->view, column->box)->layer)
        continue;
      *up   = MAX (*up, column->up);
      *down = MAX (*down, column->down);
    }
  *up += KETTE_PANEL_PAD + KETTE_PANEL_BAND;
  *down += KETTE_PANEL_PAD;
}

static KettePanel *
get_panel (KetteLayout *layout, guint layer, const KetteDrawColumn *column)
{
  KettePanel fresh = { .layer = layer, .row = column->row };
  double up, down;

  for (guint i = 0; i < layout->panels->len; i++)
    {
      KettePanel *panel = &g_array_index (layout->panels, KettePanel, i);

      if (panel->layer == layer && panel->row == column->row)
        return panel;
      fresh.continued |= panel->layer == layer;
    }
  measure_row (layout, column->row, &up, &down);
  fresh.x      = column->x;
  fresh.y      = column->y - up;
  fresh.height = up + down;
  g_array_append_val (layout->panels, fresh);
  return &g_array_index (layout->panels, KettePanel, layout->panels->len - 1);
}

void
_kette_layout_panels (KetteLayout *layout)
{
  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (layout, i);
      const guint layer             = KETTE_BOX (layout->view, column->box)->layer;
      const double left             = column->x - column->side - KETTE_PANEL_PAD;
      const double right = column->x + layout->box_width + column->side + KETTE_PANEL_PAD;

      if (layer)
        {
          KettePanel *panel = get_panel (layout, layer, column);
          const double end  = MAX (panel->x + panel->width, right);

          panel->x     = MIN (panel->x, left);
          panel->width = end - panel->x;
        }
    }
}

static void
move_points (GArray *points, double dx, double dy)
{
  for (guint i = 0; points && i < points->len; i++)
    {
      g_array_index (points, KettePoint, i).x += dx;
      g_array_index (points, KettePoint, i).y += dy;
    }
}

static void
move (KetteLayout *layout, double dx, double dy)
{
  for (guint i = 0; i < layout->columns->len; i++)
    {
      KETTE_COLUMN (layout, i)->x += dx;
      KETTE_COLUMN (layout, i)->y += dy;
    }
  for (guint i = 0; i < layout->panels->len; i++)
    {
      g_array_index (layout->panels, KettePanel, i).x += dx;
      g_array_index (layout->panels, KettePanel, i).y += dy;
    }
  for (guint i = 0; i < layout->routes->len; i++)
    {
      move_points (g_array_index (layout->routes, KetteRoute, i).points, dx, dy);
      move_points (g_array_index (layout->routes, KetteRoute, i).back, dx, dy);
    }
}

/* Moves everything so that the outermost columns, panels and edges begin at (0, 0). */
void
_kette_layout_normalise (KetteLayout *layout)
{
  double left = G_MAXDOUBLE, top = G_MAXDOUBLE, right = 0, bottom = 0;

  for (guint i = 0; i < layout->columns->len; i++)
    {
      const KetteDrawColumn *c = KETTE_COLUMN (layout, i);

      left   = MIN (left, c->x - c->side);
      top    = MIN (top, c->y - c->up);
      right  = MAX (right, c->x + layout->box_width + c->side);
      bottom = MAX (bottom, c->y + c->down);
    }
  for (guint i = 0; i < layout->panels->len; i++)
    {
      const KettePanel *p = &g_array_index (layout->panels, KettePanel, i);

      left   = MIN (left, p->x);
      top    = MIN (top, p->y);
      right  = MAX (right, p->x + p->width);
      bottom = MAX (bottom, p->y + p->height);
    }
  for (guint i = 0; i < layout->routes->len; i++)
    {
      const KetteRoute *r = &g_array_index (layout->routes, KetteRoute, i);

      for (guint k = 0; k < 2; k++)
        for (guint j = 0; (k ? r->back : r->points) && j < r->points->len; j++)
          {
            const KettePoint p = g_array_index (k ? r->back : r->points, KettePoint, j);

            left   = MIN (left, p.x);
            top    = MIN (top, p.y);
            right  = MAX (right, p.x);
            bottom = MAX (bottom, p.y);
          }
    }
  if (layout->columns->len)
    move (layout, -left, -top);
  layout->width  = MAX (right - left, 0);
  layout->height = MAX (bottom - top, 0);
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
  if (count_rows (layout) > 1 && view->scope->gradients)
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
