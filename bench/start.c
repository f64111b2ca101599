/* SPDX-License-Identifier: Apache-2.0
 * From the start of a process to its first result, and its peak memory: `kette run` of a
 * small MLP on one sample, again and again.
 *
 * start KETTE MODEL SAMPLE.npy [TIMES]; one line of JSON.
 */
#include "measure.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

int
main (int argc, char **argv)
{
  enum
  {
    MOST = 200
  };
  double times[MOST];
  long peak   = 0;
  const int n = argc > 4 ? atoi (argv[4]) : 40;
  posix_spawn_file_actions_t actions;
  char input[4096];

  if (argc < 4 || n < 1 || n > MOST)
    return fprintf (stderr, "start KETTE MODEL SAMPLE.npy [TIMES]\n"), 1;
  snprintf (input, sizeof input, "--input=%s", argv[3]);
  char run[] = "run", threads[] = "--threads=1";
  char *words[] = { argv[1], run, argv[2], input, threads, NULL };
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_addopen (&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (int i = -2; i < n; i++)
    {
      struct rusage usage;
      const double begin = bench_now ();
      pid_t child;
      int status;
      if (posix_spawn (&child, argv[1], &actions, NULL, words, environ) != 0
          || wait4 (child, &status, 0, &usage) != child || status != 0)
        return fprintf (stderr, "%s failed\n", argv[1]), 1;
      if (i >= 0)
        times[i] = (bench_now () - begin) * 1e3;
      if (usage.ru_maxrss > peak)
        peak = usage.ru_maxrss;
    }
  qsort (times, (size_t) n, sizeof *times, compare);
  printf (
      "{\"bench\": \"start\", \"what\": \"process start to first result\", \"ms\": %.2f, "
      "\"least_ms\": %.2f, \"peak_mb\": %.1f, \"goal_ms\": 10, \"goal_mb\": 15}\n",
      times[n / 2], times[0], (double) peak / 1024);
  return 0;
}
