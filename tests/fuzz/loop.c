/* SPDX-License-Identifier: Apache-2.0
 * Mutated models without libFuzzer: edits the models below the paths of the command line again
 * and again and runs the target over them.
 *
 *   fuzz-models-TARGET RUNS SEED PATH...
 *
 * The same arguments mean the same inputs. A run that takes over 10 s, or 2 GiB, is a fault; the
 * input of a fault is in the file fuzz-fault in the current folder.
 */
#include "fuzz.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MOST ((size_t) 1 << 20)
#define MOST_SECONDS 10
#define MOST_KIB (2L << 20)

static uint8_t *input;
static volatile size_t input_size;

/* Writes the input where it can be found again. */
static void
leave_input (void)
{
  FILE *f = fopen ("fuzz-fault", "wb");

  if (f)
    {
      fwrite (input, 1, input_size, f);
      fclose (f);
    }
}

static void
on_fault (int number)
{
  leave_input ();
  signal (number, SIG_DFL);
  raise (number);
}

#ifdef __has_feature /* clang's way to say it */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
void __sanitizer_set_death_callback (void (*callback) (void));
int __lsan_do_recoverable_leak_check (void);
#define DEATH_CALLBACK() __sanitizer_set_death_callback (leave_input)
#define LEAKS() __lsan_do_recoverable_leak_check ()
#else
#define DEATH_CALLBACK() (void) 0
#define LEAKS() 0
#endif

static void
collect (const char *path, GPtrArray *out)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  if (!dir && g_str_has_suffix (path, ".onnx"))
    g_ptr_array_add (out, g_strdup (path));
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *inner = g_build_filename (path, name, NULL);

      collect (inner, out);
    }
  if (dir)
    g_dir_close (dir);
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* One model of FILES, edited once or twice. FALSE: it is too large. */
static gboolean
make_input (const GPtrArray *files, uint64_t seed)
{
  uint64_t z = seed * UINT64_C (0x9e3779b97f4a7c15);
  char *data;
  gsize n;

  z = (z ^ z >> 29) * UINT64_C (0xbf58476d1ce4e5b9);
  z ^= z >> 32;
  if (!g_file_get_contents (files->pdata[z % files->len], &data, &n, NULL))
    return FALSE;
  if (n <= MOST)
    memcpy (input, data, n);
  g_free (data);
  input_size = n;
  for (uint64_t i = 0; n > 0 && n <= MOST && i <= (z >> 20 & 7) / 7; i++)
    {
      const size_t size = fuzz_mutate_model (input, input_size, MOST, z + i);

      input_size = size ? size : input_size;
    }
  return n <= MOST;
}

static void
run_one (void)
{
  const gint64 start = g_get_monotonic_time ();
  struct rusage usage;
  double seconds;

  alarm (6 * MOST_SECONDS);
  LLVMFuzzerTestOneInput (input, input_size);
  alarm (0);
  seconds = (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
  getrusage (RUSAGE_SELF, &usage);
  if (seconds > MOST_SECONDS)
    fuzz_fault ("took %.1f s", seconds);
  if (usage.ru_maxrss > MOST_KIB)
    fuzz_fault ("took %ld KiB", usage.ru_maxrss);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  uint64_t n, seed, done = 0;

  if (argc < 4)
    {
      fprintf (stderr, "usage: %s RUNS SEED PATH...\n", argv[0]);
      return 64;
    }
  n    = g_ascii_strtoull (argv[1], NULL, 10);
  seed = g_ascii_strtoull (argv[2], NULL, 10);
  for (int i = 3; i < argc; i++)
    collect (argv[i], files);
  g_ptr_array_sort (files, compare);
  if (files->len == 0)
    {
      printf ("1..0 # SKIP skipped: no models there\n");
      return 0;
    }
  input = g_malloc (MOST);
  LLVMFuzzerInitialize (&argc, &argv);
  DEATH_CALLBACK ();
  signal (SIGABRT, on_fault);
  signal (SIGALRM, on_fault);
  for (uint64_t i = 0; i < n; i++)
    if (make_input (files, seed + i))
      {
        run_one ();
        done++;
        if (done % 4096 == 0 && LEAKS ())
          fuzz_fault ("leaks within the last 4096 runs");
      }
  g_free (input);
  printf ("1..1\nok 1 - %" G_GUINT64_FORMAT " mutated of %u models\n", done, files->len);
  printf ("# loaded %" G_GUINT64_FORMAT ", sessions %" G_GUINT64_FORMAT
          ", ran %" G_GUINT64_FORMAT "\n",
          fuzz_reached.loaded, fuzz_reached.planned, fuzz_reached.ran);
  return 0;
}
