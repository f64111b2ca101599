/* SPDX-License-Identifier: Apache-2.0
 * A box: head with symbol or operator, formula or lines of text, a row for the value and one
 * for its gradient. Kinds differ by colour, by a word and by shape.
 */
#include "draw/layout.h"

#define SYMBOL_SIZE 20.0
#define HEAD_SIZE 14.0
#define CELL_SIZE 13.0
#define WORD_SIZE 12.0
#define WORD_GAP 8.0
#define GRADIENT_GAP 4.5 /* between a gradient and its shape */
#define BORDER 1.75

typedef struct
{
  KetteRole line, fill, symbol;
} Style;

static Style
style_of_kind (const KetteBox *box)
{
  switch (box->kind)
    {
    case KETTE_BOX_MISSING:
      return (Style){ KETTE_ROLE_ALERT, KETTE_ROLE_PAGE, KETTE_ROLE_ALERT };
    case KETTE_BOX_DATA:
      return (Style){ KETTE_ROLE_DATA, KETTE_ROLE_DATA_FILL, KETTE_ROLE_DATA };
    case KETTE_BOX_PARAMETER:
      return (Style){ KETTE_ROLE_PARAMETER, KETTE_ROLE_PARAMETER_FILL,
                      KETTE_ROLE_PARAMETER };
    case KETTE_BOX_LOSS:
      return (Style){ KETTE_ROLE_LOSS, KETTE_ROLE_LOSS_FILL, KETTE_ROLE_LOSS };
    default:
      return (Style){ KETTE_ROLE_OP, KETTE_ROLE_PAGE, KETTE_ROLE_INK };
    }
}

/* Operators have their device's colours. */
static Style
style_of (const KetteLayout *layout, const KetteBox *box)
{
  const KetteDrawDevices *devices = layout->view->devices;
  Style style                     = style_of_kind (box);

  if (!devices || !box->strip || box->kind != KETTE_BOX_OP || box->unplaced)
    return style;
  const guint colour = devices->colours[_kette_box_unit (box)];

  style.line = (KetteRole) (KETTE_ROLE_DEVICE_LINE + colour);
  style.fill = (KetteRole) (KETTE_ROLE_DEVICE_FILL + colour);
  return style;
}

static KetteFont
head_font (const KetteBox *box)
{
  return box->node ? KETTE_FONT_SANS_BOLD : KETTE_FONT_SANS;
}

static double
word_width (const KetteBox *box)
{
  return box->word ? _kette_text_width (box->word, KETTE_FONT_SANS, WORD_SIZE) : 0;
}

static double
gradient_width (const KetteBox *box, gboolean brief)
{
  const double symbol    = _kette_markup_width (box->derivative, KETTE_FORMULA_SIZE);
  g_autofree char *shape = brief || box->kind == KETTE_BOX_LOSS
                               ? g_strdup ("")
                               : _kette_notation_shape (box->value, FALSE);

  return symbol
         + (shape[0]
                ? GRADIENT_GAP + _kette_text_width (shape, KETTE_FONT_SANS, WORD_SIZE)
                : 0);
}

double
_kette_box_need (const KetteLayout *layout, const KetteBox *box)
{
  double need = box->symbol ? _kette_markup_width (box->symbol, SYMBOL_SIZE)
                            : _kette_text_width (box->head, head_font (box), HEAD_SIZE);

  if (box->word)
    need += WORD_GAP + word_width (box);
  if (box->formula)
    need = MAX (need, _kette_markup_width (box->formula, KETTE_FORMULA_SIZE));
  for (guint i = 0; i < box->notes->len; i++)
    need = MAX (need,
                _kette_text_width (box->notes->pdata[i], KETTE_FONT_SANS, WORD_SIZE));
  need = MAX (need, _kette_text_width (box->shape, KETTE_FONT_SANS, CELL_SIZE));
  if (box->gradient)
    need = MAX (need, gradient_width (box, layout->brief));
  if (box->strip)
    need = MAX (need, _kette_strip_need (layout->view->devices, box));
  return need + 2 * KETTE_INSET;
}

/* Symbol or name at the left, the word at the right. Where both do not fit, an operator's
 * word behind a symbol is cut, and any other word gives way to the name. */
static void
paint_head (KetteScene *scene, const KetteLayout *layout, const KetteBox *box, double x,
            double top)
{
  const double inner   = layout->box_width - 2 * KETTE_INSET;
  const Style style    = style_of (layout, box);
  const KetteFont font = head_font (box);
  const double symbol  = box->symbol ? _kette_markup_width (box->symbol, SYMBOL_SIZE) : 0;
  const double left
      = box->symbol ? symbol : _kette_text_width (box->head, font, HEAD_SIZE);
  const gboolean keep = box->symbol || box->kind == KETTE_BOX_MISSING
                        || left + WORD_GAP + word_width (box) <= inner;
  g_autofree char *word = keep && box->word
                              ? _kette_text_fit (box->word, KETTE_FONT_SANS, WORD_SIZE,
                                                 inner - symbol - WORD_GAP)
                              : NULL;
  const double width    = word ? _kette_text_width (word, KETTE_FONT_SANS, WORD_SIZE) : 0;
  g_autofree char *head = _kette_text_fit (box->head, font, HEAD_SIZE,
                                           inner - (word ? width + WORD_GAP : 0));

  if (box->symbol)
    _kette_prim_markup (scene, x + KETTE_INSET, top + 23, SYMBOL_SIZE, style.symbol,
                        box->symbol);
  else
    _kette_prim_text (scene, x + KETTE_INSET, top + 22, font, HEAD_SIZE, style.symbol,
                      head);
  if (word)
    _kette_prim_text (
        scene, x + KETTE_INSET + inner - width, top + 22, KETTE_FONT_SANS, WORD_SIZE,
        box->kind == KETTE_BOX_MISSING ? KETTE_ROLE_ALERT : KETTE_ROLE_MUTED, word);
}

static void
paint_lines (KetteScene *scene, const KetteLayout *layout, const KetteBox *box, double x,
             double top)
{
  const double inner = layout->box_width - 2 * KETTE_INSET;

  if (box->formula)
    _kette_prim_markup (scene, x + KETTE_INSET, top + 42, KETTE_FORMULA_SIZE,
                        KETTE_ROLE_MUTED, box->formula);
  for (guint i = 0; i < box->notes->len; i++)
    {
      g_autofree char *text
          = _kette_text_fit (box->notes->pdata[i], KETTE_FONT_SANS, WORD_SIZE, inner);

      _kette_prim_text (scene, x + KETTE_INSET,
                        top + KETTE_HEAD_ROW + KETTE_NOTE_ROW * i + 11, KETTE_FONT_SANS,
                        WORD_SIZE, KETTE_ROLE_MUTED, text);
    }
}

static void
paint_cells (KetteScene *scene, const KetteLayout *layout, const KetteBox *box, double x,
             double y, double radius)
{
  const double inner = layout->box_width - 2 * KETTE_INSET, cell = y - KETTE_CELL_ROW / 2;
  g_autofree char *shape
      = _kette_text_fit (box->shape, KETTE_FONT_SANS, CELL_SIZE, inner);
  const double width = _kette_text_width (shape, KETTE_FONT_SANS, CELL_SIZE);

  _kette_prim_cell (scene, x, cell, layout->box_width, KETTE_CELL_ROW, 0,
                    box->gradient ? 0 : radius)
      ->fill
      = KETTE_ROLE_VALUE_FILL;
  if (shape[0])
    _kette_prim_text (scene, x + KETTE_INSET + (inner - width) / 2, y + 4.6,
                      KETTE_FONT_SANS, CELL_SIZE, KETTE_ROLE_VALUE, shape);
  if (!box->gradient)
    return;

  const double symbol = _kette_markup_width (box->derivative, KETTE_FORMULA_SIZE);
  const gboolean both = box->kind != KETTE_BOX_LOSS && !layout->brief && box->shape[0]
                        && gradient_width (box, FALSE) <= inner;

  _kette_prim_cell (scene, x, cell + KETTE_CELL_ROW, layout->box_width, KETTE_CELL_ROW, 0,
                    radius)
      ->fill
      = KETTE_ROLE_GRADIENT_FILL;
  if (symbol <= inner)
    _kette_prim_markup (scene, x + KETTE_INSET + (both ? 0 : (inner - symbol) / 2),
                        y + KETTE_CELL_ROW + 4.6, KETTE_FORMULA_SIZE, KETTE_ROLE_GRADIENT,
                        box->derivative);
  if (both)
    {
      g_autofree char *brief = _kette_notation_shape (box->value, FALSE);

      _kette_prim_text (scene,
                        x + KETTE_INSET + inner
                            - _kette_text_width (brief, KETTE_FONT_SANS, WORD_SIZE),
                        y + KETTE_CELL_ROW + 4.6, KETTE_FONT_SANS, WORD_SIZE,
                        KETTE_ROLE_GRADIENT, brief);
    }
}

static const char *
class_of (const KetteBox *box)
{
  static const char *const names[]
      = { "box op", "box missing", "box data", "box parameter", "box loss" };

  return names[box->kind];
}

void
_kette_paint_box (KetteScene *scene, const KetteLayout *layout, const KetteBox *box,
                  double x, double y)
{
  const double up = _kette_box_up (box), height = up + _kette_box_down (box);
  const double radius = box->kind == KETTE_BOX_DATA ? KETTE_DATA_RADIUS : KETTE_RADIUS;
  const double top = y - up, rim = _kette_box_rim (box);
  const Style style  = style_of (layout, box);
  const double strip = box->strip ? KETTE_STRIP : 0;
  const double below = _kette_box_strips_below (box);
  KettePrim *border;

  _kette_prim_open (scene, class_of (box), box->id, box->title);
  _kette_prim_cell (scene, x, top + strip, layout->box_width,
                    up - strip - KETTE_CELL_ROW / 2, strip > 0 ? 0 : radius, 0)
      ->fill
      = style.fill;
  paint_cells (scene, layout, box, x, y, below > 0 ? 0 : radius);
  if (strip > 0)
    _kette_paint_strip (scene, layout, box, x, top, radius);
  if (below > 0)
    _kette_paint_strips_below (scene, layout, box, x, top + height, radius);
  border         = _kette_prim_rect (scene, x, top, layout->box_width, height, radius);
  border->stroke = style.line;
  border->line   = BORDER;
  border->dashed = box->kind == KETTE_BOX_MISSING;
  if (rim > 0)
    {
      border = _kette_prim_rect (scene, x - rim, top - rim, layout->box_width + 2 * rim,
                                 height + 2 * rim, radius + rim);
      border->stroke = style.line;
      border->line   = 0.75;
    }
  paint_head (scene, layout, box, x, top + strip);
  paint_lines (scene, layout, box, x, top + strip);
  _kette_prim_close (scene);
}
