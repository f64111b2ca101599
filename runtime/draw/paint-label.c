/* SPDX-License-Identifier: Apache-2.0
 * Labels with the bytes of copies: each beside its edge, where nothing else is.
 */
#include "draw/layout.h"
#include <math.h>

#define LABEL_SIZE 12.0
#define BORDER_MARGIN 2.5 /* beside a panel's border */

typedef struct
{
  double left, top, right, bottom;
} Area;

typedef struct
{
  GArray *points; /* of the edge */
  char *text;
  gboolean backward;
} Label;

static void
label_clear (gpointer data)
{
  Label *label = data;

  g_array_unref (label->points);
  g_free (label->text);
}

double
_kette_copy_room (const KetteEdge *edge)
{
  double room = 0;

  for (int k = 0; k < 2; k++)
    {
      g_autofree char *text = _kette_copy_label (k ? &edge->back_copy : &edge->copy);

      if (text[0])
        room
            = MAX (room, _kette_text_width (text, KETTE_FONT_SANS_BOLD, LABEL_SIZE) + 14);
    }
  return room;
}

void
_kette_label_add (KetteScene *scene, const KetteDrawCopy *copy, const GArray *points,
                  gboolean backward)
{
  Label label = { .backward = backward };

  if (!copy->n)
    return;
  if (!scene->labels)
    {
      scene->labels = g_array_new (FALSE, FALSE, sizeof (Label));
      g_array_set_clear_func (scene->labels, label_clear);
    }
  label.text   = _kette_copy_label (copy);
  label.points = g_array_sized_new (FALSE, FALSE, sizeof (KettePoint), points->len);
  g_array_append_vals (label.points, points->data, points->len);
  g_array_append_val (scene->labels, label);
}

static KettePoint
point_at (const KettePoint *p, double t)
{
  const double u = 1 - t, a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t,
               d = t * t * t;

  return (KettePoint){ a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x,
                       a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y };
}

/* The place at FRACTION of the way along POINTS, and whether the way is level there. */
static KettePoint
walk_to (const GArray *points, double fraction, gboolean *level)
{
  const KettePoint *p = (const KettePoint *) (gconstpointer) points->data;
  double length       = 0;

  for (int round = 0; round < 2; round++)
    {
      const double goal = length * fraction;
      KettePoint before = p[0];

      length = 0;
      for (guint i = 0; i + 3 < points->len; i += 3)
        for (int step = 1; step <= 16; step++)
          {
            const KettePoint at = point_at (p + i, step / 16.0);
            const double piece  = hypot (at.x - before.x, at.y - before.y);

            if (round == 1 && piece > 0 && length + piece >= goal)
              {
                const double k = (goal - length) / piece;

                *level = fabs (at.x - before.x) >= fabs (at.y - before.y);
                return (KettePoint){ before.x + k * (at.x - before.x),
                                     before.y + k * (at.y - before.y) };
              }
            length += piece;
            before = at;
          }
    }
  *level = TRUE;
  return p[0];
}

/* What labels must keep off: boxes, texts, borders of panels as thin areas, edges as dots. */
static GArray *
find_obstacles (const KetteScene *scene)
{
  GArray *areas    = g_array_new (FALSE, FALSE, sizeof (Area));
  gboolean in_edge = FALSE;

  for (guint i = 0; i < scene->prims->len; i++)
    {
      const KettePrim *p = KETTE_PRIM (scene, i);
      const double right = p->x + p->width, bottom = p->y + p->height;

      if (p->type == KETTE_PRIM_OPEN)
        in_edge = g_str_has_prefix (p->text, "edge");
      else if (p->type == KETTE_PRIM_TEXT)
        g_array_append_val (areas, ((Area){ p->x, p->y - p->size, right, p->y + 3 }));
      else if (p->type == KETTE_PRIM_RECT && p->fill == KETTE_ROLE_PANEL_FILL)
        {
          const double m = BORDER_MARGIN;

          g_array_append_val (areas, ((Area){ p->x - m, p->y, p->x + m, bottom }));
          g_array_append_val (areas, ((Area){ right - m, p->y, right + m, bottom }));
          g_array_append_val (areas, ((Area){ p->x, p->y - m, right, p->y + m }));
          g_array_append_val (areas, ((Area){ p->x, bottom - m, right, bottom + m }));
        }
      else if (p->type == KETTE_PRIM_RECT)
        g_array_append_val (areas, ((Area){ p->x, p->y, right, bottom }));
      else if (p->type == KETTE_PRIM_PATH && in_edge)
        {
          const KettePoint *c = (const KettePoint *) (gconstpointer) p->points->data;

          for (guint k = 0; k + 3 < p->points->len; k += 3)
            {
              const guint n
                  = 2 + (guint) (hypot (c[k + 3].x - c[k].x, c[k + 3].y - c[k].y) / 5);

              for (guint step = 0; step <= n; step++)
                {
                  const KettePoint at = point_at (c + k, (double) step / n);

                  g_array_append_val (
                      areas, ((Area){ at.x - 2.5, at.y - 2.5, at.x + 2.5, at.y + 2.5 }));
                }
            }
        }
    }
  return areas;
}

static gboolean
is_free (const GArray *areas, const Area *a)
{
  for (guint i = 0; i < areas->len; i++)
    {
      const Area *b = &g_array_index (areas, Area, i);

      if (a->left < b->right && b->left < a->right && a->top < b->bottom
          && b->top < a->bottom)
        return FALSE;
    }
  return TRUE;
}

/* Beside its edge, near the middle, where nothing else is; else on it, over a patch of page. */
static void
place_label (KetteScene *scene, GArray *areas, const Label *label)
{
  static const double fractions[] = { 0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88 };
  const double width = _kette_text_width (label->text, KETTE_FONT_SANS_BOLD, LABEL_SIZE);
  Area at            = { 0 };
  gboolean found     = FALSE;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (fractions) && !found; i++)
    {
      gboolean level;
      const KettePoint p = walk_to (label->points, fractions[i / 2], &level);
      const double sign  = (i % 2 == 1) == label->backward ? -1 : 1;

      /* Above and right first; of gradients below. */
      at.left   = level ? p.x - width / 2 : sign < 0 ? p.x + 7 : p.x - 7 - width;
      at.top    = level ? (sign < 0 ? p.y - 19 : p.y + 7) : p.y - 6;
      at.right  = at.left + width;
      at.bottom = at.top + 12;
      found     = at.left >= 2 && at.right <= scene->width - 2 && is_free (areas, &at);
    }
  if (!found)
    {
      gboolean level;
      const KettePoint p = walk_to (label->points, 0.5, &level);

      at = (Area){ p.x - width / 2, p.y - 6, p.x + width / 2, p.y + 6 };
      _kette_prim_rect (scene, at.left - 2, at.top - 1, width + 4, 14, 3)->fill
          = KETTE_ROLE_PAGE;
    }
  g_array_append_val (areas, at);
  _kette_prim_text (scene, at.left, at.top + 10.2, KETTE_FONT_SANS_BOLD, LABEL_SIZE,
                    label->backward ? KETTE_ROLE_GRADIENT : KETTE_ROLE_VALUE,
                    label->text);
}

void
_kette_paint_labels (KetteScene *scene)
{
  GArray *areas;

  if (!scene->labels)
    return;
  areas = find_obstacles (scene);
  _kette_prim_open (scene, "copies", "copies", NULL);
  for (guint i = 0; i < scene->labels->len; i++)
    place_label (scene, areas, &g_array_index (scene->labels, Label, i));
  _kette_prim_close (scene);
  g_array_unref (areas);
  g_clear_pointer (&scene->labels, g_array_unref);
}
