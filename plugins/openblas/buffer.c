/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.c: which thread packs its operands where.
 *
 * The serial build of OpenBLAS hands out its packing buffers without a lock: of Debian's
 * 0.3.21 two threads now and then get the same one, and both products are wrong. And when the
 * system has no memory for a new one, it tries again for ever. So its allocator is linked
 * under another name (ld --wrap) and called from here only, one thread at a time, after a
 * look whether there is memory; buffers are kept for the next call.
 *
 * A shared OpenBLAS cannot be helped that way. Its builds with threads have a lock; a serial
 * one that does not say that it has one (USE_LOCKING) is called by one thread at a time.
 */
#include "buffer.h"
#include "product.h"
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

static atomic_flag busy = ATOMIC_FLAG_INIT;

static void
lock (void)
{
  while (atomic_flag_test_and_set_explicit (&busy, memory_order_acquire))
    sched_yield ();
}

static void
unlock (void)
{
  atomic_flag_clear_explicit (&busy, memory_order_release);
}

#ifdef OPENBLAS_WRAPPED

#define MOST 128 /* buffers; a serial OpenBLAS has no more */
#define ENOUGH                                                                           \
  ((size_t) 256 * 1024 * 1024) /* bytes, mostly never touched, for a buffer */

void *__real_blas_memory_alloc (int position);
void *__wrap_blas_memory_alloc (int position);
void __wrap_blas_memory_free (void *buffer);

static void *idle[MOST];
static int n_idle, n_made;
static _Thread_local void *current;

/* What OpenBLAS calls; a product needs one buffer. */
void *
__wrap_blas_memory_alloc (int position)
{
  (void) position;
  return current;
}

void
__wrap_blas_memory_free (void *buffer)
{
  (void) buffer;
}

/* Would OpenBLAS's mmap succeed? */
static bool
memory_is_there (void)
{
  void *const probe
      = mmap (NULL, ENOUGH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  return probe != MAP_FAILED && munmap (probe, ENOUGH) == 0;
}

bool
buffer_take (void)
{
  void *buffer = NULL;

  lock ();
  if (n_idle > 0)
    buffer = idle[--n_idle];
  else if (n_made < MOST && memory_is_there () && (buffer = __real_blas_memory_alloc (0)))
    n_made++;
  unlock ();
  current = buffer;
  return buffer != NULL;
}

void
buffer_give (void)
{
  lock ();
  idle[n_idle++] = current;
  unlock ();
}

void
buffer_one_at_a_time (void)
{
}

#else /* a shared OpenBLAS */

static bool one_at_a_time;

bool
buffer_take (void)
{
  if (one_at_a_time)
    lock ();
  return true;
}

void
buffer_give (void)
{
  if (one_at_a_time)
    unlock ();
}

void
buffer_one_at_a_time (void)
{
  one_at_a_time = true;
}

#endif
