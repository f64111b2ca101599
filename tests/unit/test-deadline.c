/* SPDX-License-Identifier: Apache-2.0
 * Deadlines: time, signals and plain cancelling stop loops and runs, and say so.
 */
#include "base/deadline-private.h"
#include "base/pool.h"
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static void
expect (GCancellable *c, KetteErrorCode code, const char *text)
{
  GError *error = NULL;

  g_assert_true (_kette_stopped (c));
  g_assert_false (_kette_check_stop (c, "node \"n0\" (Neg)", &error));
  g_assert_error (error, KETTE_ERROR, (int) code);
  g_test_message ("%s", error->message);
  g_assert_true (g_str_has_prefix (error->message, text));
  g_clear_error (&error);
}

static void
test_kinds (void)
{
  g_autoptr (GCancellable) plain     = g_cancellable_new ();
  g_autoptr (KetteDeadline) endless  = kette_deadline_new (0);
  g_autoptr (KetteDeadline) short_   = kette_deadline_new (0.02);
  g_autoptr (KetteDeadline) canceled = kette_deadline_new (1e300);

  g_assert_false (_kette_stopped (NULL));
  g_assert_true (_kette_check_stop (NULL, NULL, NULL));
  g_assert_false (_kette_stopped (plain));
  g_assert_false (_kette_stopped (G_CANCELLABLE (endless)));
  g_cancellable_cancel (plain);
  expect (plain, KETTE_ERROR_CANCEL, "cancel: node \"n0\" (Neg): cancelled");
  g_cancellable_cancel (G_CANCELLABLE (canceled));
  expect (G_CANCELLABLE (canceled), KETTE_ERROR_CANCEL,
          "cancel: node \"n0\" (Neg): cancelled");

  g_assert_cmpint (kette_deadline_get_signal (endless), ==, 0);
  kette_deadline_interrupt (endless, SIGTERM);
  g_assert_cmpint (kette_deadline_get_signal (endless), ==, SIGTERM);
  expect (G_CANCELLABLE (endless), KETTE_ERROR_CANCEL,
          "cancel: node \"n0\" (Neg): stopped by SIGTERM");

  g_usleep (30000);
  expect (G_CANCELLABLE (short_), KETTE_ERROR_TIMEOUT,
          "timeout: node \"n0\" (Neg): the time limit of 0.02 s passed after 0.0");
}

static void
test_current (void)
{
  g_autoptr (KetteDeadline) own  = kette_deadline_new (0);
  g_autoptr (GCancellable) given = g_cancellable_new ();

  g_assert_null (_kette_stop_of (NULL));
  g_cancellable_push_current (G_CANCELLABLE (own));
  g_assert_true (_kette_stop_of (NULL) == G_CANCELLABLE (own));
  g_assert_true (_kette_stop_of (given) == given);
  g_cancellable_pop_current (G_CANCELLABLE (own));
}

typedef struct
{
  atomic_int done;
  KetteDeadline *deadline;
} Count;

/* The tenth piece stops all. */
static void
count_piece (void *arg, int64_t begin, int64_t end, int32_t worker)
{
  Count *count = arg;

  (void) worker;
  g_assert_cmpint (end - begin, ==, 10);
  if (atomic_fetch_add (&count->done, 1) == 9)
    kette_deadline_interrupt (count->deadline, SIGINT);
}

static void
test_loop (void)
{
  for (int threads = 1; threads <= 4; threads++)
    {
      g_autoptr (KetteDeadline) deadline = kette_deadline_new (100);
      Count count                        = { .deadline = deadline };

      _kette_pool_set_threads (threads);
      g_assert_false (_kette_pool_for_until (10000, 10, count_piece, &count,
                                             G_CANCELLABLE (deadline)));
      g_assert_cmpint (atomic_load (&count.done), >=, 10);
      g_assert_cmpint (atomic_load (&count.done), <, 10 + threads);
      g_assert_false (_kette_pool_for_until (10000, 10, count_piece, &count,
                                             G_CANCELLABLE (deadline)));
      g_assert_cmpint (atomic_load (&count.done), <, 10 + threads);
      /* The next loop is whole again. */
      atomic_store (&count.done, 100);
      g_assert_true (_kette_pool_for_until (10000, 10, count_piece, &count, NULL));
      g_assert_cmpint (atomic_load (&count.done), ==, 1100);
    }
}

/* What a look costs, in the test's log. */
static void
test_cost (void)
{
  static const char *const names[] = { "no limit", "a limit" };

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (KetteDeadline) deadline = kette_deadline_new (i ? 1000 : 0);
      GCancellable *c                    = G_CANCELLABLE (deadline);
      const gint64 begin                 = g_get_monotonic_time ();
      gboolean stopped                   = FALSE;

      for (int k = 0; k < 200000; k++)
        stopped = stopped || _kette_stopped (c);
      g_assert_false (stopped);
      g_test_message ("%s: %.1f ns", names[i],
                      (double) (g_get_monotonic_time () - begin) / 200.0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/deadline/kinds", test_kinds);
  g_test_add_func ("/deadline/current", test_current);
  g_test_add_func ("/deadline/loop", test_loop);
  g_test_add_func ("/deadline/cost", test_cost);
  return g_test_run ();
}
