/* SPDX-License-Identifier: Apache-2.0
 * The thread pool: the same pieces for any number of threads, loops in loops, callers at once.
 */
#include "base/pool.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum
{
  MOST = 4000
};

/* What pieces a loop was cut into: by their begin, how often and where they end. */
typedef struct
{
  gint times[MOST];
  int64_t end[MOST];
  gint wrong_worker, workers;
} Pieces;

static void
note (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Pieces *p = arg;

  g_atomic_int_inc (&p->times[begin]);
  p->end[begin] = end;
  if (worker < 0 || worker >= p->workers)
    g_atomic_int_inc (&p->wrong_worker);
}

static void
check_pieces (const Pieces *p, int64_t n, int64_t grain)
{
  g_assert_cmpint (p->wrong_worker, ==, 0);
  for (int64_t i = 0; i < MOST; i++)
    {
      const gboolean begins = i < n && i % grain == 0;

      g_assert_cmpint (p->times[i], ==, begins ? 1 : 0);
      if (begins)
        g_assert_cmpint (p->end[i], ==, MIN (n, i + grain));
    }
}

static void
test_same_pieces (void)
{
  static const int threads[]      = { 1, 2, 3, 8, 2, 1, 5 };
  static const int64_t loops[][2] = { { 1, 1 },     { 7, 3 },   { 3, 7 },  { 1000, 1 },
                                      { MOST, 64 }, { 64, 64 }, { 65, 64 } };
  Pieces *p                       = g_new (Pieces, 1);

  for (size_t t = 0; t < G_N_ELEMENTS (threads); t++)
    {
      _kette_pool_set_threads (threads[t]);
      g_assert_cmpint (_kette_pool_get_threads (), ==, threads[t]);
      for (size_t k = 0; k < G_N_ELEMENTS (loops); k++)
        for (int round = 0; round < 20; round++)
          {
            memset (p, 0, sizeof *p);
            p->workers = threads[t];
            _kette_pool_for (loops[k][0], loops[k][1], note, p);
            check_pieces (p, loops[k][0], loops[k][1]);
          }
    }
  memset (p, 0, sizeof *p);
  p->workers = 5;
  _kette_pool_for (0, 1, note, p);
  _kette_pool_for (-5, 1, note, p);
  check_pieces (p, 0, 1);
  _kette_pool_for (3, 0, note, p); /* a grain below 1 is 1 */
  check_pieces (p, 3, 1);
  g_free (p);
}

typedef struct
{
  gint64 sums[64];
  gint bad;
  int32_t outer[64];
} Nested;

typedef struct
{
  Nested *all;
  int64_t row;
  int32_t worker;
  int64_t last;
} Row;

static void
inner (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Row *row = arg;

  /* Inline: on the thread of the loop around, in order. */
  if (worker != row->worker || begin != row->last)
    g_atomic_int_inc (&row->all->bad);
  row->last = end;
  for (int64_t i = begin; i < end; i++)
    row->all->sums[row->row] += i;
}

static void
outer (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  for (int64_t i = begin; i < end; i++)
    {
      Row row = { arg, i, worker, 0 };

      _kette_pool_for (100, 7, inner, &row);
      if (row.last != 100)
        g_atomic_int_inc (&row.all->bad);
    }
}

static void
test_nested (void)
{
  for (int threads = 1; threads <= 4; threads++)
    {
      Nested all = { .bad = 0 };

      _kette_pool_set_threads (threads);
      _kette_pool_for (64, 1, outer, &all);
      g_assert_cmpint (all.bad, ==, 0);
      for (int i = 0; i < 64; i++)
        g_assert_cmpint (all.sums[i], ==, 4950);
    }
}

static void
add_up (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  gint *sum = arg;

  (void) worker;
  for (int64_t i = begin; i < end; i++)
    g_atomic_int_add (sum, (gint) i);
}

static gpointer
caller (gpointer data)
{
  gint *failures = data;

  for (int round = 0; round < 2000; round++)
    {
      gint sum = 0;

      _kette_pool_for (100, 9, add_up, &sum);
      if (sum != 4950)
        g_atomic_int_inc (failures);
    }
  return NULL;
}

static void
test_concurrent_callers (void)
{
  static const int spins[] = { 30, 0 };

  for (size_t s = 0; s < G_N_ELEMENTS (spins); s++)
    {
      GThread *callers[4];
      gint failures = 0;

      _kette_pool_set_spin (spins[s]);
      _kette_pool_set_threads (3);
      for (int i = 0; i < 4; i++)
        callers[i] = g_thread_new ("caller", caller, &failures);
      for (int i = 0; i < 4; i++)
        g_thread_join (callers[i]);
      g_assert_cmpint (failures, ==, 0);
    }
  _kette_pool_set_spin (30);
}

/* Workers that fell asleep wake up again; the caller sleeps while a worker is at work. */
static void
doze (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  (void) begin;
  (void) end;
  g_usleep (worker == 0 ? 100 : 2000);
  g_atomic_int_inc ((gint *) arg);
}

static void
test_sleep (void)
{
  _kette_pool_set_threads (3);
  for (int round = 0; round < 10; round++)
    {
      gint n = 0;

      _kette_pool_for (3, 1, doze, &n);
      g_assert_cmpint (n, ==, 3);
      g_usleep (500);
    }
}

/* The child of fork has no workers, and does the work alone. */
static void
test_fork (void)
{
  int status = 1;
  gint sum   = 0;
  pid_t child;

#ifdef __SANITIZE_THREAD__
  g_test_skip ("this sanitizer starts no threads in the child of fork");
  return;
#endif
  _kette_pool_set_threads (3);
  _kette_pool_for (100, 9, add_up, &sum);
  child = fork ();
  if (child == 0)
    {
      sum = 0;
      _kette_pool_set_threads (2);
      _kette_pool_for (100, 9, add_up, &sum);
      _exit (sum == 4950 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
}

static void
test_count_of_threads (void)
{
  _kette_pool_set_threads (0);
  g_assert_cmpint (_kette_pool_get_threads (), >=, 1);
  g_assert_cmpint (_kette_pool_get_threads (), <=, (int) g_get_num_processors ());
  _kette_pool_set_threads (1000);
  g_assert_cmpint (_kette_pool_get_threads (), ==, 256);
  _kette_pool_set_threads (0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pool/same-pieces", test_same_pieces);
  g_test_add_func ("/pool/nested", test_nested);
  g_test_add_func ("/pool/callers", test_concurrent_callers);
  g_test_add_func ("/pool/sleep", test_sleep);
  g_test_add_func ("/pool/fork", test_fork);
  g_test_add_func ("/pool/count", test_count_of_threads);
  return g_test_run ();
}
