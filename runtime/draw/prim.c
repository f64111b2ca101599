/* SPDX-License-Identifier: Apache-2.0
 * The primitives of a scene: groups, rectangles, paths, runs of text. Everything that a
 * writer prints is one of them, so that all formats show the same picture.
 */
#include "draw/draw-private.h"

#define CIRCLE 0.5522847498 /* control points of a quarter circle */

static KettePrim *
add (KetteScene *scene, KettePrimType type)
{
  g_array_set_size (scene->prims, scene->prims->len + 1);
  KettePrim *prim = KETTE_PRIM (scene, scene->prims->len - 1);

  prim->type = type;
  return prim;
}

KettePrim *
_kette_prim_open (KetteScene *scene, const char *class_, const char *id,
                  const char *title)
{
  KettePrim *prim = add (scene, KETTE_PRIM_OPEN);

  prim->text  = g_strdup (class_);
  prim->id    = g_strdup (id);
  prim->title = g_strdup (title);
  return prim;
}

void
_kette_prim_close (KetteScene *scene)
{
  add (scene, KETTE_PRIM_CLOSE);
}

KettePrim *
_kette_prim_rect (KetteScene *scene, double x, double y, double width, double height,
                  double radius)
{
  KettePrim *prim = add (scene, KETTE_PRIM_RECT);

  prim->x      = x;
  prim->y      = y;
  prim->width  = width;
  prim->height = height;
  prim->radius = radius;
  return prim;
}

KettePrim *
_kette_prim_path (KetteScene *scene, GArray *points)
{
  KettePrim *prim = add (scene, KETTE_PRIM_PATH);

  prim->points = points;
  return prim;
}

static void
line_to (GArray *points, double x, double y)
{
  const KettePoint from = g_array_index (points, KettePoint, points->len - 1),
                   to   = { x, y };

  if (from.x == x && from.y == y)
    return;
  g_array_append_val (points, from);
  g_array_append_val (points, to);
  g_array_append_val (points, to);
}

/* A quarter circle to (X, Y) round the corner (CX, CY). */
static void
turn_to (GArray *points, double cx, double cy, double x, double y)
{
  const KettePoint from = g_array_index (points, KettePoint, points->len - 1);
  const KettePoint a
      = { from.x + CIRCLE * (cx - from.x), from.y + CIRCLE * (cy - from.y) };
  const KettePoint b = { x + CIRCLE * (cx - x), y + CIRCLE * (cy - y) }, to = { x, y };

  if (from.x == x && from.y == y)
    return;
  g_array_append_val (points, a);
  g_array_append_val (points, b);
  g_array_append_val (points, to);
}

KettePrim *
_kette_prim_cell4 (KetteScene *scene, double x, double y, double width, double height,
                   const double radii[4])
{
  GArray *points         = g_array_new (FALSE, FALSE, sizeof (KettePoint));
  const KettePoint start = { x + radii[0], y };
  const double right = x + width, end = y + height;

  g_array_append_val (points, start);
  line_to (points, right - radii[1], y);
  turn_to (points, right, y, right, y + radii[1]);
  line_to (points, right, end - radii[2]);
  turn_to (points, right, end, right - radii[2], end);
  line_to (points, x + radii[3], end);
  turn_to (points, x, end, x, end - radii[3]);
  line_to (points, x, y + radii[0]);
  turn_to (points, x, y, x + radii[0], y);
  KettePrim *prim = _kette_prim_path (scene, points);

  prim->closed = TRUE;
  return prim;
}

/* A filled cell with round corners at the TOP and the BOTTOM. */
KettePrim *
_kette_prim_cell (KetteScene *scene, double x, double y, double width, double height,
                  double top, double bottom)
{
  return _kette_prim_cell4 (scene, x, y, width, height,
                            (double[]){ top, top, bottom, bottom });
}

KettePrim *
_kette_prim_text (KetteScene *scene, double x, double y, KetteFont font, double size,
                  KetteRole role, const char *text)
{
  KettePrim *prim = add (scene, KETTE_PRIM_TEXT);

  prim->x     = x;
  prim->y     = y;
  prim->font  = font;
  prim->size  = size;
  prim->fill  = role;
  prim->text  = g_strdup (text);
  prim->width = _kette_text_width (text, font, size);
  return prim;
}

void
_kette_prim_markup (KetteScene *scene, double x, double y, double size, KetteRole role,
                    const char *markup)
{
  g_autoptr (GPtrArray) runs = _kette_markup_runs (markup, size, NULL);

  for (guint i = 0; i < runs->len; i++)
    {
      const KetteTextRun *run = runs->pdata[i];

      _kette_prim_text (scene, x + run->x, y + run->dy, run->font, run->size, role,
                        run->text);
    }
}
