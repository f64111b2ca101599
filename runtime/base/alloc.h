/* SPDX-License-Identifier: Apache-2.0
 * Memory whose size comes from a file, a tensor, a model or an option.
 *
 * Sums are made before memory is asked for: Linux' malloc says yes and kills later. Every
 * block is charged to an account with a cap; a refusal is the error `memory`, never an abort.
 * GLib's containers are for things whose number the program itself decides.
 */
#pragma once
#include "base/error.h"

typedef struct
{
  size_t used, peak, cap; /* bytes; read and written atomically */
} KetteAccount;

/* The account of the whole process: cap = 75 % of RAM or of the cgroup's limit. */
KetteAccount *_kette_account_process (void);

/* count * size bytes, zeroed, aligned to 64; NULL and `memory` when refused. count 0: a
 * valid pointer to nothing. The account is remembered in front of the block. */
void *_kette_alloc (KetteAccount *account, size_t count, size_t size, GError **error);
/* The same without zeroing, for what is overwritten at once. */
void *_kette_alloc_raw (KetteAccount *account, size_t count, size_t size, GError **error);
void _kette_free (void *block); /* NULL is fine */

/* Makes *array (of elements of SIZE bytes, *capacity of them, made by this function) hold
 * at least NEED elements, growing by half; new elements are zero. */
gboolean _kette_grow (void *array, size_t *capacity, size_t need, size_t size,
                      GError **error);

/* Arithmetic on sizes: FALSE on overflow. */
static inline gboolean
_kette_mul (size_t a, size_t b, size_t *out)
{
  return !__builtin_mul_overflow (a, b, out);
}
static inline gboolean
_kette_add (size_t a, size_t b, size_t *out)
{
  return !__builtin_add_overflow (a, b, out);
}
/* The number of elements of a shape without unknown dims. */
gboolean _kette_count (const int64_t *dims, int rank, size_t *count);

/* A region: many small things with one life, freed together (names, nodes, dims of a
 * graph). Chunks come from the process account. */
typedef struct _KetteRegion KetteRegion;
KetteRegion *_kette_region_new (GError **error);
void _kette_region_free (KetteRegion *region);
/* Zeroed, aligned to 16; count 0: a valid pointer to nothing. */
void *_kette_region_alloc (KetteRegion *region, size_t count, size_t size,
                           GError **error);
char *_kette_region_strdup (KetteRegion *region, const char *s, GError **error);
void *_kette_region_dup (KetteRegion *region, const void *p, size_t count, size_t size,
                         GError **error);
