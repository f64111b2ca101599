/* SPDX-License-Identifier: Apache-2.0
 * The thread pool.
 *
 * A loop is published in `pool` and opened by a bit of `gate`, whose lower bits count the
 * workers inside. A worker enters only while the gate is open; the caller closes the gate when
 * the pieces are all taken, and waits until nobody is inside. So nobody reads a loop that is
 * over, however late it wakes. `epoch` counts loops; idle workers spin and sleep on it.
 */
#include "base/pool.h"
#include "base/cgroup.h"
#include "base/running.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum
{
  MOST_THREADS = 256,
  STACK        = 512 * 1024,
  SPARE        = 32 * 1024,
  SPIN_DEFAULT = 30, /* microseconds; waking a sleeper costs about as much */

  GATE_OPEN   = 1 << 16,
  GATE_WAITED = 1 << 17, /* the caller sleeps until the gate counts no one */
  GATE_INSIDE = GATE_OPEN - 1
};

/* What is written often lies on a line of its own. */
static struct
{
  kt_body *body;
  void *arg;
  int64_t n, grain, pieces;
  GCancellable *stop;
  const KetteRunning *running;       /* the caller's */
  atomic_bool cut;                   /* pieces were left out because of stop */
  _Alignas(64) _Atomic int64_t next; /* piece */
  _Alignas(64) _Atomic uint32_t gate;
  _Alignas(64) _Atomic uint32_t epoch;
  _Atomic uint32_t sleepers;
  _Alignas(64) atomic_bool busy; /* a loop runs, or the number of workers changes */
  _Atomic int threads;           /* as asked for; 0: not known yet                */
  _Atomic int spin;              /* microseconds                                  */
  _Atomic int keep;              /* workers from this number on leave             */
  int started;                   /* workers; under busy                           */
  pthread_t workers[MOST_THREADS];
} pool = { .spin = SPIN_DEFAULT, .keep = MOST_THREADS };

/* 0: outside of loops; else the thread's number in the loop around, plus one. */
static _Thread_local int32_t inside;

static void
futex_wait (_Atomic uint32_t *word, uint32_t value)
{
  syscall (SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void
futex_wake (_Atomic uint32_t *word, int n)
{
  syscall (SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static inline void
relax (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Spins until *WORD has left VALUE (under MASK), at most as long as idle workers do. */
static gboolean
spin_while (_Atomic uint32_t *word, uint32_t mask, uint32_t value)
{
  const int spin = atomic_load_explicit (&pool.spin, memory_order_relaxed);
  gint64 end     = 0;

  if (spin == 0)
    return (atomic_load (word) & mask) != value;
  for (;;)
    {
      gint64 now;

      for (int i = 0; i < 32; i++)
        {
          if ((atomic_load_explicit (word, memory_order_acquire) & mask) != value)
            return TRUE;
          relax ();
        }
      now = g_get_monotonic_time ();
      if (end == 0)
        end = now + spin;
      if (now >= end)
        return FALSE;
    }
}

static void
run_pieces (int32_t worker)
{
  const int64_t n = pool.n, grain = pool.grain, pieces = pool.pieces;
  GCancellable *stop = pool.stop;

  for (;;)
    {
      const int64_t i = atomic_fetch_add_explicit (&pool.next, 1, memory_order_relaxed);
      int64_t begin;

      if (i >= pieces)
        return;
      if (stop && _kette_stopped (stop))
        {
          atomic_store_explicit (&pool.cut, TRUE, memory_order_relaxed);
          return;
        }
      begin = i * grain;
      pool.body (pool.arg, begin, n - begin > grain ? begin + grain : n, worker);
    }
}

static gboolean
enter (void)
{
  uint32_t gate = atomic_load (&pool.gate);

  while (gate & GATE_OPEN)
    if (atomic_compare_exchange_weak (&pool.gate, &gate, gate + 1))
      return TRUE;
  return FALSE;
}

static void
leave (void)
{
  const uint32_t gate = atomic_fetch_sub (&pool.gate, 1) - 1;

  if ((gate & GATE_WAITED) && (gate & GATE_INSIDE) == 0)
    futex_wake (&pool.gate, 1);
}

static void *
work (void *data)
{
  const int32_t worker = (int32_t) (intptr_t) data;
  uint32_t seen        = 0;
  char spare[SPARE]; /* where a handler runs when the stack itself is used up */
  const stack_t alternate = { .ss_sp = spare, .ss_size = sizeof spare };

  inside = worker + 1;
  sigaltstack (&alternate, NULL);
  for (;;)
    {
      uint32_t epoch;

      if (!spin_while (&pool.epoch, UINT32_MAX, seen))
        {
          atomic_fetch_add (&pool.sleepers, 1);
          while (atomic_load (&pool.epoch) == seen)
            futex_wait (&pool.epoch, seen);
          atomic_fetch_sub (&pool.sleepers, 1);
        }
      epoch = atomic_load (&pool.epoch);
      if (worker >= atomic_load (&pool.keep))
        {
          /* What the thread ends with runs where the other stack was. */
          sigaltstack (&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
          return NULL;
        }
      seen = epoch;
      if (enter ())
        {
          _kette_running = pool.running;
          run_pieces (worker);
          _kette_running = NULL;
          leave ();
        }
    }
}

/* A child of fork has no workers. */
static void
forget_workers (void)
{
  pool.started = 0;
  atomic_store (&pool.sleepers, 0);
  atomic_store (&pool.gate, 0);
  atomic_store (&pool.busy, FALSE);
}

static void
stop_workers (int workers)
{
  atomic_store (&pool.keep, workers + 1);
  atomic_fetch_add (&pool.epoch, 1);
  futex_wake (&pool.epoch, INT_MAX);
  while (pool.started > workers)
    pthread_join (pool.workers[--pool.started], NULL);
  atomic_store (&pool.keep, MOST_THREADS);
}

/* At the end of the process the workers go before what they could still look at. Not where a
 * kernel ends the process, nor in the middle of another thread's loop. */
static void
end_workers (void)
{
  if (inside || atomic_exchange (&pool.busy, TRUE))
    return;
  stop_workers (0);
  atomic_store (&pool.busy, FALSE);
}

/* As many workers as wanted, or as many as the system gives: results do not depend on it. */
static void
start_workers (int workers)
{
  static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
  static gboolean prepared; /* under busy */
  sigset_t all, old;
  pthread_attr_t attr;

  if (!prepared)
    prepared
        = pthread_atfork (NULL, NULL, forget_workers) == 0 && atexit (end_workers) == 0;
  if (pthread_attr_init (&attr) != 0)
    return;
  pthread_attr_setstacksize (&attr, STACK);
  sigfillset (&all); /* signals are for the program's own threads */
  for (size_t i = 0; i < G_N_ELEMENTS (own); i++)
    sigdelset (&all, own[i]); /* but not what a thread does itself: blocked, it kills */
  pthread_sigmask (SIG_SETMASK, &all, &old);
  while (pool.started < workers
         && pthread_create (&pool.workers[pool.started], &attr, work,
                            (void *) (intptr_t) (pool.started + 1))
                == 0)
    {
      char name[16];

      snprintf (name, sizeof name, "kette-%u", (unsigned) (pool.started + 1) % 1000);
      pthread_setname_np (pool.workers[pool.started], name);
      pool.started++;
    }
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  pthread_attr_destroy (&attr);
}

/* The processors that the process may use: affinity mask and control group's quota. */
static int
count_processors (void)
{
  const uint64_t quota = _kette_cgroup_limit ("cpu.max");
  cpu_set_t set;
  long n;

  if (sched_getaffinity (0, sizeof set, &set) == 0)
    n = CPU_COUNT (&set);
  else /* more processors than the set has bits */
    n = sysconf (_SC_NPROCESSORS_ONLN);
  if ((uint64_t) n > quota)
    n = (long) quota;
  return (int) CLAMP (n, 1, MOST_THREADS);
}

int32_t
_kette_pool_get_processors (void)
{
  static _Atomic int32_t known;
  int32_t n = atomic_load_explicit (&known, memory_order_relaxed);

  if (n == 0)
    {
      n = (int32_t) CLAMP (sysconf (_SC_NPROCESSORS_CONF), 1, INT32_MAX);
      atomic_store_explicit (&known, n, memory_order_relaxed);
    }
  return n;
}

int
_kette_pool_get_threads (void)
{
  int threads = atomic_load_explicit (&pool.threads, memory_order_relaxed);

  if (threads == 0)
    {
      int unknown = 0;

      threads = count_processors ();
      if (!atomic_compare_exchange_strong (&pool.threads, &unknown, threads))
        threads = unknown;
    }
  return threads;
}

void
_kette_pool_set_threads (int threads)
{
  atomic_store (&pool.threads, threads > 0 ? MIN (threads, MOST_THREADS) : 0);
}

void
_kette_pool_set_spin (int microseconds)
{
  atomic_store (&pool.spin, MAX (microseconds, 0));
}

static gboolean
run_inline (int64_t n, int64_t grain, kt_body *body, void *arg, GCancellable *stop)
{
  const int32_t before = inside;
  const int32_t worker = before > 0 ? before - 1 : 0;
  gboolean whole       = TRUE;

  inside = worker + 1;
  for (int64_t begin = 0; begin < n;)
    {
      const int64_t end = n - begin > grain ? begin + grain : n;

      if (stop && _kette_stopped (stop))
        {
          whole = FALSE;
          break;
        }
      body (arg, begin, end, worker);
      begin = end;
    }
  inside = before;
  return whole;
}

static void
wait_for_workers (void)
{
  uint32_t gate
      = atomic_fetch_and (&pool.gate, ~(uint32_t) GATE_OPEN) & ~(uint32_t) GATE_OPEN;

  if (gate == 0)
    return;
  while ((gate & GATE_INSIDE) != 0)
    {
      if (spin_while (&pool.gate, GATE_INSIDE, gate & GATE_INSIDE))
        {
          gate = atomic_load (&pool.gate);
          continue;
        }
      gate = atomic_fetch_or (&pool.gate, GATE_WAITED) | GATE_WAITED;
      if ((gate & GATE_INSIDE) != 0)
        futex_wait (&pool.gate, gate);
      gate = atomic_load (&pool.gate);
    }
  atomic_store (&pool.gate, 0);
}

static gboolean
run_parallel (int64_t n, int64_t grain, kt_body *body, void *arg, GCancellable *stop,
              int threads)
{
  const int64_t pieces = (n - 1) / grain + 1;
  uint32_t sleepers;

  if (pool.started > threads - 1)
    stop_workers (threads - 1);
  else if (pool.started < threads - 1)
    start_workers (threads - 1);

  pool.body    = body;
  pool.arg     = arg;
  pool.n       = n;
  pool.grain   = grain;
  pool.pieces  = pieces;
  pool.running = _kette_running;
  pool.stop    = stop;
  atomic_store_explicit (&pool.cut, FALSE, memory_order_relaxed);
  atomic_store_explicit (&pool.next, 0, memory_order_relaxed);
  atomic_store (&pool.gate, GATE_OPEN);
  atomic_fetch_add (&pool.epoch, 1);
  sleepers = atomic_load (&pool.sleepers);
  if (sleepers > 0)
    futex_wake (&pool.epoch, (int) MIN ((int64_t) sleepers, pieces - 1));

  inside = 1;
  run_pieces (0);
  inside = 0;
  wait_for_workers ();
  return !atomic_load_explicit (&pool.cut, memory_order_relaxed);
}

gboolean
_kette_pool_for_until (int64_t n, int64_t grain, kt_body *body, void *arg,
                       GCancellable *stop)
{
  gboolean whole;
  int threads;

  if (n <= 0)
    return TRUE;
  grain = MAX (grain, 1);
  if (n <= grain)
    {
      body (arg, 0, n, inside > 0 ? inside - 1 : 0);
      return TRUE;
    }
  threads = _kette_pool_get_threads ();
  if (threads == 1 || inside > 0
      || atomic_exchange_explicit (&pool.busy, TRUE, memory_order_acquire))
    return run_inline (n, grain, body, arg, stop);
  whole = run_parallel (n, grain, body, arg, stop, threads);
  atomic_store_explicit (&pool.busy, FALSE, memory_order_release);
  return whole;
}

void
_kette_pool_for (int64_t n, int64_t grain, kt_body *body, void *arg)
{
  _kette_pool_for_until (n, grain, body, arg, NULL);
}
