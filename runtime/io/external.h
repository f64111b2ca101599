/* SPDX-License-Identifier: Apache-2.0
 * External data: the folders in which they may lie, and opening files there.
 */
#pragma once
#include "base/system.h"
#include "io/loading.h"

/* The model's own folder, then those of the caller; none is searched below another's name. */
typedef struct
{
  KetteLoadFlags flags;
  int *list; /* O_PATH; the first is the model's and not owned, -1: there is none */
  size_t n;
} KetteFolders;

gboolean _kette_folders_open (KetteFolders *self, int folder, const KetteLoading *loading,
                              GError **error);
void _kette_folders_close (KetteFolders *self);
/* Layer 1, the text: `path` for everything but a plain relative path. CLEAN (as large as
 * LOCATION) receives it without "." and "". */
gboolean _kette_location_check (const char *location, char *clean, const char *where,
                                GError **error);
/* Layers 2 and 3: opens PATH, a clean location, below one of the folders: a regular file,
 * through no link unless the flags allow it. -1 on failure. PATH is used as scratch. */
int _kette_folders_find (const KetteFolders *self, const char *location, char *path,
                         struct stat *st, const char *where, GError **error);
