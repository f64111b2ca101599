/* SPDX-License-Identifier: Apache-2.0
 * Text of pictures: untrusted names made printable, widths from a built-in table, and the
 * small markup of mathematics (docs: `^{..}`, `_{..}`, `\sigma`, `\text{..}`).
 */
#pragma once
#include "base/kette-base.h"

typedef enum
{
  KETTE_FONT_SANS,
  KETTE_FONT_SANS_BOLD,
  KETTE_FONT_SANS_ITALIC,
  KETTE_FONT_SERIF,
  KETTE_FONT_SERIF_BOLD,
  KETTE_FONT_SERIF_ITALIC,
  KETTE_N_FONTS
} KetteFont;

/* A piece of text in one font and size, X to the right and DY below the start of the line. */
typedef struct
{
  double x, dy, size;
  KetteFont font;
  char *text;
} KetteTextRun;

/* measure.c ------------------------------------------------------------------------------ */
/* The width of valid UTF-8 in points; the same on every machine. */
double _kette_text_width (const char *text, KetteFont font, double size);
/* TEXT, or TEXT with an ellipsis in the middle, not wider than WIDTH. */
char *_kette_text_fit (const char *text, KetteFont font, double size, double width);
/* The same by characters. */
char *_kette_text_cut (const char *text, size_t characters);

/* markup.c ------------------------------------------------------------------------------- */
/* A GPtrArray of KetteTextRun; WIDTH (may be NULL) receives their total width. Letters are
 * italic, everything else upright. Markup that makes no sense is printed as it stands. */
GPtrArray *_kette_markup_runs (const char *markup, double size, double *width);
double _kette_markup_width (const char *markup, double size);
/* The markup that prints the plain text TEXT in sans. */
char *_kette_markup_text (const char *text);
/* What MARKUP says, as plain text for titles: "z^(L-1)". */
char *_kette_markup_plain (const char *markup);

/* clean.c -------------------------------------------------------------------------------- */
/* NAME as valid UTF-8 of at most CHARACTERS characters (then "..."): bytes that are none,
 * controls, bidi controls and invisible characters become U+FFFD. */
char *_kette_clean (const char *name, size_t characters);
/* The same, but they become \xNN or \uNNNN: for titles, where they should be seen. */
char *_kette_clean_title (const char *name, size_t characters);
/* PREFIX and NAME as an id: bytes outside [A-Za-z0-9.-] as _hh, at most 64 bytes. */
char *_kette_clean_id (const char *prefix, const char *name);
/* Appends TEXT with & < > " ' escaped. */
void _kette_xml_escape (GString *out, const char *text);
