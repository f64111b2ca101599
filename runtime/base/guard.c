/* SPDX-License-Identifier: Apache-2.0
 * Mapped files, and the signal SIGBUS that comes when one was cut short.
 *
 * The table is written under a lock and read by the signal handler without one: chunks are
 * only ever added, and each slot has a sequence number that is odd while the slot changes. The
 * map that a thread stumbles over is in use and its slot does not change, so a slot that
 * changes is never the one the handler looks for.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "base/alloc.h"
#include "base/guard-private.h"
#include "base/system.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK 256
#define MAX_CHUNKS 4096 /* a million maps: more than the kernel lets a process have */

typedef struct
{
  uint32_t sequence;
  int lost;
  uintptr_t start; /* 0: free */
  size_t size;     /* whole pages */
  size_t bytes;    /* as mapped */
  uint64_t group;
  char *name;
} Slot;

static Slot first_chunk[CHUNK];
static Slot *chunks[MAX_CHUNKS] = { first_chunk };
static size_t n_chunks          = 1;
static size_t search;      /* no slot in front of it is free */
static uintptr_t page = 1; /* size of one, before there is any map */
static uint64_t last_group;
static struct sigaction previous;
int _kette_guard_n_lost;

G_LOCK_DEFINE_STATIC (table);

static Slot *
slot_at (size_t i)
{
  return &__atomic_load_n (&chunks[i / CHUNK], __ATOMIC_ACQUIRE)[i % CHUNK];
}

uint64_t
_kette_guard_group (void)
{
  return __atomic_add_fetch (&last_group, 1, __ATOMIC_RELAXED);
}

static void
slot_set (Slot *slot, uintptr_t start, size_t bytes, uint64_t group, char *name)
{
  const uint32_t sequence = slot->sequence;

  __atomic_store_n (&slot->sequence, sequence + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_RELEASE);
  __atomic_store_n (&slot->lost, 0, __ATOMIC_RELAXED);
  __atomic_store_n (&slot->start, start, __ATOMIC_RELAXED);
  __atomic_store_n (&slot->size, (bytes + page - 1) / page * page, __ATOMIC_RELAXED);
  slot->bytes = bytes;
  slot->group = group;
  slot->name  = name;
  __atomic_store_n (&slot->sequence, sequence + 2, __ATOMIC_RELEASE);
}

/* A free slot; the table is locked. */
static gboolean
slot_find (size_t *out, GError **error)
{
  Slot *chunk;

  for (size_t i = search; i < n_chunks * CHUNK; i++)
    if (slot_at (i)->start == 0)
      {
        *out = search = i;
        return TRUE;
      }
  if (n_chunks == MAX_CHUNKS)
    return _kette_fail (error, KETTE_ERROR_LIMIT, NULL, "%d files are mapped already",
                        CHUNK * MAX_CHUNKS);
  chunk = _kette_alloc (_kette_account_process (), CHUNK, sizeof *chunk, error);
  if (!chunk)
    return FALSE;
  *out = search = n_chunks * CHUNK;
  __atomic_store_n (&chunks[n_chunks], chunk, __ATOMIC_RELEASE);
  __atomic_store_n (&n_chunks, n_chunks + 1, __ATOMIC_RELEASE);
  return TRUE;
}

void *
_kette_guard_map (int fd, size_t size, uint64_t group, const char *name,
                  const char *where, size_t *slot, GError **error)
{
  const size_t n = name ? strlen (name) + 1 : 0;
  char *copy     = NULL;
  void *data     = NULL;

  if (name)
    {
      copy = _kette_alloc_raw (_kette_account_process (), n, 1, error);
      if (!copy)
        return NULL;
      memcpy (copy, name, n);
    }
  G_LOCK (table);
  page = (uintptr_t) sysconf (_SC_PAGESIZE);
  if (slot_find (slot, error))
    {
      data = _kette_system.map (fd, size);
      if (data == MAP_FAILED)
        {
          _kette_fail_errno (error, errno, where, "cannot map");
          data = NULL;
        }
      else
        slot_set (slot_at (*slot), (uintptr_t) data, size, group, copy);
    }
  G_UNLOCK (table);
  if (!data)
    _kette_free (copy);
  return data;
}

void
_kette_guard_unmap (size_t index)
{
  Slot *slot = slot_at (index);
  char *name = slot->name;

  G_LOCK (table);
  _kette_system.unmap ((void *) slot->start, slot->bytes);
  if (slot->lost)
    __atomic_sub_fetch (&_kette_guard_n_lost, 1, __ATOMIC_RELEASE);
  slot_set (slot, 0, 0, 0, NULL);
  search = MIN (search, index);
  G_UNLOCK (table);
  _kette_free (name);
}

uint64_t
_kette_guard_find (const void *data)
{
  uint64_t group = 0;

  G_LOCK (table);
  for (size_t i = 0; group == 0 && i < n_chunks * CHUNK; i++)
    {
      const Slot *slot = slot_at (i);

      if (slot->start && (uintptr_t) data - slot->start < slot->size)
        group = slot->group;
    }
  G_UNLOCK (table);
  return group;
}

gboolean
_kette_guard_look (uint64_t group, const void *data, GError **error)
{
  gboolean sound = TRUE;

  G_LOCK (table);
  for (size_t i = 0; sound && i < n_chunks * CHUNK; i++)
    {
      const Slot *slot = slot_at (i);

      if (slot->start && __atomic_load_n (&slot->lost, __ATOMIC_ACQUIRE)
          && (data ? (uintptr_t) data - slot->start < slot->size : slot->group == group))
        sound = _kette_fail (error, KETTE_ERROR_IO, slot->name,
                             "became shorter while it was in use");
    }
  G_UNLOCK (table);
  return sound;
}

/* Zeros from the page of ADDRESS to the map's end, if it is one of ours. Only what a signal
 * handler may do: loads, stores, mmap. */
static gboolean
take_fault (uintptr_t address)
{
  const size_t n = __atomic_load_n (&n_chunks, __ATOMIC_ACQUIRE) * CHUNK;

  for (size_t i = 0; i < n; i++)
    {
      Slot *slot              = slot_at (i);
      const uint32_t sequence = __atomic_load_n (&slot->sequence, __ATOMIC_ACQUIRE);
      const uintptr_t start   = __atomic_load_n (&slot->start, __ATOMIC_RELAXED);
      const size_t size       = __atomic_load_n (&slot->size, __ATOMIC_RELAXED);
      uintptr_t from;

      __atomic_thread_fence (__ATOMIC_ACQUIRE);
      if (start == 0 || sequence % 2 != 0
          || __atomic_load_n (&slot->sequence, __ATOMIC_RELAXED) != sequence
          || address - start >= size)
        continue;
      /* First the mark: nobody may see the zeros without it. */
      if (!__atomic_exchange_n (&slot->lost, 1, __ATOMIC_ACQ_REL))
        __atomic_add_fetch (&_kette_guard_n_lost, 1, __ATOMIC_RELEASE);
      from = address - address % page;
      return mmap ((void *) from, size - (from - start), PROT_READ,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
             != MAP_FAILED;
    }
  return FALSE;
}

static void
on_sigbus (int number, siginfo_t *info, void *context)
{
  const int saved = errno;

  /* What kill() sent has no address. */
  if (info->si_code > 0 && take_fault ((uintptr_t) info->si_addr))
    {
      errno = saved;
      return;
    }
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction (number, info, context);
  else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    previous.sa_handler (number);
  else
    {
      /* As if we had never been here: the instruction is tried again, and the process ends;
       * a signal that was sent is sent again. */
      sigaction (number, &previous, NULL);
      if (info->si_code <= 0 && previous.sa_handler == SIG_DFL)
        raise (number);
    }
  errno = saved;
}

void
kette_guard_mapped_files (void)
{
  static gsize done;
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

  if (!g_once_init_enter (&done))
    return;
  page                = (uintptr_t) sysconf (_SC_PAGESIZE);
  action.sa_sigaction = on_sigbus;
  sigemptyset (&action.sa_mask);
  sigaction (SIGBUS, &action, &previous);
  g_once_init_leave (&done, 1);
}
