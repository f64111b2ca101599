/* SPDX-License-Identifier: Apache-2.0
 * Opening and reading files that nobody trusts.
 */
#pragma once
#include "base/system.h"

#define KETTE_FILE_MAX ((size_t) 2147483647) /* protobuf's own limit for a message */

/* An open file: its bytes, its folder, and what fstat said at the beginning. */
typedef struct
{
  GBytes *bytes;
  int fd, folder; /* folder: O_PATH, for external data; -1: none */
  struct stat stat;
} KetteFile;

/* MAX: the most bytes that are accepted, else `limit`. */
gboolean _kette_file_open (KetteFile *self, const char *file, size_t max, GError **error);
/* FALSE and `io` when the file is no longer what it was at the beginning. */
gboolean _kette_file_unchanged (const KetteFile *self, GError **error);
void _kette_file_close (KetteFile *self);

/* Is it a regular file? Else `io: is a directory`, ... */
gboolean _kette_regular (const struct stat *st, const char *where, GError **error);
/* SIZE bytes of an open regular file: read when small, mapped when large. GROUP and NAME:
 * as for _kette_guard_map(). */
GBytes *_kette_fd_bytes (int fd, size_t size, uint64_t group, const char *name,
                         const char *where, GError **error);
/* Does P lie in one of those maps? */
gboolean _kette_is_map (const void *p);

/* hint.c: what the bytes of a file that is no model might be, or NULL. */
const char *_kette_hint (GBytes *bytes);
