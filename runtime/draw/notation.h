/* SPDX-License-Identifier: Apache-2.0
 * Between the two halves of notation: symbols and words, formulas and small texts.
 */
#pragma once
#include "draw/draw-private.h"

/* formula.c ------------------------------------------------------------------------------ */
/* The formula line of an operator in a chain, as markup; NULL: none that fits. */
char *_kette_notation_formula (const KetteView *view, const KetteBox *box);
/* Adds lines for constants and parameters that have no box of their own. */
void _kette_notation_notes (const KetteView *view, KetteBox *box);

/* notation.c */
char *_kette_notation_name (const char *name, size_t characters);
