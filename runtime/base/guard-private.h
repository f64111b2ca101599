/* SPDX-License-Identifier: Apache-2.0
 * The table of mapped files, which a signal handler can read, and what it found.
 *
 * Maps are numbered by group: all files that one model was loaded from. Whoever read maps asks
 * afterwards whether one of the group was lost; while none is, this costs one load.
 */
#pragma once
#include "base/error.h"
#include "base/guard.h"
#include <stdint.h>

/* A number for the maps of a model; never 0. */
uint64_t _kette_guard_group (void);
/* That of the map in which DATA lies; 0: in none. */
uint64_t _kette_guard_find (const void *data);
/* Maps SIZE bytes (more than 0) of FD, to be read. NAME: NULL for the model itself, else what
 * errors call the file. *slot is for _kette_guard_unmap(). NULL with `io` or `memory`. */
void *_kette_guard_map (int fd, size_t size, uint64_t group, const char *name,
                        const char *where, size_t *slot, GError **error);
void _kette_guard_unmap (size_t index);

/* Maps that were cut short and are still there. */
extern int _kette_guard_n_lost;
/* The slow halves of the functions below. */
gboolean _kette_guard_look (uint64_t group, const void *data, GError **error);

static inline gboolean
_kette_guard_any (void)
{
  return G_UNLIKELY (__atomic_load_n (&_kette_guard_n_lost, __ATOMIC_ACQUIRE) != 0);
}

/* The outcome of work that read maps of GROUP: OK, unless one of them was lost. That is the
 * error then, whatever the zeros made of the work. */
static inline gboolean
_kette_guard_outcome (uint64_t group, gboolean ok, GError **error)
{
  if (!_kette_guard_any () || _kette_guard_look (group, NULL, NULL))
    return ok;
  g_clear_error (error);
  return _kette_guard_look (group, NULL, error);
}

/* The same for work that read the map, if it is one, in which DATA lies. */
static inline gboolean
_kette_guard_outcome_at (const void *data, gboolean ok, GError **error)
{
  if (!_kette_guard_any () || _kette_guard_look (0, data, NULL))
    return ok;
  g_clear_error (error);
  return _kette_guard_look (0, data, error);
}
