/* SPDX-License-Identifier: Apache-2.0
 * SVG, with presentation attributes only: no style sheet, marker, clip, reference or script,
 * so that browsers, office programs and converters show the same. Numbers have one decimal
 * and are printed as integers, which no locale changes.
 */
#include "draw/draw-private.h"
#include <math.h>

static const char *const light[KETTE_N_ROLES] = {
  [KETTE_ROLE_NONE]           = "none",
  [KETTE_ROLE_INK]            = "#1B1F24",
  [KETTE_ROLE_PAGE]           = "#FFFFFF",
  [KETTE_ROLE_MUTED]          = "#525B67",
  [KETTE_ROLE_VALUE]          = "#005F96",
  [KETTE_ROLE_VALUE_FILL]     = "#E3F0F8",
  [KETTE_ROLE_GRADIENT]       = "#A84200",
  [KETTE_ROLE_GRADIENT_FILL]  = "#FCEBDD",
  [KETTE_ROLE_PARAMETER]      = "#006A4E",
  [KETTE_ROLE_PARAMETER_FILL] = "#E2F4EE",
  [KETTE_ROLE_DATA]           = "#4B5563",
  [KETTE_ROLE_DATA_FILL]      = "#F1F3F5",
  [KETTE_ROLE_LOSS]           = "#8A3E74",
  [KETTE_ROLE_LOSS_FILL]      = "#F6E8F1",
  [KETTE_ROLE_OP]             = "#6B7280",
  [KETTE_ROLE_PANEL]          = "#CDD3DA",
  [KETTE_ROLE_PANEL_FILL]     = "#FAFBFC",
  [KETTE_ROLE_FUTURE]         = "#B4BBC4",
  [KETTE_ROLE_ALERT]          = "#B00020",
  /* Devices: the host, then five that differ in lightness too, for those who see no colours. */
  [KETTE_ROLE_DEVICE] = "#DDE1E6",
  "#5B3A9E",
  "#E8B400",
  "#2BB3C0",
  "#F2A7C3",
  "#1B1F24",
  [KETTE_ROLE_DEVICE_LINE] = "#4B5563",
  "#5B3A9E",
  "#8A6D00",
  "#00757F",
  "#B0436F",
  "#1B1F24",
  [KETTE_ROLE_DEVICE_FILL] = "#F1F3F5",
  "#EEE9F8",
  "#FDF6DA",
  "#DFF2F3",
  "#FDEEF4",
  "#E4E6E9",
};

#define SANS "Helvetica,Arial,Liberation Sans,sans-serif"
#define SERIF "Times New Roman,Times,Liberation Serif,serif"

static void
put_number (GString *out, double v)
{
  const long tenths = lround (v * 10), whole = labs (tenths) / 10,
             rest = labs (tenths) % 10;

  if (tenths < 0)
    g_string_append_c (out, '-');
  g_string_append_printf (out, "%ld", whole);
  if (rest)
    g_string_append_printf (out, ".%ld", rest);
}

static void
put_attribute (GString *out, const char *name, double v)
{
  g_string_append_printf (out, " %s=\"", name);
  put_number (out, v);
  g_string_append_c (out, '"');
}

/* Line widths have two decimals: 1.75. */
static void
put_paint (GString *out, const KettePrim *prim)
{
  const long line = lround (prim->line * 100);

  g_string_append_printf (out, " fill=\"%s\"", light[prim->fill]);
  if (prim->stroke == KETTE_ROLE_NONE)
    return;
  g_string_append_printf (out, " stroke=\"%s\" stroke-width=\"%ld", light[prim->stroke],
                          line / 100);
  if (line % 100)
    g_string_append_printf (out, line % 10 ? ".%02ld" : ".%ld",
                            line % 10 ? line % 100 : line % 100 / 10);
  g_string_append_c (out, '"');
  if (prim->dashed)
    g_string_append (out, " stroke-dasharray=\"5 3\"");
  if (prim->closed)
    g_string_append (out, " stroke-linejoin=\"round\"");
}

static void
put_point (GString *out, KettePoint p)
{
  put_number (out, p.x);
  g_string_append_c (out, ' ');
  put_number (out, p.y);
}

static gboolean
same (KettePoint a, KettePoint b)
{
  return a.x == b.x && a.y == b.y;
}

static void
put_path (GString *out, const KettePrim *prim)
{
  const KettePoint *p = (const KettePoint *) (gconstpointer) prim->points->data;

  g_string_append (out, "<path d=\"M");
  put_point (out, p[0]);
  for (guint i = 1; i + 2 < prim->points->len; i += 3)
    if (same (p[i], p[i - 1]) && same (p[i + 1], p[i + 2]))
      {
        g_string_append_c (out, 'L');
        put_point (out, p[i + 2]);
      }
    else
      {
        g_string_append_c (out, 'C');
        put_point (out, p[i]);
        g_string_append_c (out, ' ');
        put_point (out, p[i + 1]);
        g_string_append_c (out, ' ');
        put_point (out, p[i + 2]);
      }
  g_string_append (out, prim->closed ? "Z\"" : "\"");
  put_paint (out, prim);
  g_string_append (out, "/>\n");
}

static void
put_rect (GString *out, const KettePrim *prim)
{
  g_string_append (out, "<rect");
  put_attribute (out, "x", prim->x);
  put_attribute (out, "y", prim->y);
  put_attribute (out, "width", prim->width);
  put_attribute (out, "height", prim->height);
  if (prim->radius > 0)
    put_attribute (out, "rx", prim->radius);
  put_paint (out, prim);
  g_string_append (out, "/>\n");
}

static void
put_text (GString *out, const KettePrim *prim)
{
  g_string_append (out, "<text");
  put_attribute (out, "x", prim->x);
  put_attribute (out, "y", prim->y);
  put_attribute (out, "font-size", prim->size);
  if (prim->font >= KETTE_FONT_SERIF)
    g_string_append (out, " font-family=\"" SERIF "\"");
  if (prim->font == KETTE_FONT_SANS_BOLD || prim->font == KETTE_FONT_SERIF_BOLD)
    g_string_append (out, " font-weight=\"bold\"");
  if (prim->font == KETTE_FONT_SANS_ITALIC || prim->font == KETTE_FONT_SERIF_ITALIC)
    g_string_append (out, " font-style=\"italic\"");
  put_paint (out, prim);
  g_string_append_c (out, '>');
  _kette_xml_escape (out, prim->text);
  g_string_append (out, "</text>\n");
}

static void
put_group (GString *out, const KettePrim *prim)
{
  g_string_append_printf (out, "<g class=\"%s\" id=\"%s\">\n", prim->text, prim->id);
  if (!prim->title)
    return;
  g_string_append (out, "<title>");
  _kette_xml_escape (out, prim->title);
  g_string_append (out, "</title>\n");
}

char *
_kette_svg_write (const KetteScene *scene)
{
  GString *out = g_string_new ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                               "<svg xmlns=\"http://www.w3.org/2000/svg\"");

  put_attribute (out, "width", scene->width);
  put_attribute (out, "height", scene->height);
  g_string_append (out, " viewBox=\"0 0 ");
  put_point (out, (KettePoint){ scene->width, scene->height });
  g_string_append (
      out, "\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"" SANS "\">\n"
           "<title id=\"title\">");
  _kette_xml_escape (out, scene->title);
  g_string_append (out, "</title>\n<desc id=\"desc\">");
  _kette_xml_escape (out, scene->desc);
  g_string_append (out, "</desc>\n<rect");
  put_attribute (out, "width", scene->width);
  put_attribute (out, "height", scene->height);
  g_string_append_printf (out, " fill=\"%s\"/>\n", light[KETTE_ROLE_PAGE]);
  for (guint i = 0; i < scene->prims->len; i++)
    {
      const KettePrim *prim = KETTE_PRIM (scene, i);

      switch (prim->type)
        {
        case KETTE_PRIM_OPEN:
          put_group (out, prim);
          break;
        case KETTE_PRIM_CLOSE:
          g_string_append (out, "</g>\n");
          break;
        case KETTE_PRIM_RECT:
          put_rect (out, prim);
          break;
        case KETTE_PRIM_PATH:
          put_path (out, prim);
          break;
        case KETTE_PRIM_TEXT:
          put_text (out, prim);
          break;
        }
    }
  g_string_append (out, "</svg>\n");
  return g_string_free (out, FALSE);
}
