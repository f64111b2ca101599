/* SPDX-License-Identifier: Apache-2.0
 * Regions: many small things with one life. Chunks double in size up to a quarter of a
 * mebibyte; what is larger than half a chunk gets a chunk of its own.
 */
#include "base/alloc.h"
#include "base/faults.h"
#include <string.h>

enum
{
  FIRST_CHUNK   = 2048,
  LARGEST_CHUNK = 256 * 1024,
  ALIGNMENT     = 16
};

typedef struct _Chunk Chunk;
struct _Chunk
{
  Chunk *next;
  size_t padding; /* the bytes that follow are aligned to 16 */
};

struct _KetteRegion
{
  Chunk *chunks;
  char *at;    /* free bytes of the newest chunk */
  size_t left; /* how many                       */
  size_t next; /* size of the next chunk         */
};

KetteRegion *
_kette_region_new (GError **error)
{
  KetteRegion *region = _kette_alloc (NULL, 1, sizeof *region, error);

  if (region)
    region->next = FIRST_CHUNK;
  return region;
}

void
_kette_region_free (KetteRegion *region)
{
  if (!region)
    return;
  for (Chunk *chunk = region->chunks, *next; chunk; chunk = next)
    {
      next = chunk->next;
      _kette_free (chunk);
    }
  _kette_free (region);
}

static char *
add_chunk (KetteRegion *region, size_t bytes, GError **error)
{
  Chunk *chunk;

  if (!_kette_add (bytes, sizeof (Chunk), &bytes))
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "more bytes than can be addressed");
      return NULL;
    }
  chunk = _kette_alloc (NULL, bytes, 1, error);
  if (!chunk)
    return NULL;
  chunk->next    = region->chunks;
  region->chunks = chunk;
  return (char *) (chunk + 1);
}

void *
_kette_region_alloc (KetteRegion *region, size_t count, size_t size, GError **error)
{
  size_t bytes, whole;
  char *block;

  if (!_kette_mul (count, size, &bytes) || !_kette_add (bytes, ALIGNMENT - 1, &whole))
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL,
                   "%zu elements of %zu bytes are more than can be addressed", count,
                   size);
      return NULL;
    }
  whole &= ~(size_t) (ALIGNMENT - 1);
  if (_kette_fault_alloc ())
    {
      _kette_fail (error, KETTE_ERROR_MEMORY, NULL, "%zu bytes are refused on purpose",
                   whole);
      return NULL;
    }
  if (whole > region->left)
    {
      if (whole > region->next / 2)
        return add_chunk (region, whole, error);
      block = add_chunk (region, region->next, error);
      if (!block)
        return NULL;
      region->at   = block;
      region->left = region->next;
      region->next = MIN (region->next * 2, (size_t) LARGEST_CHUNK);
    }
  if (whole == 0) /* a pointer to nothing, but not NULL */
    return region->at ? region->at : (void *) region;
  block = region->at;
  region->at += whole;
  region->left -= whole;
  return block;
}

void *
_kette_region_dup (KetteRegion *region, const void *p, size_t count, size_t size,
                   GError **error)
{
  void *copy = _kette_region_alloc (region, count, size, error);

  if (copy && count > 0 && size > 0)
    memcpy (copy, p, count * size);
  return copy;
}

char *
_kette_region_strdup (KetteRegion *region, const char *s, GError **error)
{
  s = s ? s : "";
  return _kette_region_dup (region, s, strlen (s) + 1, 1, error);
}
