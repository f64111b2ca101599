/* SPDX-License-Identifier: Apache-2.0
 * Devices for the tests of drawing, made by hand: no plan takes part.
 */
#pragma once
#include "draw/draw-private.h"

static void
set_copy (KetteDrawCopy *copy, guint n, gsize bytes)
{
  *copy = (KetteDrawCopy){ .n     = n,
                           .bytes = n * bytes,
                           .each  = bytes,
                           .text  = g_strdup_printf ("%zu bytes", bytes) };
}

/* Every kind of thing that a picture says of devices, as a plan would have it: operators by
 * turns on two devices, gradients on the first, copies wherever boxes differ. */
static void
add_devices (KetteView *view)
{
  static const char *const names[] = { "cpu", "guard:0", "a & \"b\" < c:1" };
  KetteDrawDevices *d = view->devices = g_new0 (KetteDrawDevices, 1);
  guint turn                          = 0;

  d->n_units = G_N_ELEMENTS (names);
  for (guint u = 0; u < d->n_units; u++)
    {
      d->names[u]   = g_strdup (names[u]);
      d->colours[u] = u;
    }
  *d = (KetteDrawDevices){ .names     = { d->names[0], d->names[1], d->names[2] },
                           .colours   = { 0, 1, 2 },
                           .n_units   = d->n_units,
                           .used      = 7,
                           .n_in      = 2,
                           .n_out     = 1,
                           .n_between = 3,
                           .n_hidden  = 1,
                           .bytes     = 999999,
                           .batch     = 64 };
  for (guint i = 0; i < view->boxes->len; i++)
    {
      KetteBox *box = KETTE_BOX (view, i);

      box->strip = TRUE;
      box->units = !box->node ? 1u << (turn % 3) : turn == 1 ? 6 : 1u << (turn % 3);
      turn += box->node != NULL;
      box->back_units = box->node && box->gradient ? 2 : 0;
      if (box->kind == KETTE_BOX_LOSS || box->is_output)
        set_copy (&box->fetch, 1, 4);
      if (box->node && turn == 2)
        set_copy (&box->inside, 1, 120);
      if (turn == 3 && box->back_units)
        set_copy (&box->saved, 1, 12345);
      if (turn == 4 && box->node)
        {
          box->units    = 0;
          box->unplaced = "before the run";
        }
      box->fallback = turn % 3 == 1;
    }
  for (guint e = 0; e < view->edges->len; e++)
    {
      KetteEdge *edge = KETTE_EDGE (view, e);

      if (KETTE_BOX (view, edge->from)->kind == KETTE_BOX_PARAMETER)
        continue;
      set_copy (&edge->copy, 1 + e % 2, e == 0 ? 31360 : 1000000u * (e + 1));
      if (edge->backward && e % 3)
        set_copy (&edge->back_copy, 1, 400);
      else if (edge->backward)
        edge->back_copy.elsewhere = TRUE;
    }
}
