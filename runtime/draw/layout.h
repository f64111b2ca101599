/* SPDX-License-Identifier: Apache-2.0
 * The style's lengths, and what the parts of layout share.
 */
#pragma once
#include "draw/draw-private.h"

#define KETTE_SLIDE 960.0
#define KETTE_MARGIN 12.0
#define KETTE_TITLE_BAND 48.0
#define KETTE_LEGEND_BAND 24.0

#define KETTE_BOX_MIN 84.0
#define KETTE_BOX_MAX 160.0
#define KETTE_INSET 8.0
#define KETTE_HEAD_ROW 28.0
#define KETTE_FORMULA_ROW 20.0
#define KETTE_NOTE_ROW 18.0
#define KETTE_CELL_ROW 24.0
#define KETTE_STRIP 18.0 /* a device's, in a box */
#define KETTE_RADIUS 8.0
#define KETTE_DATA_RADIUS 3.0
#define KETTE_LOSS_RIM 3.0

#define KETTE_GAP 36.0 /* between columns                                  */
#define KETTE_PANEL_PAD 12.0
#define KETTE_PANEL_BAND 24.0
#define KETTE_PANEL_RADIUS 10.0
#define KETTE_COLUMN_GAP 48.0 /* between an operator and its parameter            */
#define KETTE_STACK_GAP 16.0  /* between a parameter and the next one outwards    */
#define KETTE_SIDE 28.0       /* beside a column whose outer parameters have edges */
#define KETTE_BYPASS_INNER 12.0
#define KETTE_BYPASS_OUTER 22.0
#define KETTE_RETURN_FAR 30.0 /* edges between rows: beside the rows */
#define KETTE_RETURN_NEAR 20.0
#define KETTE_ROW_GAP 44.0        /* between the rows of a wrapped chain              */
#define KETTE_ROW_GAP_LABELS 58.0 /* where labels stand above and below its edges */

#define KETTE_FORMULA_SIZE 13.0

#define KETTE_HEAD_LENGTH 9.0
#define KETTE_HEAD_WIDTH 8.0
#define KETTE_TIP_GAP 1.5

/* How far a box's outermost line lies outside of it. */
double _kette_box_rim (const KetteBox *box);
/* paint-edge.c: the middle of the value row of the box PLACE steps above or below. */
double _kette_column_place (const KetteLayout *layout, const KetteDrawColumn *column,
                            guint place, gboolean above);
/* layout.c: index of the column of a box without a home. */
guint _kette_layout_find (const KetteLayout *layout, guint box);
/* Adds a route along POINTS (taken) for the edge, and its gradient's, 24 below, if it has one.
 * BACK: another way for the gradient (taken), or NULL. */
void _kette_layout_add_route (KetteLayout *layout, guint edge, GArray *points,
                              GArray *back);
/* Moves the layout to (0, 0) and measures it. */
void _kette_layout_normalise (KetteLayout *layout);
/* Panels round the columns of a layer, one per row. */
void _kette_layout_panels (KetteLayout *layout);

/* paint-device.c: what a strip's text takes; is the gradient computed elsewhere than the value?
 * The strips above and below a box's rows. */
double _kette_strip_need (const KetteDrawDevices *devices, const KetteBox *box);
gboolean _kette_box_parts (const KetteBox *box);
double _kette_box_strips_below (const KetteBox *box);
guint _kette_box_unit (const KetteBox *box);
void _kette_paint_strip (KetteScene *scene, const KetteLayout *layout,
                         const KetteBox *box, double x, double y, double radius);
void _kette_paint_strips_below (KetteScene *scene, const KetteLayout *layout,
                                const KetteBox *box, double x, double bottom,
                                double radius);
/* paint-label.c */
/* The width that an edge needs for what it says of copies; 0: nothing. */
double _kette_copy_room (const KetteEdge *edge);
/* Notes a label for the edge along POINTS; paints all of them, once everything else is there. */
void _kette_label_add (KetteScene *scene, const KetteDrawCopy *copy, const GArray *points,
                       gboolean backward);
void _kette_paint_labels (KetteScene *scene);
