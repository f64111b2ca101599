/* SPDX-License-Identifier: Apache-2.0
 * The table of mapped files, and the signal handler that reads it.
 */
#include "base/guard-private.h"
#include "base/system.h"
#include <glib/gstdio.h>
#include <unistd.h>

/* More maps than the table has room for at first, freed in another order. */
static void
test_table (void)
{
  enum
  {
    N = 700
  };
  g_autofree size_t *slots = g_new (size_t, N);
  char *name               = NULL;
  const int fd             = g_file_open_tmp (NULL, &name, NULL);
  const uint64_t group     = _kette_guard_group ();
  volatile char *last      = NULL;

  g_assert_cmpint (ftruncate (fd, 5000), ==, 0);
  for (int i = 0; i < N; i++)
    {
      last = _kette_guard_map (fd, 5000, i == N - 1 ? group : _kette_guard_group (), NULL,
                               NULL, &slots[i], NULL);
      g_assert_nonnull ((void *) last);
    }
  for (int i = 0; i < N - 1; i += 2)
    _kette_guard_unmap (slots[i]);
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  g_assert_true (_kette_guard_outcome (group, TRUE, NULL));
  g_assert_cmpint (last[4999], ==, 0);
  g_assert_false (_kette_guard_outcome (group, TRUE, NULL));
  g_assert_true (_kette_guard_outcome (group + 1, TRUE, NULL));
  for (int i = 1; i < N; i += 2)
    _kette_guard_unmap (slots[i]);
  g_assert_cmpint (_kette_guard_n_lost, ==, 0);
  close (fd);
  g_unlink (name);
  g_free (name);
}

/* A fault that is none of ours ends the process as it would have without us. */
static void
test_foreign (void)
{
  if (g_test_subprocess ())
    {
      char *name   = NULL;
      const int fd = g_file_open_tmp (NULL, &name, NULL);
      volatile char *data;

      g_unlink (name);
      g_free (name);
      g_assert_cmpint (ftruncate (fd, 5000), ==, 0);
      data = _kette_system.map (fd, 5000);
      g_assert_cmpint (ftruncate (fd, 0), ==, 0);
      g_print ("%d", data[0]);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  kette_guard_mapped_files ();
  kette_guard_mapped_files ();
  g_test_add_func ("/guard/table", test_table);
  g_test_add_func ("/guard/foreign", test_foreign);
  return g_test_run ();
}
