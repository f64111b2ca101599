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

/* The disk after the first N calls, if the power goes off then. WITHOUT: calls of that name are
 * taken for not made (NULL: none). */
typedef struct _RecordDisk RecordDisk;
RecordDisk *record_disk (guint n, const char *without);
void record_disk_free (RecordDisk *disk);
/* How many changes of names are not synced. */
guint record_pending (const RecordDisk *disk);
/* Names and contents, but for temporary files, when of those changes the ones in SUBSET (a bit
 * each) are done, the others are not. Name -> GBytes. */
GHashTable *record_state (const RecordDisk *disk, guint64 subset, int lost);
/* States of one key are one and the same. */
char *record_key (const RecordDisk *disk, guint64 subset, int lost);
gboolean record_is_temporary (const char *name);
