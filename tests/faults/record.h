/* SPDX-License-Identifier: Apache-2.0
 * A recording table of file calls, and what a disk may hold after any prefix of them.
 */
#pragma once
#include <glib.h>

/* From here on all calls that change files of one folder, empty now, are written down. */
void record_begin (void);
void record_end (void);
void record_free (void); /* what was written down */
guint record_length (void);

/* What may be lost of what was written and not synced. */
enum
{
  LOST_ALL,       /* what was written last is not there          */
  LOST_ZERO,      /* the length is right, the content is zero    */
  LOST_HALF,      /* half of it is there                         */
  LOST_HALF_ZERO, /* half of it is there, the rest is zero       */
  LOST_NOTHING,
  LOST_VARIANTS
};

/* Names and contents of the folder if the power went off after the first N calls: of the
 * changes of names that were not synced those in SUBSET (a bit each) are done, the others are
 * not. Without: calls of that name are taken for not made (NULL: none). Name -> GBytes. */
GHashTable *record_state (guint n, guint64 subset, int lost, const char *without);
/* How many changes of names are not synced after N calls. */
guint record_pending (guint n, const char *without);
