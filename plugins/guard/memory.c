/* SPDX-License-Identifier: Apache-2.0
 *
 * memory.c: a block has two addresses: one that nobody can touch, which the host knows, and the
 * alias, between pages that nobody can touch either (pages.c). Blocks that were released stay for
 * a while as ruins, so that who still uses them is found.
 */
#include "guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum
{
  ALIGNMENT  = 256, /* of pinned memory */
  MOST_RUINS = 2048
};

typedef struct Pin
{
  struct Pin *next;
  uint8_t *memory;
  size_t bytes;
} Pin;

/* Also in the handler of faults, which must not wait for its own thread. */
pthread_mutex_t guard_blocks = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static Block **sorted; /* all of them, by address */
static size_t n_sorted, capacity;
static Block *oldest, **newest = &oldest; /* ruins */
static size_t n_ruins;
static ptrdiff_t handed_out;
static char fault[TEXT]; /* found while something was released: told by the next check */
static pthread_mutex_t pins_lock = PTHREAD_MUTEX_INITIALIZER;
static Pin *pins;

void
guard_hand_out (ptrdiff_t n)
{
  __atomic_add_fetch (&handed_out, n, __ATOMIC_RELAXED);
}

/* The first block whose memory ends behind AT. */
static size_t
place_of (const uint8_t *at)
{
  size_t low = 0, high = n_sorted;

  while (low < high)
    {
      const size_t middle = (low + high) / 2;
      if (sorted[middle]->map + 2 * sorted[middle]->pages > at)
        high = middle;
      else
        low = middle + 1;
    }
  return low;
}

Block *
guard_find (const void *memory)
{
  const uint8_t *at = memory;
  const size_t i    = place_of (at);

  return i < n_sorted && at >= sorted[i]->map ? sorted[i] : NULL;
}

static bool
enter (Block *b)
{
  if (n_sorted == capacity)
    {
      Block **more = realloc (sorted, (2 * capacity + 64) * sizeof *more);
      if (!more)
        return false;
      sorted   = more;
      capacity = 2 * capacity + 64;
    }
  const size_t i = place_of (b->map);
  memmove (sorted + i + 1, sorted + i, (n_sorted - i) * sizeof *sorted);
  sorted[i] = b;
  n_sorted++;
  return true;
}

static void
leave (const Block *b)
{
  const size_t i = place_of (b->map);

  n_sorted--;
  memmove (sorted + i, sorted + i + 1, (n_sorted - i) * sizeof *sorted);
}

kt_status
guard_alloc (kt_call *call, void *device, size_t bytes, void **memory)
{
  Block *b;
  bool ok;

  if (guard_recording ())
    return guard_forbid (call, "memory was asked for");
  if (guard_count (&guard_knobs ()->oom))
    return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused on demand", bytes);
  if (bytes == 0 || bytes > PTRDIFF_MAX / 4 || !(b = calloc (1, sizeof *b)))
    return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused", bytes);
  b->device = device;
  b->bytes  = bytes;
  if ((ok = guard_map (b)))
    {
      pthread_mutex_lock (&guard_blocks);
      ok = enter (b);
      pthread_mutex_unlock (&guard_blocks);
      if (!ok)
        guard_unmap (b);
    }
  if (!ok)
    {
      free (b);
      return guard_fail (call, KT_E_NOMEM, "%zu bytes were refused", bytes);
    }
  guard_hand_out ((ptrdiff_t) bytes);
  *memory = b->address;
  return KT_OK;
}

/* B becomes a ruin; the oldest ruin goes. */
static void
ruin (Block *b)
{
  b->dead = true;
  *newest = b;
  newest  = &b->next;
  if (++n_ruins <= MOST_RUINS || oldest->holders || oldest->touched)
    return;
  b      = oldest;
  oldest = b->next;
  n_ruins--;
  leave (b);
  guard_history_free (b->history);
  guard_unmap (b);
  free (b);
}

void
guard_release (void *device, void *memory)
{
  (void) device;
  pthread_mutex_lock (&guard_blocks);
  Block *b = guard_find (memory);
  if (!b || b->dead || b->address != memory)
    snprintf (fault, sizeof fault, "memory was released that was not, or no more, there");
  else
    {
      guard_tell (b, "something that ran before", true, fault);
      if (b->holders)
        snprintf (fault, sizeof fault, "a block of %zu bytes was released in use",
                  b->bytes);
      guard_close (b);
      guard_hand_out (-(ptrdiff_t) b->bytes);
      if (!b->holders)
        {
          guard_history_free (b->history);
          b->history = NULL;
        }
      ruin (b);
    }
  pthread_mutex_unlock (&guard_blocks);
}

void *
guard_alias (void *device, const void *memory)
{
  void *alias = NULL;

  (void) device;
  pthread_mutex_lock (&guard_blocks);
  const Block *b = guard_find (memory);
  if (b)
    alias = b->alias + ((const uint8_t *) memory - b->address);
  pthread_mutex_unlock (&guard_blocks);
  return alias;
}

Block *
guard_hold (const Device *device, const kt_range *range, char *text)
{
  const uint8_t *at  = range->memory;
  const size_t bytes = range->bytes;

  pthread_mutex_lock (&guard_blocks);
  Block *b = guard_find (at);
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
  else if (range->write && !guard_open (b))
    snprintf (text, TEXT, "has no memory to write to");
  else
    {
      b->holders++;
      pthread_mutex_unlock (&guard_blocks);
      return b;
    }
  pthread_mutex_unlock (&guard_blocks);
  return NULL;
}

void
guard_drop (Block *block)
{
  pthread_mutex_lock (&guard_blocks);
  block->holders--;
  pthread_mutex_unlock (&guard_blocks);
}

History **
guard_block_history (Block *block, const void *memory, size_t *offset)
{
  *offset = (size_t) ((const uint8_t *) memory - block->address);
  return &block->history;
}

/* A block that somebody stumbled over on SELF's thread, or on a thread of nobody's. */
static Block *
touched_by (const Stream *self)
{
  for (size_t i = 0; i < n_sorted; i++)
    if (sorted[i]->touched
        && (pthread_equal (sorted[i]->toucher, self->thread)
            || !guard_is_stream (sorted[i]->toucher)))
      return sorted[i];
  return NULL;
}

bool
guard_inspect (const Stream *self, const kt_range *ranges, int32_t n, const char *label,
               char *text)
{
  bool told = false;

  pthread_mutex_lock (&guard_blocks);
  for (int32_t k = 0; k < n && !told; k++)
    {
      Block *b = ranges[k].bytes ? guard_find (ranges[k].memory) : NULL;
      if (b
          && (!b->touched || pthread_equal (b->toucher, self->thread)
              || !guard_is_stream (b->toucher)))
        told = guard_tell (b, label, ranges[k].write != 0, text);
    }
  if (!told && guard_any_touched ())
    {
      Block *b = touched_by (self);
      told     = b && guard_tell (b, label, false, text);
    }
  pthread_mutex_unlock (&guard_blocks);
  return !told;
}

void
guard_bury (const kt_range *range)
{
  pthread_mutex_lock (&guard_blocks);
  Block *b = guard_find (range->memory);
  if (b && !b->dead && !b->closed)
    {
      if (range->bytes == b->bytes)
        guard_close (b);
      else
        guard_poison (b, (size_t) ((const uint8_t *) range->memory - b->address),
                      range->bytes);
    }
  pthread_mutex_unlock (&guard_blocks);
}

/* Free is what nobody has, of all devices together: memory, pinned memory, and, a byte each, streams,
 * events, recordings. So whoever leaves anything behind is seen. */
kt_status
guard_memory (kt_call *call, void *device, size_t *free_bytes, size_t *all_bytes)
{
  const ptrdiff_t out = __atomic_load_n (&handed_out, __ATOMIC_RELAXED);

  (void) call;
  (void) device;
  *all_bytes  = (size_t) 64 << 30;
  *free_bytes = out < 0                     ? *all_bytes + (size_t) -out
                : (size_t) out < *all_bytes ? *all_bytes - (size_t) out
                                            : 0;
  return KT_OK;
}

/* -- pinned memory of the host ------------------------------------------------------------- */

kt_status
guard_alloc_pinned (kt_call *call, void *device, size_t bytes, void **memory)
{
  Pin *pin = NULL;

  (void) device;
  if (guard_recording ())
    return guard_forbid (call, "pinned memory was asked for");
  if (guard_count (&guard_knobs ()->oom) || !(pin = calloc (1, sizeof *pin))
      || !(pin->memory = aligned_alloc (ALIGNMENT, ((bytes ? bytes : 1) + ALIGNMENT - 1)
                                                       / ALIGNMENT * ALIGNMENT)))
    {
      free (pin);
      return guard_fail (call, KT_E_NOMEM,
                         "%zu bytes of pinned memory were refused on demand", bytes);
    }
  pin->bytes = bytes;
  guard_hand_out ((ptrdiff_t) bytes + 1);
  pthread_mutex_lock (&pins_lock);
  pin->next = pins;
  pins      = pin;
  pthread_mutex_unlock (&pins_lock);
  *memory = pin->memory;
  return KT_OK;
}

void
guard_release_pinned (void *device, void *memory)
{
  (void) device;
  pthread_mutex_lock (&pins_lock);
  for (Pin **p = &pins; *p; p = &(*p)->next)
    if ((*p)->memory == memory)
      {
        Pin *pin = *p;
        *p       = pin->next;
        guard_hand_out (-(ptrdiff_t) pin->bytes - 1);
        free (pin->memory);
        free (pin);
        break;
      }
  pthread_mutex_unlock (&pins_lock);
}

bool
guard_is_pinned (const void *memory, size_t bytes)
{
  const uint8_t *at = memory;
  bool found        = false;

  pthread_mutex_lock (&pins_lock);
  for (const Pin *p = pins; p && !found; p = p->next)
    found = at >= p->memory && at + bytes <= p->memory + p->bytes;
  pthread_mutex_unlock (&pins_lock);
  return found;
}
