/* SPDX-License-Identifier: Apache-2.0
 * What loading a model of 100 MB costs: at most 1.2 times its size, by the account of memory
 * that the library keeps and by the pages that the process holds (anonymous and mapped ones
 * together). Each step runs in a process of its own, this program again.
 */
#include "base/alloc.h"
#include "kette.h"
#include "made.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ALLOWED 1.2
#define TENSORS 25
#define TENSOR_BYTES ((size_t) 4 << 20)

/* Sanitizers and counters of branches have pages of their own. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined KETTE_COVERAGE
#define PAGES_COUNT 0
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)                  \
    || __has_feature(thread_sanitizer)
#define PAGES_COUNT 0
#endif
#endif
#ifndef PAGES_COUNT
#define PAGES_COUNT 1
#endif

/* Bytes behind KEY in /proc/self/status. */
static size_t
status_of (const char *key)
{
  g_autofree char *text = NULL;
  const char *at;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL)
      || !(at = strstr (text, key)))
    return 0;
  return (size_t) g_ascii_strtoull (at + strlen (key), NULL, 10) * 1024;
}

/* The steps, one more each time. Prints the peaks. */
static int
child (const char *step, const char *file)
{
  g_autoptr (GError) error         = NULL;
  g_autoptr (KetteGraph) graph     = kette_graph_load (file, &error);
  g_autoptr (KetteSession) session = NULL;
  g_autoptr (KetteTensor) x = NULL, y = NULL;
  const gint64 dims[] = { (gint64) (TENSOR_BYTES / 4) };
  gboolean ok         = graph != NULL;

  kette_set_threads (1);
  if (ok && strcmp (step, "check") == 0)
    ok = kette_graph_check (graph, FALSE, &error);
  if (ok && (strcmp (step, "session") == 0 || strcmp (step, "run") == 0))
    ok = (session = kette_session_new (graph, &error)) != NULL;
  if (ok && strcmp (step, "run") == 0)
    ok = (x = kette_tensor_new (1, dims, 1, &error))
         && kette_session_run (session, &x, &y, NULL, &error);
  if (!ok)
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  printf ("%zu %zu\n", _kette_account_process ()->peak, status_of ("VmHWM:"));
  return 0;
}

/* Runs WORDS; its output, and the most memory that it held. */
static char *
run (const char *const *words, size_t *most)
{
  posix_spawn_file_actions_t actions;
  struct rusage usage;
  char text[4096];
  int ends[2], status;
  size_t n = 0;
  ssize_t got;
  pid_t pid;

  g_assert_cmpint (pipe (ends), ==, 0);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose (&actions, ends[0]);
  g_assert_cmpint (posix_spawn (&pid, words[0], &actions, NULL,
                                (char *const *) (gpointer) words, environ),
                   ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  close (ends[1]);
  while ((got = read (ends[0], text + n, sizeof text - 1 - n)) > 0)
    n += (size_t) got;
  close (ends[0]);
  g_assert_cmpint (wait4 (pid, &status, 0, &usage), ==, pid);
  g_assert_cmpint (status, ==, 0);
  *most = (size_t) usage.ru_maxrss * 1024;
  return g_strndup (text, n);
}

static void
judge (const char *what, size_t size, size_t account, size_t pages)
{
  const double by_account = (double) account / (double) size,
               by_pages   = (double) pages / (double) size;

  if (account)
    g_test_message ("%s: account %.3f, pages %.3f of the file's size", what, by_account,
                    by_pages);
  else
    g_test_message ("%s: pages %.3f of the file's size", what, by_pages);
  g_assert_cmpfloat (by_account, <=, ALLOWED);
  if (PAGES_COUNT)
    g_assert_cmpfloat (by_pages, <=, ALLOWED);
}

static char *program;

static void
test_steps (gconstpointer user)
{
  const size_t off                 = GPOINTER_TO_SIZE (user);
  static const char *const steps[] = { "load", "check", "session", "run" };
  static const char *const verbs[] = { "info", "check" };
  g_autofree char *folder          = g_dir_make_tmp ("kette-XXXXXX", NULL);
  g_autofree char *name            = g_build_filename (folder, "large.onnx", NULL);
  const char *kette                = g_getenv ("KETTE");
  FILE *file                       = fopen (name, "w");
  const size_t size = file ? made_weights (file, TENSORS, TENSOR_BYTES, off) : 0;

  g_assert_cmpuint (size, >=, TENSORS * TENSOR_BYTES);
  g_assert_cmpint (fclose (file), ==, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      const char *words[] = { program, steps[i], name, NULL };
      size_t most, account = 0, pages = 0;
      g_autofree char *text = run (words, &most);

      g_assert_cmpint (sscanf (text, "%zu %zu", &account, &pages), ==, 2);
      judge (steps[i], size, account, pages);
    }
  for (size_t i = 0; kette && i < G_N_ELEMENTS (verbs); i++)
    {
      const char *words[]   = { kette, verbs[i], name, NULL };
      size_t most           = 0;
      g_autofree char *text = run (words, &most);
      g_autofree char *what = g_strdup_printf ("kette %s", verbs[i]);

      g_assert_cmpuint (strlen (text), >, 0);
      judge (what, size, 0, most);
    }
  g_unlink (name);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  program = argv[0];
  g_unsetenv ("MALLOC_PERTURB_"); /* it touches what nobody uses */
  if (argc == 3 && argv[1][0] != '-')
    return child (argv[1], argv[2]);
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/load/memory/aligned", GSIZE_TO_POINTER (0), test_steps);
  g_test_add_data_func ("/load/memory/unaligned", GSIZE_TO_POINTER (13), test_steps);
  return g_test_run ();
}
