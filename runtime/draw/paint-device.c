/* SPDX-License-Identifier: Apache-2.0
 * What boxes show of devices: a strip with the name above, below a second one where the gradient
 * is computed elsewhere, and one for results that are copied to the host; and how copies are
 * put in words. Colours repeat what names say, so that black and white will do.
 */
#include "draw/layout.h"

#define STRIP_SIZE 12.0
#define STRIP_INSET 6.0

/* -- texts -------------------------------------------------------------------------------- */

/* Three digits: "40 B", "3.14 kB", "31.4 kB". */
static char *
bytes_text (gsize bytes)
{
  static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
  gsize scale                      = 1000;
  guint unit                       = 0;

  if (bytes < 1000)
    return g_strdup_printf ("%zu B", bytes);
  while (unit + 1 < G_N_ELEMENTS (units) && bytes / (scale / 1000 * 9995) >= 100)
    {
      scale *= 1000;
      unit++;
    }
  const guint decimals = bytes < scale / 1000 * 9995  ? 2
                         : bytes < scale / 100 * 9995 ? 1
                                                      : 0;
  const gsize part     = decimals == 2 ? 100 : decimals == 1 ? 10 : 1;
  const gsize rounded
      = bytes / (scale / part) + (bytes % (scale / part) >= scale / part / 2);

  if (decimals == 0)
    return g_strdup_printf ("%zu %s", rounded, units[unit]);
  return g_strdup_printf ("%zu.%0*zu %s", rounded / part, (int) decimals, rounded % part,
                          units[unit]);
}

char *
_kette_copy_label (const KetteDrawCopy *copy)
{
  g_autofree char *bytes = bytes_text (copy->bytes);
  g_autofree char *each  = bytes_text (copy->each);

  if (copy->n > 1 && copy->each)
    return g_strdup_printf ("%u \xc3\x97 %s", copy->n, each);
  if (copy->n > 1)
    return g_strdup_printf ("%u copies, %s", copy->n, bytes);
  return g_strdup (copy->n ? bytes : "");
}

char *
_kette_devices_list (const KetteDrawDevices *devices, guint32 units)
{
  GString *out = g_string_new (NULL);

  for (guint u = 0; u < devices->n_units; u++)
    if (units >> u & 1)
      g_string_append_printf (out, "%s%s", out->len ? ", " : "", devices->names[u]);
  return g_string_free (out, FALSE);
}

char *
_kette_devices_summary (const KetteDrawDevices *devices)
{
  g_autofree char *bytes = bytes_text (devices->bytes);
  GString *out           = g_string_new (NULL);

  if (devices->n_in + devices->n_out + devices->n_between == 0)
    g_string_append (out, "no copies");
  else
    g_string_append_printf (out, "copies: %u in, %u out", devices->n_in, devices->n_out);
  if (devices->n_between)
    g_string_append_printf (out, ", %u between devices", devices->n_between);
  if (devices->bytes)
    g_string_append_printf (out, ", %s", bytes);
  if (devices->n_hidden)
    g_string_append_printf (out, " (%u not drawn)", devices->n_hidden);
  if (devices->batch)
    g_string_append_printf (out, ", open dims %" G_GINT64_FORMAT, devices->batch);
  return g_string_free (out, FALSE);
}

/* -- strips ------------------------------------------------------------------------------- */

static KetteRole
role_of (KetteRole first, const KetteDrawDevices *devices, guint unit)
{
  return (KetteRole) ((guint) first + devices->colours[unit]);
}

/* Colours that are light have dark text. */
static KetteRole
text_role (const KetteDrawDevices *devices, guint unit)
{
  static const KetteRole roles[KETTE_DRAW_COLOURS]
      = { KETTE_ROLE_INK, KETTE_ROLE_PAGE, KETTE_ROLE_INK,
          KETTE_ROLE_INK, KETTE_ROLE_INK,  KETTE_ROLE_PAGE };

  return roles[devices->colours[unit]];
}

/* The lowest device of a box that is no host, else the host; colours what is not a strip. */
guint
_kette_box_unit (const KetteBox *box)
{
  const guint32 units = box->units ? box->units : box->back_units;

  for (guint u = 1; u < KETTE_DRAW_UNITS; u++)
    if (units >> u & 1)
      return u;
  return 0;
}

gboolean
_kette_box_parts (const KetteBox *box)
{
  return box->back_units && box->units && box->back_units != box->units;
}

double
_kette_box_strips_below (const KetteBox *box)
{
  return KETTE_STRIP
         * (_kette_box_parts (box) + (box->inside.n > 0) + (box->fetch.n > 0));
}

/* What the strip above says: where the value is computed, else where the gradient is. */
static guint32
units_above (const KetteBox *box)
{
  return box->units ? box->units : box->back_units;
}

static char *
name_of (const KetteDrawDevices *devices, const KetteBox *box, guint unit,
         gboolean gradient)
{
  g_autofree char *saved = _kette_copy_label (&box->saved);

  if (gradient)
    return g_strdup_printf ("\xe2\x88\x82 %s%s%s", devices->names[unit],
                            saved[0] ? ", " : "", saved);
  return g_strdup_printf ("%s%s", devices->names[unit],
                          unit == 0 && box->fallback ? " (fallback)" : "");
}

static char *
copy_text (const KetteDrawCopy *copy, const char *where)
{
  g_autofree char *label = _kette_copy_label (copy);

  return g_strdup_printf ("%s %s", label, where);
}

static double
word_width (const char *word)
{
  return _kette_text_width (word, KETTE_FONT_SANS_BOLD, STRIP_SIZE);
}

/* Parts of a strip are equally wide. */
static double
parts_need (const KetteDrawDevices *devices, const KetteBox *box, guint32 units,
            gboolean gradient)
{
  double widest = 0;
  guint n       = 0;

  for (guint u = 0; u < devices->n_units; u++)
    if (units >> u & 1)
      {
        g_autofree char *name = name_of (devices, box, u, gradient);

        widest = MAX (widest, word_width (name));
        n++;
      }
  return n ? n * widest + (n - 1) * 2 * STRIP_INSET : 0;
}

double
_kette_strip_need (const KetteDrawDevices *devices, const KetteBox *box)
{
  g_autofree char *fetch  = copy_text (&box->fetch, "to cpu");
  g_autofree char *inside = copy_text (&box->inside, "inside");
  double need             = parts_need (devices, box, units_above (box), !box->units);

  if (box->unplaced)
    need = MAX (need, word_width (box->unplaced));
  if (_kette_box_parts (box))
    need = MAX (need, parts_need (devices, box, box->back_units, TRUE));
  if (box->inside.n)
    need = MAX (need, word_width (inside));
  return box->fetch.n ? MAX (need, word_width (fetch)) : need;
}

static void
paint_word (KetteScene *scene, double x, double y, double width, KetteRole role,
            const char *word)
{
  g_autofree char *text
      = _kette_text_fit (word, KETTE_FONT_SANS_BOLD, STRIP_SIZE, width - 2 * STRIP_INSET);

  if (text[0])
    _kette_prim_text (scene, x + (width - word_width (text)) / 2, y + 13.2,
                      KETTE_FONT_SANS_BOLD, STRIP_SIZE, role, text);
}

/* A strip at (X, Y), whose corners have the radii TOP and BOTTOM, with a part per unit. */
static void
paint_parts (KetteScene *scene, const KetteLayout *layout, const KetteBox *box,
             guint32 units, gboolean gradient, double x, double y, double top,
             double bottom)
{
  const KetteDrawDevices *devices = layout->view->devices;
  guint count = 0, part = 0;

  for (guint u = 0; u < devices->n_units; u++)
    count += units >> u & 1;
  for (guint u = 0; u < devices->n_units; u++)
    if (units >> u & 1)
      {
        const double width = layout->box_width / count, left = x + width * part;
        const gboolean first = part == 0, last = ++part == count;
        g_autofree char *name = name_of (devices, box, u, gradient);
        const double radii[]
            = { first ? top : 0, last ? top : 0, last ? bottom : 0, first ? bottom : 0 };

        _kette_prim_cell4 (scene, left, y, width, KETTE_STRIP, radii)->fill
            = role_of (KETTE_ROLE_DEVICE, devices, u);
        paint_word (scene, left, y, width, text_role (devices, u), name);
      }
}

void
_kette_paint_strip (KetteScene *scene, const KetteLayout *layout, const KetteBox *box,
                    double x, double y, double radius)
{
  const guint32 units = units_above (box);

  if (units)
    {
      paint_parts (scene, layout, box, units, !box->units, x, y, radius, 0);
      return;
    }
  _kette_prim_cell (scene, x, y, layout->box_width, KETTE_STRIP, radius, 0)->fill
      = KETTE_ROLE_PANEL_FILL;
  paint_word (scene, x, y, layout->box_width, KETTE_ROLE_MUTED, box->unplaced);
}

void
_kette_paint_strips_below (KetteScene *scene, const KetteLayout *layout,
                           const KetteBox *box, double x, double bottom, double radius)
{
  const KetteDrawDevices *devices = layout->view->devices;
  double y                        = bottom - _kette_box_strips_below (box);

  if (_kette_box_parts (box))
    {
      y += KETTE_STRIP;
      paint_parts (scene, layout, box, box->back_units, TRUE, x, y - KETTE_STRIP, 0,
                   y < bottom ? 0 : radius);
    }
  for (int k = 0; k < 2; k++)
    {
      const KetteDrawCopy *copy = k ? &box->fetch : &box->inside;
      g_autofree char *text     = copy_text (copy, k ? "to cpu" : "inside");

      if (!copy->n)
        continue;
      y += KETTE_STRIP;
      _kette_prim_cell (scene, x, y - KETTE_STRIP, layout->box_width, KETTE_STRIP, 0,
                        y < bottom ? 0 : radius)
          ->fill
          = k ? role_of (KETTE_ROLE_DEVICE, devices, 0) : KETTE_ROLE_PANEL_FILL;
      paint_word (scene, x, y - KETTE_STRIP, layout->box_width,
                  k ? text_role (devices, 0) : KETTE_ROLE_MUTED, text);
    }
}
