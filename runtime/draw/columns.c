/* SPDX-License-Identifier: Apache-2.0
 * Columns: an operator with its parameters, the first above, the second below, the others
 * above it. Sizes come from the style's numbers and from measured text; layout moves whole
 * columns, so that every edge of the main line meets a value row.
 */
#include "draw/layout.h"

double
_kette_box_up (const KetteBox *box)
{
  return (box->strip ? KETTE_STRIP : 0) + KETTE_HEAD_ROW
         + (box->formula ? KETTE_FORMULA_ROW : KETTE_NOTE_ROW * box->notes->len)
         + KETTE_CELL_ROW / 2;
}

double
_kette_box_down (const KetteBox *box)
{
  return KETTE_CELL_ROW / 2 + (box->gradient ? KETTE_CELL_ROW : 0)
         + _kette_box_strips_below (box);
}

double
_kette_box_rim (const KetteBox *box)
{
  return box->kind == KETTE_BOX_LOSS ? KETTE_LOSS_RIM : 0;
}

static double
box_height (const KetteBox *box)
{
  return _kette_box_up (box) + _kette_box_down (box);
}

static void
column_clear (gpointer data)
{
  KetteDrawColumn *column = data;

  g_array_unref (column->above);
  g_array_unref (column->below);
}

static void
measure_column (const KetteView *view, KetteDrawColumn *column)
{
  const KetteBox *main = KETTE_BOX (view, column->box);
  const double rim     = _kette_box_rim (main);

  column->up   = _kette_box_up (main) + rim;
  column->down = _kette_box_down (main) + rim;
  column->side = column->above->len > 1 ? KETTE_SIDE : rim;
  for (guint i = 0; i < column->above->len; i++)
    column->up
        += (i ? KETTE_STACK_GAP : KETTE_COLUMN_GAP)
           + box_height (KETTE_BOX (view, g_array_index (column->above, guint, i)));
  for (guint i = 0; i < column->below->len; i++)
    column->down
        += (i ? KETTE_STACK_GAP : KETTE_COLUMN_GAP)
           + box_height (KETTE_BOX (view, g_array_index (column->below, guint, i)));
}

/* One width for all boxes: that of the widest text, within limits. */
static void
measure_width (KetteLayout *layout)
{
  double width = KETTE_BOX_MIN;

  for (guint i = 0; i < layout->view->boxes->len; i++)
    width = MAX (width, _kette_box_need (layout, KETTE_BOX (layout->view, i)));
  layout->box_width = MIN (width, KETTE_BOX_MAX);
}

void
_kette_layout_columns (KetteLayout *layout)
{
  const KetteView *view    = layout->view;
  g_autofree guint *of_box = g_new0 (guint, view->boxes->len + 1);

  layout->columns = g_array_new (FALSE, TRUE, sizeof (KetteDrawColumn));
  g_array_set_clear_func (layout->columns, column_clear);
  for (guint i = 0; i < view->boxes->len; i++)
    if (KETTE_BOX (view, i)->home < 0)
      {
        KetteDrawColumn column = { .box = i };

        column.above = g_array_new (FALSE, FALSE, sizeof (guint));
        column.below = g_array_new (FALSE, FALSE, sizeof (guint));
        of_box[i]    = layout->columns->len;
        g_array_append_val (layout->columns, column);
      }
  for (guint i = 0; i < view->boxes->len; i++)
    if (KETTE_BOX (view, i)->home >= 0)
      {
        KetteDrawColumn *column
            = KETTE_COLUMN (layout, of_box[KETTE_BOX (view, i)->home]);
        const gboolean below = column->above->len == 1 && column->below->len == 0;

        g_array_append_val (below ? column->below : column->above, i);
      }
  measure_width (layout);
  for (guint i = 0; i < layout->columns->len; i++)
    measure_column (view, KETTE_COLUMN (layout, i));
}
