/* SPDX-License-Identifier: Apache-2.0
 * Edges as chains of cubic curves: a start, then three points per piece. A straight piece has
 * its control points at its ends.
 */
#include "draw/draw-private.h"
#include <math.h>

#define CIRCLE 0.5522847498 /* control points of a quarter circle */

static void
add_piece (GArray *points, KettePoint a, KettePoint b, KettePoint c)
{
  g_array_append_val (points, a);
  g_array_append_val (points, b);
  g_array_append_val (points, c);
}

static KettePoint
towards (KettePoint from, KettePoint to, double distance)
{
  const double length = hypot (to.x - from.x, to.y - from.y);
  const double t      = length > 0 ? distance / length : 0;

  return (KettePoint){ from.x + t * (to.x - from.x), from.y + t * (to.y - from.y) };
}

GArray *
_kette_route_line (const KettePoint *corners, guint n, double radius)
{
  GArray *points = g_array_new (FALSE, FALSE, sizeof (KettePoint));
  KettePoint at  = corners[0];

  g_array_append_val (points, at);
  for (guint i = 1; i + 1 < n; i++)
    {
      const KettePoint before = corners[i - 1], here = corners[i], after = corners[i + 1];
      const double room   = MIN (hypot (here.x - before.x, here.y - before.y),
                                 hypot (after.x - here.x, after.y - here.y));
      const double r      = MIN (radius, room / 2);
      const KettePoint in = towards (here, before, r), out = towards (here, after, r);

      add_piece (points, at, in, in);
      add_piece (points, towards (in, here, r * CIRCLE), towards (out, here, r * CIRCLE),
                 out);
      at = out;
    }
  add_piece (points, at, corners[n - 1], corners[n - 1]);
  return points;
}

GArray *
_kette_route_reverse (const GArray *points, double dy)
{
  GArray *out = g_array_sized_new (FALSE, FALSE, sizeof (KettePoint), points->len);

  for (guint i = points->len; i-- > 0;)
    {
      KettePoint p = g_array_index (points, KettePoint, i);

      p.y += dy;
      g_array_append_val (out, p);
    }
  return out;
}

void
_kette_route_shorten (GArray *points, double length)
{
  const guint n        = points->len;
  KettePoint *p        = (KettePoint *) (gpointer) points->data;
  const KettePoint end = towards (p[n - 1], p[n - 4], length);

  p[n - 1] = p[n - 2] = end;
}
