/* SPDX-License-Identifier: Apache-2.0
 * Faults on purpose in training steps on the guard device: refused memory and failing launches are
 * clear errors, and what comes next works; kernels that touch what they must not, and events that
 * are missing, are found, each of them. KETTE_LONG=1: all of a training, instead of a part.
 */
#include "base/pool.h"
#include "steps.h"
#include <string.h>

enum
{
  /* So many failures in a row that are none: the training has no more. A launch that fails while
   * work is recorded is none, because the same work is then done as usual. */
  LAST = 170
};

/* The next number of what fails: all of them, or the first ones and a part of the rest. */
static int
next_of (int n)
{
  return g_getenv ("KETTE_LONG") ? n + 1 : n + (n < 12 ? 1 : 23);
}

/* The N-th of WHAT fails: TRUE, as it must. Nothing is left over, neither of the device nor of the
 * host. FALSE: it did not, and all is well. */
static gboolean
fails (const Placement *p, const char *what, int n, KetteErrorCode code,
       const char *wanted)
{
  const size_t before = free_memory (), used = _kette_account_process ()->used;
  g_autofree char *knobs   = g_strdup_printf ("%s=%d", what, n);
  g_autoptr (GError) error = NULL;

  g_setenv ("KETTE_GUARD", knobs, TRUE);
  g_autofree char *digest = train (p, &error);
  g_setenv ("KETTE_GUARD", "", TRUE);
  g_assert_cmpuint (free_memory (), ==, before);
  g_assert_cmpuint (_kette_account_process ()->used, ==, used);
  if (digest)
    {
      g_assert_cmpstr (digest, ==, wanted);
      return FALSE;
    }
  if (n < 4)
    g_test_message ("%s", error->message);
  g_assert_error (error, KETTE_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, "on demand"));
  g_assert_nonnull (strstr (error->message, "guard:"));
  return TRUE;
}

/* The N-th of WHAT fails, for all N; and each time the next training is right. */
static void
check_failures (const Placement *p, const char *what, KetteErrorCode code)
{
  g_autofree char *wanted = train_on_cpu (p), *warm = train (p, NULL);
  int n_failed = 0, last = 0;

  g_assert_cmpstr (warm, ==, wanted);
  for (int n = 1; n < last + LAST; n = next_of (n))
    if (fails (p, what, n, code, wanted))
      {
        GError *error = NULL;
        last          = n;
        if (n_failed++ % 8 != 0 && !g_getenv ("KETTE_LONG"))
          continue;
        g_autofree char *next = train (p, &error);
        g_assert_no_error (error);
        g_assert_cmpstr (next, ==, wanted);
      }
  g_test_message ("%d of %s failed, the last one was number %d", n_failed, what, last);
  g_assert_cmpint (n_failed, >, 10);
}

static void
test_memory (gconstpointer data)
{
  check_failures (data, "oom", KETTE_ERROR_MEMORY);
}

static void
test_launches (gconstpointer data)
{
  check_failures (data, "fail", KETTE_ERROR_DEVICE);
}

/* A launch goes beyond what it writes, or uses a value once more that dies with it, one of them in
 * each training: all are found, told of a node. */
static void
check_faults (const Placement *p, const char *knob, const char *text, const char *other,
              int least, gboolean states)
{
  g_autofree char *wanted = train_on_cpu (p);
  gboolean found          = TRUE;
  int n                   = 1;

  for (; found; n = next_of (n))
    {
      g_autofree char *knobs   = g_strdup_printf ("%s=%d", knob, n);
      g_autoptr (GError) error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      found                   = digest == NULL;
      if (digest && strcmp (digest, wanted) != 0 && states)
        { /* a state that was not brought up to date is only seen in what comes of it */
          found = TRUE;
          continue;
        }
      if (!found)
        { /* there are no more of them */
          g_assert_cmpstr (digest, ==, wanted);
          break;
        }
      if (n < 4)
        g_test_message ("%s", error->message);
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      g_assert_true (strstr (error->message, text) || strstr (error->message, other));
      g_assert_null (strstr (error->message, "\"?\""));
    }
  g_test_message ("%d of %s", n - 1, knob);
  g_assert_cmpint (n, >, least);
  g_setenv ("KETTE_GUARD", "", TRUE);
}

static void
test_spills (gconstpointer data)
{
  check_faults (data, "spill", "went beyond the end of a value of ",
                "went beyond the end of a value of ", 20, FALSE);
}

static void
test_stale (gconstpointer data)
{
  check_faults (data, "stale", " that was dead already", " that was dead already", 10,
                FALSE);
}

/* A copy to a device that is missing: what is read there nobody wrote, or it is of the time before. */
static void
test_lost (gconstpointer data)
{
  check_faults (data, "lost", "reads what nobody wrote", "reads what is dead", 20, TRUE);
}

/* Events that are missing, one in each training, are found. */
static void
test_events (gconstpointer data)
{
  const Placement *p      = data;
  g_autofree char *wanted = train_on_cpu (p);
  gboolean found          = TRUE;
  int n                   = 1;

  for (; found; n = next_of (n))
    {
      g_autofree char *knobs   = g_strdup_printf ("deaf=%d", n);
      g_autoptr (GError) error = NULL;
      g_setenv ("KETTE_GUARD", knobs, TRUE);
      g_autofree char *digest = train (p, &error);
      found                   = digest == NULL;
      if (!found)
        { /* there are no more of them */
          g_assert_cmpstr (digest, ==, wanted);
          break;
        }
      if (n < 4)
        g_test_message ("%s", error->message);
      g_assert_error (error, KETTE_ERROR, KETTE_ERROR_DEVICE);
      g_assert_true (strstr (error->message, "race: ")
                     || strstr (error->message, "reads what nobody wrote")
                     || strstr (error->message, "reads what is dead"));
    }
  g_test_message ("%d events", n - 1);
  g_assert_cmpint (n, >, 10);
  g_setenv ("KETTE_GUARD", "", TRUE);
}

int
main (int argc, char **argv)
{
  steps_init (&argc, &argv);
  g_test_add_data_func ("/faults/memory", &placements[1], test_memory);
  g_test_add_data_func ("/faults/memory-cnn", &placements[5], test_memory);
  g_test_add_data_func ("/faults/launches", &placements[1], test_launches);
  g_test_add_data_func ("/faults/launches-cnn", &placements[3], test_launches);
  g_test_add_data_func ("/faults/launches-dropout", &placements[5], test_launches);
  g_test_add_data_func ("/faults/spills", &placements[1], test_spills);
  g_test_add_data_func ("/faults/spills-cnn", &placements[2], test_spills);
  g_test_add_data_func ("/faults/spills-dropout", &placements[5], test_spills);
  g_test_add_data_func ("/faults/lost", &placements[1], test_lost);
  g_test_add_data_func ("/faults/lost-cnn", &placements[2], test_lost);
  g_test_add_data_func ("/faults/lost-dropout", &placements[5], test_lost);
  g_test_add_data_func ("/faults/stale", &placements[1], test_stale);
  g_test_add_data_func ("/faults/stale-cnn", &placements[2], test_stale);
  g_test_add_data_func ("/faults/stale-dropout", &placements[5], test_stale);
  g_test_add_data_func ("/faults/events", &placements[1], test_events);
  g_test_add_data_func ("/faults/events-cnn", &placements[3], test_events);
  g_test_add_data_func ("/faults/events-dropout", &placements[5], test_events);
  return g_test_run ();
}
