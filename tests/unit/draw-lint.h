/* SPDX-License-Identifier: Apache-2.0
 * Rules that every scene must keep: texts inside their boxes and apart from each other, boxes
 * apart, edges beside boxes and texts, heads just before borders, sizes that can be read.
 */
#pragma once
#include "draw/layout.h"
#include <math.h>
#include <string.h>

typedef struct
{
  double left, top, right, bottom;
} Area;

/* What the scene holds, taken apart. */
typedef struct
{
  GArray *boxes, *texts; /* Area */
  GPtrArray *edges; /* const KettePrim: lines of edges; heads follow them in the scene */
  GPtrArray *words; /* const char: what TEXTS say */
  GArray *panels;   /* Area */
} Parts;

static gboolean
overlap (const Area *a, const Area *b, double slack)
{
  return a->left < b->right - slack && b->left < a->right - slack
         && a->top < b->bottom - slack && b->top < a->bottom - slack;
}

static gboolean
inside (const Area *a, const Area *b)
{
  return a->left >= b->left && a->right <= b->right && a->top >= b->top
         && a->bottom <= b->bottom;
}

static Area
area_of_text (const KettePrim *p)
{
  return (Area){ p->x, p->y - 0.7 * p->size, p->x + p->width, p->y + 0.2 * p->size };
}

/* Checks what can be seen of a single primitive. */
static void
lint_text (const KetteScene *scene, const KettePrim *p)
{
  const Area page = { 0, 0, scene->width, scene->height }, area = area_of_text (p);

  g_assert_cmpfloat (p->size, >=, 8);
  if (p->font < KETTE_FONT_SERIF) /* no script is set in sans */
    g_assert_cmpfloat (p->size, >=, 12);
  g_assert_true (g_utf8_validate (p->text, -1, NULL));
  g_assert_cmpstr (p->text, !=, "");
  g_assert_true (p->text[0] != ' ' && p->text[strlen (p->text) - 1] != ' ');
  g_assert_true (inside (&area, &page));
}

/* The border of the box whose group opens at I. */
static Area
first_rect (const KetteScene *scene, guint i)
{
  while (i < scene->prims->len && KETTE_PRIM (scene, i)->type != KETTE_PRIM_RECT
         && KETTE_PRIM (scene, i)->type != KETTE_PRIM_CLOSE)
    i++;
  const KettePrim *p = KETTE_PRIM (scene, i);

  return (Area){ p->x, p->y, p->x + p->width, p->y + p->height };
}

static void
take_apart (const KetteScene *scene, Parts *parts)
{
  const char *class_ = "";
  Area box           = { 0 };

  *parts = (Parts){ g_array_new (FALSE, FALSE, sizeof (Area)),
                    g_array_new (FALSE, FALSE, sizeof (Area)), g_ptr_array_new (),
                    g_ptr_array_new (), g_array_new (FALSE, FALSE, sizeof (Area)) };
  for (guint i = 0; i < scene->prims->len; i++)
    {
      const KettePrim *p = KETTE_PRIM (scene, i);
      const Area rect    = { p->x, p->y, p->x + p->width, p->y + p->height };

      if (p->type == KETTE_PRIM_OPEN)
        {
          class_ = p->text;
          box    = first_rect (scene, i);
        }
      else if (p->type == KETTE_PRIM_CLOSE)
        class_ = "";
      else if (p->type == KETTE_PRIM_RECT && g_str_has_prefix (class_, "box"))
        {
          if (KETTE_PRIM (scene, i + 1)->type != KETTE_PRIM_RECT) /* a loss has two */
            g_array_append_val (parts->boxes, rect);
        }
      else if (p->type == KETTE_PRIM_RECT && strcmp (class_, "panel") == 0)
        g_array_append_val (parts->panels, rect);
      else if (p->type == KETTE_PRIM_PATH && g_str_has_prefix (class_, "edge")
               && !p->closed && KETTE_PRIM (scene, i + 1)->closed) /* a copy has two */
        g_ptr_array_add (parts->edges, (gpointer) p);
      else if (p->type == KETTE_PRIM_TEXT)
        {
          const Area area = area_of_text (p);

          lint_text (scene, p);
          if (g_str_has_prefix (class_, "box") && !inside (&area, &box))
            g_error ("\"%s\" is not inside its box", p->text);
          g_array_append_val (parts->texts, area);
          g_ptr_array_add (parts->words, p->text);
        }
    }
}

static void
parts_clear (Parts *parts)
{
  g_array_unref (parts->boxes);
  g_array_unref (parts->texts);
  g_array_unref (parts->panels);
  g_ptr_array_unref (parts->edges);
  g_ptr_array_unref (parts->words);
}

static void
lint_apart (const Parts *parts)
{
  for (guint i = 0; i < parts->boxes->len; i++)
    for (guint k = 0; k < i; k++)
      g_assert_false (overlap (&g_array_index (parts->boxes, Area, i),
                               &g_array_index (parts->boxes, Area, k), -4));
  for (guint i = 0; i < parts->texts->len; i++)
    for (guint k = 0; k < i; k++)
      if (overlap (&g_array_index (parts->texts, Area, i),
                   &g_array_index (parts->texts, Area, k), 0.05))
        g_error ("texts \"%s\" and \"%s\" overlap", (char *) parts->words->pdata[i],
                 (char *) parts->words->pdata[k]);
  for (guint i = 0; i < parts->panels->len; i++)
    for (guint k = 0; k < i; k++)
      g_assert_false (overlap (&g_array_index (parts->panels, Area, i),
                               &g_array_index (parts->panels, Area, k), -8));
}

static KettePoint
point_at (const KettePoint *p, double t)
{
  const double u = 1 - t, a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t,
               d = t * t * t;

  return (KettePoint){ a * p[0].x + b * p[1].x + c * p[2].x + d * p[3].x,
                       a * p[0].y + b * p[1].y + c * p[2].y + d * p[3].y };
}

/* Every edge keeps out of every box and every text. */
static void
lint_edge (const Parts *parts, const KettePrim *edge)
{
  const KettePoint *p = (const KettePoint *) (gconstpointer) edge->points->data;

  for (guint i = 0; i + 3 < edge->points->len; i += 3)
    for (int step = 0; step <= 40; step++)
      {
        const KettePoint at = point_at (p + i, step / 40.0);
        const Area dot      = { at.x, at.y, at.x, at.y };

        for (guint k = 0; k < parts->boxes->len; k++)
          g_assert_false (overlap (&dot, &g_array_index (parts->boxes, Area, k), 0.5));
        for (guint k = 0; k < parts->texts->len; k++)
          if (overlap (&dot, &g_array_index (parts->texts, Area, k), 0.5))
            g_error ("an edge runs through \"%s\"", (char *) parts->words->pdata[k]);
      }
}

static double
distance_to_box (const Area *box, KettePoint p)
{
  const double x = MAX (MAX (box->left - p.x, p.x - box->right), 0);
  const double y = MAX (MAX (box->top - p.y, p.y - box->bottom), 0);

  return hypot (x, y);
}

/* An edge starts at a border; its head, the path behind the line, ends 1.5 before another. */
static void
lint_ends (const Parts *parts, const KettePrim *edge)
{
  const KettePrim *head  = edge + 1;
  const KettePoint start = g_array_index (edge->points, KettePoint, 0);
  const KettePoint tip   = g_array_index (head->points, KettePoint, 0);
  const double trim      = head->line / 2;
  double from = 1e9, to = 1e9;

  g_assert_true (head->type == KETTE_PRIM_PATH && head->closed);
  for (guint k = 0; k < parts->boxes->len; k++)
    {
      from = MIN (from, distance_to_box (&g_array_index (parts->boxes, Area, k), start));
      to   = MIN (to, distance_to_box (&g_array_index (parts->boxes, Area, k), tip));
    }
  g_assert_cmpfloat (from, <, 0.11);
  g_assert_cmpfloat (fabs (to - trim - KETTE_TIP_GAP), <, 0.11);
}

static void
lint_scene (const KetteScene *scene)
{
  Parts parts;

  take_apart (scene, &parts);
  lint_apart (&parts);
  for (guint i = 0; i < parts.edges->len; i++)
    {
      lint_edge (&parts, parts.edges->pdata[i]);
      lint_ends (&parts, parts.edges->pdata[i]);
    }
  parts_clear (&parts);
}
