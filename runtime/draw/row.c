/* SPDX-License-Identifier: Apache-2.0
 * Engine row: the columns of a chain side by side on one line; a chain that is wider than a
 * slide goes on in the next row, from the left again, broken between two layers if it can be.
 * Needs no Graphviz and gives the same numbers on every machine.
 */
#include "draw/layout.h"

typedef struct
{
  KetteLayout *layout;
  guint *order;  /* columns along the chain */
  gint *edge_in; /* per column: its edge on the main line, or -1 */
  double margin; /* beside wrapped rows, for the edges between them */
  double gap;    /* between them */
} Row;

/* Follows each line of the chain from its start. */
static void
sort_columns (Row *row)
{
  const KetteView *view = row->layout->view;
  const guint n         = row->layout->columns->len;
  g_autofree gint *next = g_new (gint, n + 1);
  guint placed          = 0;

  for (guint i = 0; i < n; i++)
    next[i] = row->edge_in[i] = -1;
  for (guint e = 0; e < view->edges->len; e++)
    {
      const KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->home >= 0)
        continue;
      next[_kette_layout_find (row->layout, edge->from)]
          = (gint) _kette_layout_find (row->layout, edge->to);
      row->edge_in[_kette_layout_find (row->layout, edge->to)] = (gint) e;
    }
  for (guint i = 0; i < n; i++)
    if (row->edge_in[i] < 0)
      for (gint k = (gint) i; k >= 0; k = next[k])
        row->order[placed++] = (guint) k;
}

static guint
layer_of (const Row *row, guint place)
{
  return KETTE_BOX (row->layout->view, KETTE_COLUMN (row->layout, row->order[place])->box)
      ->layer;
}

/* Room between the boxes at PLACE - 1 and PLACE, or before the first of a line. */
static double
gap_before (const Row *row, guint place, gboolean first)
{
  const KetteDrawColumn *column = KETTE_COLUMN (row->layout, row->order[place]);
  const guint layer             = layer_of (row, place);

  if (first)
    return row->margin + column->side + (layer ? KETTE_PANEL_PAD : 0);
  const guint before = layer_of (row, place - 1);
  const gint edge    = row->edge_in[row->order[place]];
  const double room
      = edge < 0 ? 0 : _kette_copy_room (KETTE_EDGE (row->layout->view, edge));

  return MAX (KETTE_GAP, room) + column->side
         + KETTE_COLUMN (row->layout, row->order[place - 1])->side
         + (layer != before
                ? (layer ? KETTE_PANEL_PAD : 0) + (before ? KETTE_PANEL_PAD : 0)
                : 0);
}

/* The width that the columns of one layer from PLACE on take; *END receives the place behind. */
static double
measure_group (const Row *row, guint place, guint *end)
{
  const guint n = row->layout->columns->len, layer = layer_of (row, place);
  double width = row->layout->box_width;

  for (*end = place + 1; layer && *end < n && layer_of (row, *end) == layer; *end += 1)
    width += gap_before (row, *end, FALSE) + row->layout->box_width;
  return width;
}

/* Gives each column its row and x; returns the number of rows. A layer is broken only when it
 * is wider than the slide itself. */
static guint
place_columns (Row *row)
{
  const double limit = KETTE_SLIDE - 2 * KETTE_MARGIN - row->margin;
  const double width = row->layout->box_width;
  double x = 0, need = width;
  guint line = 0, end = 0;
  gboolean whole = FALSE;

  for (guint i = 0; i < row->layout->columns->len; i++)
    {
      KetteDrawColumn *column = KETTE_COLUMN (row->layout, row->order[i]);
      const double right      = column->side + (layer_of (row, i) ? KETTE_PANEL_PAD : 0);
      const gboolean starts   = i >= end;

      if (starts)
        {
          need  = measure_group (row, i, &end);
          whole = gap_before (row, i, TRUE) + need + right <= limit;
        }
      const gboolean full
          = x + gap_before (row, i, i == 0) + (whole ? need : width) + right > limit;
      const gboolean wrap = i > 0 && (starts || !whole) && full;

      line += wrap;
      column->row = line;
      column->x   = (wrap ? 0 : x) + gap_before (row, i, wrap || i == 0);
      x           = column->x + width;
    }
  return line + 1;
}

static void
place_lines (Row *row)
{
  KetteLayout *layout = row->layout;
  double top          = 0;

  for (guint i = 0, end; i < layout->columns->len; i = end)
    {
      const guint line = KETTE_COLUMN (layout, row->order[i])->row;
      double up = 0, down = 0;
      gboolean panel = FALSE;

      for (end = i; end < layout->columns->len; end++)
        {
          const KetteDrawColumn *column = KETTE_COLUMN (layout, row->order[end]);

          if (column->row != line)
            break;
          up   = MAX (up, column->up);
          down = MAX (down, column->down);
          panel |= layer_of (row, end) > 0;
        }
      if (panel)
        {
          up += KETTE_PANEL_PAD + KETTE_PANEL_BAND;
          down += KETTE_PANEL_PAD;
        }
      for (guint k = i; k < end; k++)
        KETTE_COLUMN (layout, row->order[k])->y = top + up;
      top += up + down + row->gap;
    }
}

/* The right end of a row with its panels. */
static double
right_of (const Row *row, guint line)
{
  double right = 0;

  for (guint i = 0; i < row->layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (row->layout, row->order[i]);

      if (column->row == line)
        right = MAX (right, column->x + row->layout->box_width + column->side
                                + (layer_of (row, i) ? KETTE_PANEL_PAD : 0));
    }
  return right;
}

/* Where a row ends below, with its panels. */
static double
bottom_of (const Row *row, guint line)
{
  double bottom = 0;

  for (guint i = 0; i < row->layout->columns->len; i++)
    {
      const KetteDrawColumn *column = KETTE_COLUMN (row->layout, row->order[i]);

      if (column->row == line)
        bottom = MAX (bottom, column->y + column->down
                                  + (layer_of (row, i) ? KETTE_PANEL_PAD : 0));
    }
  return bottom;
}

/* From the end of one row to the start of the next: the gradient's way lies inside of the
 * forward edge's at the right and outside at the left, so that they never cross. */
static void
route_return (Row *row, guint e, const KetteDrawColumn *from, const KetteDrawColumn *to)
{
  const KetteView *view = row->layout->view;
  const double start
      = from->x + row->layout->box_width + _kette_box_rim (KETTE_BOX (view, from->box));
  const double end   = to->x - _kette_box_rim (KETTE_BOX (view, to->box));
  const double right = right_of (row, from->row), between = bottom_of (row, from->row);
  const double far = KETTE_RETURN_FAR, near_ = KETTE_RETURN_NEAR, left = row->margin;
  const KettePoint forward[] = {
    { start, from->y },
    { right + far, from->y },
    { right + far, between + row->gap / 2 + 6 },
    { left - near_, between + row->gap / 2 + 6 },
    { left - near_, to->y },
    { end, to->y },
  };
  const KettePoint back[] = {
    { end, to->y + KETTE_CELL_ROW },
    { left - far, to->y + KETTE_CELL_ROW },
    { left - far, between + row->gap / 2 - 6 },
    { right + near_, between + row->gap / 2 - 6 },
    { right + near_, from->y + KETTE_CELL_ROW },
    { start, from->y + KETTE_CELL_ROW },
  };

  _kette_layout_add_route (row->layout, e, _kette_route_line (forward, 6, 8),
                           _kette_route_line (back, 6, 8));
}

static void
route_edges (Row *row)
{
  const KetteView *view = row->layout->view;

  for (guint i = 1; i < row->layout->columns->len; i++)
    {
      const KetteDrawColumn *from = KETTE_COLUMN (row->layout, row->order[i - 1]);
      const KetteDrawColumn *to   = KETTE_COLUMN (row->layout, row->order[i]);
      const gint e                = row->edge_in[row->order[i]];
      const KettePoint ends[]     = {
            { from->x + row->layout->box_width + _kette_box_rim (KETTE_BOX (view, from->box)),
              from->y },
            { to->x - _kette_box_rim (KETTE_BOX (view, to->box)), to->y },
      };

      if (e < 0)
        continue;
      if (from->row != to->row)
        route_return (row, (guint) e, from, to);
      else
        _kette_layout_add_route (row->layout, (guint) e, _kette_route_line (ends, 2, 0),
                                 NULL);
    }
}

void
_kette_layout_row (KetteLayout *layout)
{
  const guint n            = layout->columns->len;
  g_autofree guint *order  = g_new0 (guint, n + 1);
  g_autofree gint *edge_in = g_new0 (gint, n + 1);
  Row row                  = { layout, order, edge_in, 0,
              layout->view->devices ? KETTE_ROW_GAP_LABELS : KETTE_ROW_GAP };

  sort_columns (&row);
  if (place_columns (&row) > 1)
    {
      row.margin = KETTE_RETURN_FAR;
      place_columns (&row);
    }
  place_lines (&row);
  route_edges (&row);
  _kette_layout_panels (layout);
  _kette_layout_normalise (layout);
}
