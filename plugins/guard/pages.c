/* SPDX-License-Identifier: Apache-2.0
 *
 * pages.c: the pages of a block. What a block holds ends where a page does, and the next page is
 * nobody's; in front of it, up to the page's beginning, lies what must not change. A block whose
 * content is dead is closed. Who stumbles over any of that is let through, so that his task comes to
 * its end, and told on.
 */
#include "guard.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum
{
  FRESH = 0xFF, /* floats: NaN */
  FENCE = 0xA5
};

static size_t page;
static struct sigaction previous;
static uint32_t n_touched; /* blocks that somebody stumbled over, not told yet */

static size_t
round_up (size_t n, size_t to)
{
  return (n + to - 1) / to * to;
}

static uint8_t *
inner_of (const Block *b)
{
  return b->map + b->pages + page;
}

static void
fill (Block *b)
{
  memset (inner_of (b), FENCE, (size_t) (b->alias - inner_of (b)));
  memset (b->alias, FRESH, b->bytes);
}

bool
guard_map (Block *b)
{
  const size_t inner = round_up (b->bytes, page);
  uint8_t *map;

  b->pages = inner + 2 * page;
  map = mmap (NULL, 2 * b->pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
              -1, 0);
  if (map == MAP_FAILED)
    return false;
  b->map     = map;
  b->address = map + page + inner - b->bytes;
  b->alias   = b->address + b->pages;
  if (mprotect (inner_of (b), inner, PROT_READ | PROT_WRITE) != 0)
    {
      munmap (map, 2 * b->pages);
      return false;
    }
  fill (b);
  return true;
}

void
guard_unmap (Block *b)
{
  munmap (b->map, 2 * b->pages);
}

static void
forget_touch (Block *b)
{
  if (b->touched)
    __atomic_sub_fetch (&n_touched, 1, __ATOMIC_RELAXED);
  b->touched = UNTOUCHED;
}

void
guard_close (Block *b)
{
  uint8_t *first = b->map + b->pages;

  mprotect (first, b->pages, PROT_NONE);
  madvise (first, b->pages, MADV_DONTNEED);
  b->closed = true;
}

bool
guard_open (Block *b)
{
  if (!b->closed)
    return true;
  if (mprotect (inner_of (b), b->pages - 2 * page, PROT_READ | PROT_WRITE) != 0)
    return false;
  fill (b);
  b->closed = false;
  return true;
}

void
guard_poison (const Block *b, size_t offset, size_t bytes)
{
  memset (b->alias + offset, FRESH, bytes);
}

static bool
fence_stands (const Block *b)
{
  const uint8_t *first = inner_of (b);
  const size_t n       = (size_t) (b->alias - first);

  return n == 0 || (first[0] == FENCE && memcmp (first, first + 1, n - 1) == 0);
}

/* Is something wrong with B, because of WHO? Then TEXT says what, and B is as it was. */
bool
guard_tell (Block *b, const char *who, bool look, char *text)
{
  static const char *const did[][2] = { { "", "" },
                                        { "went beyond the end of a value", "" },
                                        { "went before the beginning of a value", "" },
                                        { "used a value", " that was dead already" },
                                        { "used a block", " that was released" } };

  if (!b->touched && look && !b->closed && !b->dead && !fence_stands (b))
    {
      __atomic_add_fetch (&n_touched, 1, __ATOMIC_RELAXED);
      b->touched = TOUCHED_BEFORE;
    }
  if (!b->touched)
    return false;
  snprintf (text, TEXT, "\"%.80s\" %s of %zu bytes%s", who, did[b->touched][0], b->bytes,
            did[b->touched][1]);
  forget_touch (b);
  if (b->closed || b->dead)
    guard_close (b);
  else
    {
      uint8_t *end = b->map + 2 * b->pages - page;
      mprotect (b->map + b->pages, page, PROT_NONE);
      mprotect (end, page, PROT_NONE);
      memset (inner_of (b), FENCE, (size_t) (b->alias - inner_of (b)));
    }
  return true;
}

bool
guard_any_touched (void)
{
  return __atomic_load_n (&n_touched, __ATOMIC_RELAXED) > 0;
}

static bool
stumble (Block *b, uint8_t *at)
{
  if (!b->touched)
    __atomic_add_fetch (&n_touched, 1, __ATOMIC_RELAXED);
  b->touched = b->dead                     ? TOUCHED_RELEASED
               : b->closed                 ? TOUCHED_DEAD
               : at >= b->alias + b->bytes ? TOUCHED_BEHIND
                                           : TOUCHED_BEFORE;
  b->toucher = pthread_self ();
  return mprotect ((void *) ((uintptr_t) at / page * page), page, PROT_READ | PROT_WRITE)
         == 0;
}

/* The thread is in the middle of a kernel, or of the host's code: it holds none of our locks. */
static void
on_fault (int number, siginfo_t *info, void *context)
{
  static const char host[] = "guard: memory of a device was touched by the host\n";
  uint8_t *at              = info->si_addr;
  Block *b                 = NULL;
  bool ours                = false;

  if (pthread_mutex_lock (&guard_blocks) == 0)
    {
      b    = guard_find (at);
      ours = b && at >= b->map + b->pages && stumble (b, at);
      pthread_mutex_unlock (&guard_blocks);
    }
  if (ours)
    return;
  if (b && write (STDERR_FILENO, host, sizeof host - 1) < 0)
    return; /* nobody to tell; the fault comes again */
  if (previous.sa_flags & SA_SIGINFO)
    previous.sa_sigaction (number, info, context);
  else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN)
    previous.sa_handler (number);
  else
    sigaction (SIGSEGV, &previous, NULL); /* where it comes again */
}

void
guard_watch (void)
{
  struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

  page                = (size_t) sysconf (_SC_PAGESIZE);
  action.sa_sigaction = on_fault;
  sigemptyset (&action.sa_mask);
  sigaction (SIGSEGV, &action, &previous);
}
