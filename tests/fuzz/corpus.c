/* SPDX-License-Identifier: Apache-2.0
 * A fuzz target as a test: runs it over the files and folders named on the command line.
 * FOLDER:SUFFIX takes the files with that suffix; a file NAME.txt holds messages in the notation
 * of pack.h, one a line. --export FOLDER writes what the target is given into a folder instead.
 */
#include "fuzz.h"
#include "pack.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* All files below PATH whose names end in SUFFIX, in order. */
static void
collect (const char *path, const char *suffix, GPtrArray *out)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;
  GPtrArray *names;

  if (!dir)
    {
      if (g_str_has_suffix (path, suffix))
        g_ptr_array_add (out, g_strdup (path));
      return;
    }
  names = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (dir)))
    g_ptr_array_add (names, g_build_filename (path, name, NULL));
  g_dir_close (dir);
  g_ptr_array_sort (names, compare);
  for (guint i = 0; i < names->len; i++)
    collect (names->pdata[i], suffix, out);
  g_ptr_array_unref (names);
}

static const char *export_to; /* or NULL */

static void
run_bytes (const char *name, const void *data, gsize n)
{
  if (export_to)
    {
      g_autofree char *sum  = g_compute_checksum_for_data (G_CHECKSUM_SHA1, data, n);
      g_autofree char *path = g_build_filename (export_to, sum, NULL);

      if (!g_file_set_contents (path, data, (gssize) n, NULL))
        fuzz_fault ("cannot write %s", path);
      return;
    }
  /* The last line before a crash names the file. */
  printf ("# %s\n", name);
  fflush (stdout);
  LLVMFuzzerTestOneInput (data, n);
}

static guint
run_lines (const char *file, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n              = 0;

  for (guint i = 0; lines[i]; i++)
    if (*lines[i] && *lines[i] != '#')
      {
        g_autoptr (GBytes) bytes = pack (lines[i]);
        g_autofree char *name    = g_strdup_printf ("%s:%u", file, i + 1);

        run_bytes (name, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
        n++;
      }
  return n;
}

static void
run (const char *file)
{
  char *data;
  gsize n;
  GError *error = NULL;

  if (!g_file_get_contents (file, &data, &n, &error))
    fuzz_fault ("%s", error->message);
  run_bytes (file, data, n);
  g_free (data);
}

/* Runs PATH; how many inputs there were. */
static guint
run_path (const char *path, const char *suffix)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);

  if (g_str_has_suffix (path, ".txt"))
    {
      g_autofree char *text = NULL;

      if (!g_file_get_contents (path, &text, NULL, NULL))
        fuzz_fault ("cannot read %s", path);
      return run_lines (path, text);
    }
  collect (path, suffix, files);
  for (guint k = 0; k < files->len; k++)
    run (files->pdata[k]);
  return files->len;
}

int
main (int argc, char **argv)
{
  int first = 1;

  if (argc > 2 && strcmp (argv[1], "--export") == 0)
    {
      export_to = argv[2];
      first     = 3;
    }
  else
    LLVMFuzzerInitialize (&argc, &argv);
  printf ("1..%d\n", argc - first);
  for (int i = first; i < argc; i++)
    {
      g_auto (GStrv) parts = g_strsplit (argv[i], ":", 2);

      if (!g_file_test (parts[0], G_FILE_TEST_EXISTS))
        {
          printf ("ok %d - %s # SKIP skipped: not there\n", i - first + 1, parts[0]);
          continue;
        }
      printf ("ok %d - %s: %u inputs\n", i - first + 1, argv[i],
              run_path (parts[0], parts[1] ? parts[1] : ""));
    }
  return 0;
}
