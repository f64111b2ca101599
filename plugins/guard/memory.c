/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: a block has two addresses: one that nobody can touch, which the host knows, and the
 * alias, between pages that nobody can touch either. Blocks that were released stay for a
 * while as ruins, so that who still uses them is found.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  ALIGNMENT  = 256,
  MOST_RUINS = 512,
  FRESH      = 0xFF, /* floats: NaN */
  CANARY     = 0xA5
};

struct Block
{
  Block *next;
  const Device *device;
  uint8_t *address, *alias; /* of the content */
  uint8_t *map, *alias_map;
  size_t bytes, pages; /* pages: bytes of both maps */
  int holders;
  bool dead;
  History *history;
};

typedef struct Pin
{
  struct Pin *next;
  uint8_t *memory;
  size_t bytes;
} Pin;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Block *blocks, *ruins; /* latest first */
static Pin *pins;
static size_t n_ruins, used;
static char fault[TEXT]; /* found while something was released: told by the next check */

static size_t
round_up (size_t n, size_t to)
{
  return (n + to - 1) / to * to;
}

/* The content ends where the last page does, but for the alignment; behind it is a canary. */
static bool
map_block (Block *b)
{
  const size_t page = (size_t) sysconf (_SC_PAGESIZE);
  const size_t room = round_up (b->bytes, ALIGNMENT), inner = round_up (room, page);

  b->pages     = inner + 2 * page;
  b->map       = mmap (NULL, b->pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  b->alias_map = mmap (NULL, b->pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b->map == MAP_FAILED || b->alias_map == MAP_FAILED
      || mprotect (b->alias_map + page, inner, PROT_READ | PROT_WRITE) != 0)
    {
      if (b->map != MAP_FAILED)
        munmap (b->map, b->pages);
      if (b->alias_map != MAP_FAILED)
        munmap (b->alias_map, b->pages);
      return false;
    }
  b->address = b->map + page + inner - room;
  b->alias   = b->alias_map + page + inner - room;
  memset (b->alias, FRESH, b->bytes);
  memset (b->alias + b->bytes, CANARY, room - b->bytes);
  return true;
}

kt_status
guard_alloc (kt_call *call, void *device, size_t bytes, void **memory)
{
  Block *b;

  if (guard_captures)
    return guard_forbid_all (call, "memory was asked for");
  if (guard_count (&guard_knobs ()->oom))
    return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused on demand", bytes);
  if (bytes == 0 || bytes > PTRDIFF_MAX / 2 || !(b = calloc (1, sizeof *b)))
    return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused", bytes);
  b->device = device;
  b->bytes  = bytes;
  if (!map_block (b))
    {
      free (b);
      return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused", bytes);
    }
  pthread_mutex_lock (&lock);
  b->next = blocks;
  blocks  = b;
  used += bytes;
  pthread_mutex_unlock (&lock);
  *memory = b->address;
  return KT_OK;
}

/* The block around MEMORY, dead or alive. */
static Block *
find (const void *memory)
{
  const uint8_t *at = memory;

  for (Block *list = blocks, *next = ruins; list || next; list = next, next = NULL)
    for (Block *b = list; b; b = b->next)
      if (at >= b->map && at < b->map + b->pages)
        return b;
  return NULL;
}

/* B becomes a ruin; the oldest ruin goes. */
static void
ruin (Block *b)
{
  Block **p = &blocks;

  while (*p != b)
    p = &(*p)->next;
  *p      = b->next;
  b->next = ruins;
  ruins   = b;
  b->dead = true;
  if (++n_ruins <= MOST_RUINS)
    return;
  for (p = &ruins; (*p)->next;)
    p = &(*p)->next;
  b = *p;
  if (b->holders)
    return;
  *p = NULL;
  guard_history_free (b->history);
  munmap (b->map, b->pages);
  munmap (b->alias_map, b->pages);
  free (b);
  n_ruins--;
}

void
guard_release (void *device, void *memory)
{
  (void) device;
  pthread_mutex_lock (&lock);
  Block *b = find (memory);
  if (!b || b->dead || b->address != memory)
    snprintf (fault, sizeof fault, "memory was released that was not, or no more, there");
  else
    {
      for (const uint8_t *p = b->alias + b->bytes, *end = b->alias_map + b->pages;
           p < end && ((uintptr_t) p & (ALIGNMENT - 1)); p++)
        if (*p != CANARY)
          snprintf (fault, sizeof fault,
                    "something was written behind a block of %zu bytes", b->bytes);
      if (b->holders)
        snprintf (fault, sizeof fault, "a block of %zu bytes was released in use",
                  b->bytes);
      mprotect (b->alias_map, b->pages, PROT_NONE);
      used -= b->bytes;
      if (!b->holders)
        {
          guard_history_free (b->history);
          b->history = NULL;
        }
      ruin (b);
    }
  pthread_mutex_unlock (&lock);
}

void *
guard_alias (void *device, const void *memory)
{
  void *alias = NULL;

  (void) device;
  pthread_mutex_lock (&lock);
  const Block *b = find (memory);
  if (b)
    alias = b->alias_map + ((const uint8_t *) memory - b->map);
  pthread_mutex_unlock (&lock);
  return alias;
}

Block *
guard_hold (const Device *device, const void *memory, size_t bytes, char *text)
{
  const uint8_t *at = memory;

  pthread_mutex_lock (&lock);
  Block *b = find (memory);
  if (*fault)
    {
      memcpy (text, fault, TEXT);
      *fault = '\0';
      b      = NULL;
    }
  else if (!b)
    snprintf (text, TEXT, "uses memory of the host, or of nobody: a copy is missing");
  else if (b->dead)
    snprintf (text, TEXT, "uses memory that was released");
  else if (b->device != device)
    snprintf (text, TEXT, "uses memory of guard:%d: a copy is missing", b->device->index);
  else if (at < b->address || bytes > b->bytes
           || (size_t) (at - b->address) > b->bytes - bytes)
    snprintf (text, TEXT, "goes beyond a block of %zu bytes", b->bytes);
  else
    {
      b->holders++;
      pthread_mutex_unlock (&lock);
      return b;
    }
  pthread_mutex_unlock (&lock);
  return NULL;
}

void
guard_drop (Block *block)
{
  pthread_mutex_lock (&lock);
  block->holders--;
  pthread_mutex_unlock (&lock);
}

History **
guard_block_history (Block *block, const void *memory, size_t *offset)
{
  *offset = (size_t) ((const uint8_t *) memory - block->address);
  return &block->history;
}

kt_status
guard_memory (kt_call *call, void *device, size_t *free_bytes, size_t *all_bytes)
{
  (void) call;
  (void) device;
  *all_bytes = (size_t) 64 << 30;
  pthread_mutex_lock (&lock);
  *free_bytes = *all_bytes - (used < *all_bytes ? used : *all_bytes);
  pthread_mutex_unlock (&lock);
  return KT_OK;
}

/* -- pinned memory of the host ------------------------------------------------------------- */

kt_status
guard_alloc_pinned (kt_call *call, void *device, size_t bytes, void **memory)
{
  Pin *pin = NULL;

  (void) device;
  if (guard_captures)
    return guard_forbid_all (call, "pinned memory was asked for");
  if (guard_count (&guard_knobs ()->oom) || !(pin = calloc (1, sizeof *pin))
      || !(pin->memory
           = aligned_alloc (ALIGNMENT, round_up (bytes ? bytes : 1, ALIGNMENT))))
    {
      free (pin);
      return guard_fail (call, KT_E_NOMEM,
                         "%zu bytes of pinned memory were refused on demand", bytes);
    }
  pin->bytes = bytes;
  pthread_mutex_lock (&lock);
  pin->next = pins;
  pins      = pin;
  pthread_mutex_unlock (&lock);
  *memory = pin->memory;
  return KT_OK;
}

void
guard_release_pinned (void *device, void *memory)
{
  (void) device;
  pthread_mutex_lock (&lock);
  for (Pin **p = &pins; *p; p = &(*p)->next)
    if ((*p)->memory == memory)
      {
        Pin *pin = *p;
        *p       = pin->next;
        free (pin->memory);
        free (pin);
        break;
      }
  pthread_mutex_unlock (&lock);
}

bool
guard_is_pinned (const void *memory, size_t bytes)
{
  const uint8_t *at = memory;
  bool found        = false;

  pthread_mutex_lock (&lock);
  for (const Pin *p = pins; p && !found; p = p->next)
    found = at >= p->memory && at + bytes <= p->memory + p->bytes;
  pthread_mutex_unlock (&lock);
  return found;
}
