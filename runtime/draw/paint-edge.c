/* SPDX-License-Identifier: Apache-2.0
 * Edges: forward with filled heads, gradients with hollow ones, each a group with its own
 * title; the edges inside a column, between an operator and its parameters; the legend.
 */
#include "draw/layout.h"

#define LINE 1.5
#define COPY_LINE 4.8 /* both lines of a copy, and what is between them */
#define HOLLOW 1.2    /* line of a hollow head */
#define LEGEND_SIZE 12.0
#define SAMPLE 30.0 /* length of an edge in the legend */

/* What a title calls a box. */
static char *
label_of (const KetteBox *box)
{
  if (box->symbol)
    return _kette_markup_plain (box->symbol);
  return _kette_clean_title (box->value ? box->value->name : box->head, 200);
}

/* A triangle whose tip stands TIP_GAP before the end of POINTS, which then end at its base. */
static void
paint_arrow (KetteScene *scene, GArray *points, KetteRole role, gboolean hollow,
             gboolean copy)
{
  GArray *head      = g_array_new (FALSE, FALSE, sizeof (KettePoint));
  const guint n     = points->len;
  const double trim = hollow ? HOLLOW / 2 : 0;
  KettePrim *prim;

  _kette_route_shorten (points, KETTE_TIP_GAP + trim);
  const KettePoint tip = g_array_index (points, KettePoint, n - 1);
  _kette_route_shorten (points, KETTE_HEAD_LENGTH - 2 * trim);
  const KettePoint base      = g_array_index (points, KettePoint, n - 1);
  const double ux            = (tip.x - base.x) / (KETTE_HEAD_LENGTH - 2 * trim);
  const double uy            = (tip.y - base.y) / (KETTE_HEAD_LENGTH - 2 * trim);
  const double half          = KETTE_HEAD_WIDTH / 2 - trim;
  const KettePoint corners[] = { tip,
                                 { base.x - uy * half, base.y + ux * half },
                                 { base.x + uy * half, base.y - ux * half } };

  if (copy) /* two lines: a broad one, and a paler one in it */
    {
      prim         = _kette_prim_path (scene, g_array_copy (points));
      prim->stroke = role;
      prim->line   = COPY_LINE;
    }
  prim         = _kette_prim_path (scene, points);
  prim->stroke = copy ? KETTE_ROLE_PAGE : role;
  prim->line   = copy ? COPY_LINE - 2 * LINE : LINE;
  g_array_append_val (head, corners[0]);
  for (int i = 0; i < 3; i++)
    {
      g_array_append_val (head, corners[i]);
      g_array_append_val (head, corners[(i + 1) % 3]);
      g_array_append_val (head, corners[(i + 1) % 3]);
    }
  prim         = _kette_prim_path (scene, head);
  prim->closed = TRUE;
  prim->fill   = hollow ? KETTE_ROLE_PAGE : role;
  prim->stroke = hollow ? role : KETTE_ROLE_NONE;
  prim->line   = hollow ? HOLLOW : 0;
}

/* POINTS is taken. */
static void
paint_edge (KetteScene *scene, const KetteView *view, const KetteEdge *edge,
            GArray *points, gboolean backward, GHashTable *ids)
{
  const KetteBox *from      = KETTE_BOX (view, backward ? edge->to : edge->from);
  const KetteBox *to        = KETTE_BOX (view, backward ? edge->from : edge->to);
  const KetteDrawCopy *copy = backward ? &edge->back_copy : &edge->copy;
  const gboolean copied     = copy->n || copy->elsewhere;
  g_autofree char *a = label_of (from), *b = label_of (to);
  g_autofree char *title = g_strdup_printf (
      backward ? "the gradient flows from %s to %s%s%s" : "%s feeds %s%s%s", a, b,
      !copied      ? ""
      : copy->text ? "; copied: "
                   : "; copied as for another edge",
      copy->text ? copy->text : "");
  g_autofree char *base
      = g_strdup_printf ("%s-%s--%s", backward ? "b" : "f", from->id + 2, to->id + 2);
  char *id = g_strdup (base);

  for (guint k = 2; g_hash_table_contains (ids, id); k++)
    {
      g_free (id);
      id = g_strdup_printf ("%s_x%u", base, k);
    }
  g_hash_table_add (ids, id);
  _kette_label_add (scene, copy, points, backward);
  _kette_prim_open (scene, backward ? "edge backward" : "edge forward", id, title);
  paint_arrow (scene, points,
               backward            ? KETTE_ROLE_GRADIENT
               : view->scope->pale ? KETTE_ROLE_FUTURE
                                   : KETTE_ROLE_VALUE,
               backward, copied);
  _kette_prim_close (scene);
}

/* The edges of the box PLACE steps above (or below) the operator of a column; Y: middle of
 * that box's value row. The nearest has straight ones; the others go round at the side. */
static void
route_parameter (const KetteLayout *layout, const KetteDrawColumn *column,
                 const KetteBox *box, guint place, gboolean above, double y,
                 gboolean twin, GArray **forward, GArray **back)
{
  const KetteBox *op = KETTE_BOX (layout->view, column->box);
  const double rim = _kette_box_rim (op), width = layout->box_width;
  const double near_ = above ? y + _kette_box_down (box) : y - _kette_box_up (box);
  const double far   = above ? column->y - _kette_box_up (op) - rim
                             : column->y + _kette_box_down (op) + rim;

  if (place == 0)
    {
      const double x     = column->x + width * (twin ? 0.3 : 0.5),
                   other = column->x + width * 0.7;

      *forward = _kette_route_line ((KettePoint[]){ { x, near_ }, { x, far } }, 2, 0);
      *back
          = _kette_route_line ((KettePoint[]){ { other, far }, { other, near_ } }, 2, 0);
      return;
    }
  /* Only above. The second goes down at the left, the third at the right. */
  const double side  = place == 1 ? column->x : column->x + width,
               sign  = place == 1 ? -1 : 1;
  const double top   = column->y - _kette_box_up (op) + rim;
  const double outer = side + sign * KETTE_BYPASS_OUTER,
               inner = side + sign * KETTE_BYPASS_INNER;

  *forward = _kette_route_line (
      (KettePoint[]){
          { side, y }, { outer, y }, { outer, top + 24 }, { side, top + 24 } },
      4, 6);
  *back = _kette_route_line ((KettePoint[]){ { side, top + 12 },
                                             { inner, top + 12 },
                                             { inner, y + KETTE_CELL_ROW },
                                             { side, y + KETTE_CELL_ROW } },
                             4, 6);
}

static const KetteEdge *
find_edge (const KetteView *view, guint from)
{
  for (guint e = 0; e < view->edges->len; e++)
    if (KETTE_EDGE (view, e)->from == from)
      return KETTE_EDGE (view, e);
  return NULL;
}

double
_kette_column_place (const KetteLayout *layout, const KetteDrawColumn *column,
                     guint place, gboolean above)
{
  const KetteBox *op  = KETTE_BOX (layout->view, column->box);
  const GArray *boxes = above ? column->above : column->below;
  const double sign   = above ? -1 : 1;
  double border       = column->y + (above ? -_kette_box_up (op) : _kette_box_down (op))
                  + sign * _kette_box_rim (op);

  for (guint i = 0;; i++)
    {
      const KetteBox *box = KETTE_BOX (layout->view, g_array_index (boxes, guint, i));
      const double gap    = i ? KETTE_STACK_GAP : KETTE_COLUMN_GAP;

      if (i == place)
        return border + sign * gap
               + (above ? -_kette_box_down (box) : _kette_box_up (box));
      border += sign * (gap + _kette_box_up (box) + _kette_box_down (box));
    }
}

static void
paint_column_edges (KetteScene *scene, const KetteLayout *layout,
                    const KetteDrawColumn *column, double dx, double dy, GHashTable *ids)
{
  KetteDrawColumn moved = *column;

  moved.x += dx;
  moved.y += dy;
  for (guint k = 0; k < column->above->len + column->below->len; k++)
    {
      const gboolean above = k < column->above->len;
      const guint place    = above ? k : k - column->above->len;
      const guint box
          = g_array_index (above ? column->above : column->below, guint, place);
      const KetteEdge *edge = find_edge (layout->view, box);
      GArray *forward, *back;

      if (!edge)
        continue;
      route_parameter (layout, &moved, KETTE_BOX (layout->view, box), place, above,
                       _kette_column_place (layout, &moved, place, above), edge->backward,
                       &forward, &back);
      paint_edge (scene, layout->view, edge, forward, FALSE, ids);
      if (edge->backward)
        paint_edge (scene, layout->view, edge, back, TRUE, ids);
      else
        g_array_unref (back);
    }
}

static GArray *
move_points (const GArray *points, double dx, double dy)
{
  GArray *out = g_array_sized_new (FALSE, FALSE, sizeof (KettePoint), points->len);

  for (guint i = 0; i < points->len; i++)
    {
      KettePoint p = g_array_index (points, KettePoint, i);

      p.x += dx;
      p.y += dy;
      g_array_append_val (out, p);
    }
  return out;
}

void
_kette_paint_edges (KetteScene *scene, const KetteLayout *layout, double dx, double dy)
{
  g_autoptr (GHashTable) ids
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < layout->routes->len; i++)
    {
      const KetteRoute *route = &g_array_index (layout->routes, KetteRoute, i);
      const KetteEdge *edge   = KETTE_EDGE (layout->view, route->edge);

      paint_edge (scene, layout->view, edge, move_points (route->points, dx, dy), FALSE,
                  ids);
      if (route->back)
        paint_edge (scene, layout->view, edge, move_points (route->back, dx, dy), TRUE,
                    ids);
    }
  for (guint i = 0; i < layout->columns->len; i++)
    paint_column_edges (scene, layout, KETTE_COLUMN (layout, i), dx, dy, ids);
}

static double
paint_legend_text (KetteScene *scene, double x, double y, const char *text)
{
  if (scene)
    _kette_prim_text (scene, x, y + 4.2, KETTE_FONT_SANS, LEGEND_SIZE, KETTE_ROLE_MUTED,
                      text);
  return x + _kette_text_width (text, KETTE_FONT_SANS, LEGEND_SIZE) + 24;
}

static double
paint_legend_arrow (KetteScene *scene, const KetteLayout *layout, double x, double y,
                    gboolean backward, gboolean copy)
{
  const KettePoint ends[] = { { x, y }, { x + SAMPLE + KETTE_TIP_GAP, y } };

  if (scene)
    {
      GArray *points = _kette_route_line (ends, 2, 0);

      /* Backwards is also leftwards, as in the picture. */
      if (backward)
        {
          GArray *reversed = _kette_route_reverse (points, 0);

          g_array_unref (points);
          points = reversed;
        }
      paint_arrow (scene, points,
                   backward                    ? KETTE_ROLE_GRADIENT
                   : layout->view->scope->pale ? KETTE_ROLE_FUTURE
                                               : KETTE_ROLE_VALUE,
                   backward, copy);
    }
  return paint_legend_text (scene, x + SAMPLE + 8, y,
                            copy       ? "copy"
                            : backward ? "gradient, backward"
                                       : "value, forward");
}

static double
paint_legend_swatch (KetteScene *scene, double x, double y, KetteRole fill,
                     KetteRole line, const char *text)
{
  if (scene)
    {
      KettePrim *prim = _kette_prim_rect (scene, x, y - 6, 20, 12, 2);

      prim->fill   = fill;
      prim->stroke = line;
      prim->line   = 1;
      prim->dashed = line == KETTE_ROLE_ALERT;
    }
  return paint_legend_text (scene, x + 28, y, text);
}

static double
legend (KetteScene *scene, const KetteLayout *layout, double x, double y)
{
  const KetteView *view            = layout->view;
  gboolean has[KETTE_BOX_LOSS + 1] = { FALSE };

  for (guint i = 0; i < view->boxes->len; i++)
    has[KETTE_BOX (view, i)->kind] = TRUE;
  if (view->edges->len)
    x = paint_legend_arrow (scene, layout, x, y, FALSE, FALSE);
  if (view->scope->gradients)
    x = paint_legend_arrow (scene, layout, x, y, TRUE, FALSE);
  if (has[KETTE_BOX_DATA])
    x = paint_legend_swatch (scene, x, y, KETTE_ROLE_DATA_FILL, KETTE_ROLE_DATA, "data");
  if (has[KETTE_BOX_PARAMETER])
    x = paint_legend_swatch (scene, x, y, KETTE_ROLE_PARAMETER_FILL, KETTE_ROLE_PARAMETER,
                             "parameter");
  if (has[KETTE_BOX_LOSS])
    x = paint_legend_swatch (scene, x, y, KETTE_ROLE_LOSS_FILL, KETTE_ROLE_LOSS, "loss");
  if (has[KETTE_BOX_MISSING])
    x = paint_legend_swatch (scene, x, y, KETTE_ROLE_PAGE, KETTE_ROLE_ALERT,
                             "operator that no plugin provides");
  return x - 24;
}

/* The second line: devices, what a copy looks like, how many there are. */
static double
device_legend (KetteScene *scene, const KetteLayout *layout, double x, double y)
{
  const KetteDrawDevices *devices = layout->view->devices;
  g_autofree char *summary        = _kette_devices_summary (devices);

  for (guint u = 0; u < devices->n_units; u++)
    if (devices->used >> u & 1)
      x = paint_legend_swatch (
          scene, x, y, (KetteRole) (KETTE_ROLE_DEVICE + devices->colours[u]),
          (KetteRole) (KETTE_ROLE_DEVICE_LINE + devices->colours[u]), devices->names[u]);
  if (devices->n_in + devices->n_out + devices->n_between)
    x = paint_legend_arrow (scene, layout, x, y, FALSE, TRUE);
  return paint_legend_text (scene, x, y, summary) - 24;
}

void
_kette_paint_legend (KetteScene *scene, const KetteLayout *layout, double x, double y)
{
  _kette_prim_open (scene, "legend", "legend", NULL);
  legend (scene, layout, x, y);
  if (layout->view->devices)
    device_legend (scene, layout, x, y + KETTE_LEGEND_BAND);
  _kette_prim_close (scene);
}

double
_kette_paint_legend_width (const KetteLayout *layout)
{
  const double second = layout->view->devices ? device_legend (NULL, layout, 0, 0) : 0;

  return MAX (legend (NULL, layout, 0, 0), second);
}
