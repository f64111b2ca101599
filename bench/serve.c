/* SPDX-License-Identifier: Apache-2.0
 * One program's rounds, on demand.
 */
#include "serve.h"
#include <stdlib.h>
#include <string.h>

static const bench_subject *
find (const bench_subject *subjects, int n, const char *name)
{
  for (int i = 0; i < n; i++)
    if (!strcmp (subjects[i].name, name))
      return &subjects[i];
  return NULL;
}

static long
written (bench_check *check, void *user, const char *name)
{
  FILE *file = fopen (name, "wb");
  long count = file ? check (user, file) : -1;

  if (file && fclose (file) != 0)
    count = -1;
  return count;
}

int
bench_serve (const bench_subject *subjects, int n, bench_check *check, void *user,
             const char *version)
{
  char line[4200], name[4100];
  long steps;

  for (int i = 0; i < n; i++)
    printf ("%s\"%s\"", i ? ", " : "{\"ready\": [", subjects[i].name);
  printf ("], \"version\": \"%s\"}\n", version);
  fflush (stdout);
  while (fgets (line, sizeof line, stdin))
    {
      const bench_subject *subject;
      long count;

      if (sscanf (line, "run %4099s %ld", name, &steps) == 2
          && (subject = find (subjects, n, name)))
        {
          const double begin = bench_now ();

          for (long i = 0; i < steps; i++)
            subject->step (subject->user);
          printf ("{\"seconds\": %.9f}\n", bench_now () - begin);
        }
      else if (sscanf (line, "check %4099[^\n]", name) == 1
               && (count = written (check, user, name)) >= 0)
        printf ("{\"floats\": %ld}\n", count);
      else
        return fprintf (stderr, "cannot do: %s", line), 1;
      fflush (stdout);
    }
  return 0;
}
